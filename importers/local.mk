noinst_LIBRARIES += %D%/libimporters.a
%C%_libimporters_a_CPPFLAGS = $(AM_CPPFLAGS) $(EXPAT_CFLAGS) $(CURL_CFLAGS)
%C%_libimporters_a_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/edifact.c %D%/edifact.h \
	%D%/espi.c %D%/espi.h \
	%D%/greenbutton.c \
	%D%/fetch.c %D%/fetch.h \
	%D%/grouping.c %D%/grouping.h \
	%D%/importer.c %D%/importer.h \
	%D%/intake.c %D%/intake.h \
	%D%/lines.c %D%/lines.h \
	%D%/mapped.c \
	%D%/mscons.c \
	%D%/nem12.c \
	%D%/pilot2.c \
	%D%/source.c %D%/source.h \
	%D%/tally.c %D%/tally.h

if CMOCKA
import_libs = importers/libimporters.a src/adapt/libadapt.a src/normalise/libnormalise.a src/model/libmodel.a src/common/libcommon.a \
	$(CMOCKA_LIBS) $(EXPAT_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS)
import_rig = tests/lib/imported.c tests/lib/imported.h
check_PROGRAMS += tests/unit/test_greenbutton tests/unit/test_grouping tests/unit/test_intake tests/unit/test_mscons \
	tests/unit/test_nem12
tests_unit_test_greenbutton_SOURCES = tests/unit/test_greenbutton.c $(import_rig)
tests_unit_test_greenbutton_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_greenbutton_LDADD = $(import_libs)
tests_unit_test_nem12_SOURCES = tests/unit/test_nem12.c $(import_rig)
tests_unit_test_nem12_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nem12_LDADD = $(import_libs)
tests_unit_test_mscons_SOURCES = tests/unit/test_mscons.c $(import_rig)
tests_unit_test_mscons_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_mscons_LDADD = $(import_libs)
tests_unit_test_grouping_SOURCES = tests/unit/test_grouping.c
tests_unit_test_grouping_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_grouping_LDADD = $(import_libs)
tests_unit_test_intake_SOURCES = tests/unit/test_intake.c tests/lib/models.c tests/lib/models.h
tests_unit_test_intake_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
tests_unit_test_intake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_intake_LDADD = $(import_libs)
endif

if FUZZING
import_fuzz = tests/fuzz/fuzz_import.h tests/lib/models.c tests/lib/models.h
import_fuzz_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib -I$(top_srcdir)/tests/fuzz
import_fuzz_libs = importers/libimporters.a src/adapt/libadapt.a src/normalise/libnormalise.a src/model/libmodel.a \
	src/common/libcommon.a $(EXPAT_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS)
FUZZERS += tests/fuzz/fuzz_nem12
EXTRA_PROGRAMS += tests/fuzz/fuzz_nem12
tests_fuzz_fuzz_nem12_SOURCES = tests/fuzz/fuzz_nem12.c $(import_fuzz)
tests_fuzz_fuzz_nem12_CPPFLAGS = $(import_fuzz_cppflags)
tests_fuzz_fuzz_nem12_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_fuzz_fuzz_nem12_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_nem12_LDADD = $(import_fuzz_libs)
FUZZERS += tests/fuzz/fuzz_mscons
EXTRA_PROGRAMS += tests/fuzz/fuzz_mscons
tests_fuzz_fuzz_mscons_SOURCES = tests/fuzz/fuzz_mscons.c $(import_fuzz)
tests_fuzz_fuzz_mscons_CPPFLAGS = $(import_fuzz_cppflags)
tests_fuzz_fuzz_mscons_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_fuzz_fuzz_mscons_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mscons_LDADD = $(import_fuzz_libs)
FUZZERS += tests/fuzz/fuzz_greenbutton
EXTRA_PROGRAMS += tests/fuzz/fuzz_greenbutton
tests_fuzz_fuzz_greenbutton_SOURCES = tests/fuzz/fuzz_greenbutton.c $(import_fuzz)
tests_fuzz_fuzz_greenbutton_CPPFLAGS = $(import_fuzz_cppflags)
tests_fuzz_fuzz_greenbutton_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_fuzz_fuzz_greenbutton_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_greenbutton_LDADD = $(import_fuzz_libs)
endif
EXTRA_DIST += docs/IMPORT.md tests/fuzz/corpus/greenbutton tests/fuzz/corpus/mscons tests/fuzz/corpus/nem12 tests/data/import
