noinst_LIBRARIES += %D%/libcommon.a
%C%_libcommon_a_SOURCES = \
	%D%/array.c %D%/array.h \
	%D%/buf.c %D%/buf.h \
	%D%/civil.c %D%/civil.h \
	%D%/clock.c %D%/clock.h \
	%D%/csv.c %D%/csv.h \
	%D%/err.c %D%/err.h \
	%D%/files.c %D%/files.h \
	%D%/globs.c %D%/globs.h \
	%D%/hash.c %D%/hash.h \
	%D%/jsontext.c %D%/jsontext.h \
	%D%/limits.h \
	%D%/log.c %D%/log.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/mix.h \
	%D%/quota.c %D%/quota.h \
	%D%/tzif.c %D%/tzif.h \
	%D%/zone.c %D%/zone.h

if CMOCKA
common_tests = \
	tests/unit/test_buf tests/unit/test_civil tests/unit/test_clock tests/unit/test_err tests/unit/test_hash \
	tests/unit/test_log tests/unit/test_metrics tests/unit/test_quota tests/unit/test_zone tests/unit/test_zone_oracle
check_PROGRAMS += $(common_tests)
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_civil_SOURCES = tests/unit/test_civil.c
tests_unit_test_civil_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c
tests_unit_test_clock_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_err_SOURCES = tests/unit/test_err.c
tests_unit_test_err_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_LDADD = %D%/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_quota_SOURCES = tests/unit/test_quota.c
tests_unit_test_quota_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c
tests_unit_test_zone_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_zone_oracle_SOURCES = tests/unit/test_zone_oracle.c
tests_unit_test_zone_oracle_LDADD = %D%/libcommon.a $(CMOCKA_LIBS)
endif
EXTRA_DIST += \
	tests/oracle/zones.py \
	tests/fuzz/corpus/civil/client tests/fuzz/corpus/civil/duration tests/fuzz/corpus/civil/instant \
	tests/fuzz/corpus/zone/julian tests/fuzz/corpus/zone/late_rule tests/fuzz/corpus/zone/rule \
	tests/fuzz/corpus/zone/utc

if FUZZING
FUZZERS += tests/fuzz/fuzz_civil tests/fuzz/fuzz_zone
EXTRA_PROGRAMS += tests/fuzz/fuzz_civil tests/fuzz/fuzz_zone
tests_fuzz_fuzz_civil_SOURCES = tests/fuzz/fuzz_civil.c
tests_fuzz_fuzz_civil_LDADD = %D%/libcommon.a
tests_fuzz_fuzz_civil_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_zone_SOURCES = tests/fuzz/fuzz_zone.c
tests_fuzz_fuzz_zone_LDADD = %D%/libcommon.a
tests_fuzz_fuzz_zone_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
