noinst_LIBRARIES += %D%/libadapt.a
%C%_libadapt_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
%C%_libadapt_a_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/mapper.c %D%/mapper.h %D%/mapper_inside.h %D%/mapper_texts.c \
	%D%/mapping.c %D%/mapping.h %D%/mapping_parts.c %D%/mapping_read.h \
	%D%/number.c %D%/number.h \
	%D%/observation.h \
	%D%/pseudonym.c %D%/pseudonym.h \
	%D%/records_csv.c %D%/records_influx.c %D%/records_json.c \
	%D%/stamp.c %D%/stamp.h \
	%D%/wall.c %D%/wall.h
EXTRA_DIST += docs/MAPPING.md \
	contrib/mappings/long-csv.json contrib/mappings/meter-json.json contrib/mappings/nrel-midc.json contrib/mappings/nrel-rmis.json \
	contrib/mappings/nrel-rsf.json contrib/mappings/nrel-serf-east.json contrib/mappings/nrel-serf-west.json \
	contrib/mappings/pv-influx.json contrib/mappings/tracebase.json

adapt_libs = %D%/libadapt.a src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a $(JANSSON_LIBS) $(SODIUM_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_mapper tests/unit/test_mapping tests/unit/test_number tests/unit/test_stamp
tests_unit_test_mapper_SOURCES = tests/unit/test_mapper.c
tests_unit_test_mapper_LDADD = $(adapt_libs) $(CMOCKA_LIBS)
tests_unit_test_mapping_SOURCES = tests/unit/test_mapping.c
tests_unit_test_mapping_LDADD = $(adapt_libs) $(CMOCKA_LIBS)
tests_unit_test_number_SOURCES = tests/unit/test_number.c
tests_unit_test_number_LDADD = $(adapt_libs) $(CMOCKA_LIBS)
tests_unit_test_stamp_SOURCES = tests/unit/test_stamp.c
tests_unit_test_stamp_LDADD = $(adapt_libs) $(CMOCKA_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_mapper
EXTRA_PROGRAMS += tests/fuzz/fuzz_mapper
tests_fuzz_fuzz_mapper_SOURCES = tests/fuzz/fuzz_mapper.c
tests_fuzz_fuzz_mapper_LDADD = $(adapt_libs)
tests_fuzz_fuzz_mapper_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tests/fuzz/corpus/mapper tests/fuzz/mapper.dict
