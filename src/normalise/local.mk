noinst_LIBRARIES += %D%/libnormalise.a
%C%_libnormalise_a_SOURCES = \
	%D%/asset_rules.c %D%/asset_rules.h \
	%D%/assets.c %D%/assets.h \
	%D%/calendar.c \
	%D%/documents.c %D%/checker.h \
	%D%/decode.c %D%/decode.h %D%/decoder.h \
	%D%/names.c %D%/names.h \
	%D%/object.c \
	%D%/scan.c %D%/scan.h \
	%D%/slots.c \
	%D%/values.c

# make bench/bench_decode
EXTRA_PROGRAMS += bench/bench_decode
bench_bench_decode_SOURCES = bench/bench_decode.c tests/lib/models.c tests/lib/models.h
bench_bench_decode_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
bench_bench_decode_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
bench_bench_decode_LDADD = src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a \
	$(SODIUM_LIBS) $(SQLITE_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_decode
tests_unit_test_decode_SOURCES = tests/unit/test_decode.c tests/lib/decode_oracle.c tests/lib/decode_oracle.h \
	tests/lib/oracle_json.c tests/lib/oracle_json.h \
	tests/lib/decode_generate.c tests/lib/models.c tests/lib/models.h
tests_unit_test_decode_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
tests_unit_test_decode_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_decode_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
tests_unit_test_decode_LDADD = src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a \
	$(CMOCKA_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS)
endif

if CMOCKA
check_PROGRAMS += tests/unit/test_assets
tests_unit_test_assets_SOURCES = tests/unit/test_assets.c tests/lib/random.h
tests_unit_test_assets_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_assets_LDADD = src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_assets
EXTRA_PROGRAMS += tests/fuzz/fuzz_assets
tests_fuzz_fuzz_assets_SOURCES = tests/fuzz/fuzz_assets.c
tests_fuzz_fuzz_assets_LDADD = src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a $(SODIUM_LIBS)
tests_fuzz_fuzz_assets_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZERS += tests/fuzz/fuzz_decode
EXTRA_PROGRAMS += tests/fuzz/fuzz_decode
tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c tests/lib/decode_oracle.c tests/lib/decode_oracle.h \
	tests/lib/oracle_json.c tests/lib/oracle_json.h \
	tests/lib/models.c tests/lib/models.h
tests_fuzz_fuzz_decode_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
tests_fuzz_fuzz_decode_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
tests_fuzz_fuzz_decode_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_decode_LDADD = src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a \
	$(JANSSON_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS)
endif
EXTRA_DIST += tests/fuzz/corpus/assets tests/fuzz/corpus/decode tests/fuzz/decode.dict
