noinst_LIBRARIES += %D%/librollup.a
%C%_librollup_a_SOURCES = \
	%D%/bucket.c %D%/bucket.h \
	%D%/cell.c %D%/cell.h %D%/cell_codec.c \
	%D%/figures.c %D%/figures.h

EXTRA_DIST += tests/oracle/cells.py tests/oracle/grids.py \
	tests/fuzz/corpus/cells/apart tests/fuzz/corpus/cells/counter tests/fuzz/corpus/cells/gauge \
	tests/fuzz/corpus/cells/interval tests/fuzz/corpus/cells/two-groups

if CMOCKA
check_PROGRAMS += tests/unit/test_bucket tests/unit/test_cell
tests_unit_test_bucket_SOURCES = tests/unit/test_bucket.c tests/lib/test.h
tests_unit_test_bucket_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_bucket_LDADD = src/rollup/librollup.a src/common/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_cell_SOURCES = tests/unit/test_cell.c tests/lib/test.h
tests_unit_test_cell_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cell_LDADD = src/rollup/librollup.a src/codec/libcodec.a src/model/libmodel.a \
	src/common/libcommon.a $(CMOCKA_LIBS) $(ZLIB_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_cells
EXTRA_PROGRAMS += tests/fuzz/fuzz_cells
tests_fuzz_fuzz_cells_SOURCES = tests/fuzz/fuzz_cells.c
tests_fuzz_fuzz_cells_LDADD = src/rollup/librollup.a src/codec/libcodec.a src/model/libmodel.a \
	src/common/libcommon.a $(ZLIB_LIBS)
tests_fuzz_fuzz_cells_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
