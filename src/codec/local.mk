noinst_LIBRARIES += %D%/libcodec.a
%C%_libcodec_a_SOURCES = \
	%D%/bits.c %D%/bits.h \
	%D%/chunk.h %D%/chunk_encode.c %D%/chunk_decode.c %D%/chunk_format.h \
	%D%/column.c %D%/column.h \
	%D%/exponent.c %D%/exponent.h \
	%D%/kernels.c %D%/kernels.h \
	%D%/plan.c %D%/plan.h \
	%D%/points.c %D%/points.h \
	%D%/vector.c %D%/vector.h

CODEC_LIBS = src/codec/libcodec.a src/model/libmodel.a src/common/libcommon.a $(ZSTD_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS)
EXTRA_DIST += tests/lib/random.h tests/fuzz/corpus/chunk

if CMOCKA
check_PROGRAMS += tests/unit/test_kernels tests/unit/test_vector tests/unit/test_points tests/unit/test_chunk
tests_unit_test_kernels_SOURCES = tests/unit/test_kernels.c
tests_unit_test_kernels_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_vector_SOURCES = tests/unit/test_vector.c
tests_unit_test_vector_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_points_SOURCES = tests/unit/test_points.c
tests_unit_test_points_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_chunk_SOURCES = tests/unit/test_chunk.c
tests_unit_test_chunk_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_chunk
EXTRA_PROGRAMS += tests/fuzz/fuzz_chunk
tests_fuzz_fuzz_chunk_SOURCES = tests/fuzz/fuzz_chunk.c
tests_fuzz_fuzz_chunk_LDADD = $(CODEC_LIBS)
tests_fuzz_fuzz_chunk_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# make bench/bench_codec && bench/bench_codec: bytes a reading and speed of some shapes
EXTRA_PROGRAMS += bench/bench_codec
bench_bench_codec_SOURCES = bench/bench_codec.c
bench_bench_codec_LDADD = $(CODEC_LIBS)
