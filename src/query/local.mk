noinst_LIBRARIES += %D%/libquery.a
%C%_libquery_a_SOURCES = \
	%D%/agg.c %D%/agg.h \
	%D%/answer.c \
	%D%/buckets.c %D%/buckets.h \
	%D%/convert.c %D%/convert.h \
	%D%/cursor.c %D%/cursor.h \
	%D%/direction.c %D%/direction.h \
	%D%/explain.c %D%/explain.h \
	%D%/feed.c %D%/feed.h \
	%D%/foresee.c %D%/foresee.h \
	%D%/gain.c %D%/gain.h \
	%D%/gaps.c %D%/gaps.h \
	%D%/groups.c %D%/groups.h \
	%D%/lane.c %D%/lane.h \
	%D%/matches.c %D%/matches.h \
	%D%/needs.c %D%/needs.h \
	%D%/neighbour.c %D%/neighbour.h \
	%D%/outcome.c %D%/outcome.h \
	%D%/newest.c %D%/newest.h \
	%D%/parts.c %D%/parts.h \
	%D%/path.c %D%/path.h \
	%D%/range.c %D%/range.h %D%/draft.h %D%/range_options.c \
	%D%/raw.c %D%/raw.h \
	%D%/reduce.c %D%/reduce.h \
	%D%/sheet.c %D%/sheet.h \
	%D%/shown.c %D%/shown.h \
	%D%/sliding.c %D%/sliding.h \
	%D%/steps.c \
	%D%/tally.c %D%/tally.h \
	%D%/values.c %D%/values.h \
	%D%/when.c %D%/when.h \
	%D%/wide.c %D%/wide.h

EXTRA_DIST += tests/oracle/ranges.py tests/fuzz/corpus/range/amounts tests/fuzz/corpus/range/days \
	tests/fuzz/corpus/range/filter tests/fuzz/corpus/range/page

# Everything but the store, in whose place stands a fake one.
QUERY_LIBS = %D%/libquery.a src/rollup/librollup.a src/codec/libcodec.a src/model/libmodel.a src/common/libcommon.a \
	$(ZSTD_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS) -lm

if CMOCKA
QUERY_TEST_LIBS = $(QUERY_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_answer tests/unit/test_gain tests/unit/test_gaps tests/unit/test_newest \
	tests/unit/test_parts tests/unit/test_range tests/unit/test_raw tests/unit/test_shown tests/unit/test_sliding tests/unit/test_wide
tests_unit_test_wide_SOURCES = tests/unit/test_wide.c tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_wide_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wide_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_answer_SOURCES = tests/unit/test_answer.c tests/lib/ask_range.c tests/lib/ask_range.h \
	tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_answer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_answer_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_gain_SOURCES = tests/unit/test_gain.c
tests_unit_test_gain_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_gain_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_gaps_SOURCES = tests/unit/test_gaps.c tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_gaps_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_gaps_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_newest_SOURCES = tests/unit/test_newest.c tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_newest_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_newest_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_parts_SOURCES = tests/unit/test_parts.c
tests_unit_test_parts_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_parts_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_range_SOURCES = tests/unit/test_range.c tests/lib/fake_reader.c tests/lib/fake_reader.h
tests_unit_test_range_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_range_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_shown_SOURCES = tests/unit/test_shown.c
tests_unit_test_shown_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_shown_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_sliding_SOURCES = tests/unit/test_sliding.c tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_sliding_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sliding_LDADD = $(QUERY_TEST_LIBS)
tests_unit_test_raw_SOURCES = tests/unit/test_raw.c tests/lib/ask_range.c tests/lib/ask_range.h \
	tests/lib/fake_reader.c tests/lib/fake_reader.h tests/lib/random.h
tests_unit_test_raw_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_raw_LDADD = $(QUERY_TEST_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_range
EXTRA_PROGRAMS += tests/fuzz/fuzz_range
tests_fuzz_fuzz_range_SOURCES = tests/fuzz/fuzz_range.c tests/lib/fake_reader.c tests/lib/fake_reader.h
tests_fuzz_fuzz_range_LDADD = $(QUERY_LIBS)
tests_fuzz_fuzz_range_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# make bench/bench_query && bench/bench_query: raw rows and buckets a second, without the store
EXTRA_PROGRAMS += bench/bench_query
bench_bench_query_SOURCES = bench/bench_query.c tests/lib/fake_reader.c tests/lib/fake_reader.h
bench_bench_query_LDADD = $(QUERY_LIBS)
