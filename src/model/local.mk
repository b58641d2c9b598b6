noinst_LIBRARIES += %D%/libmodel.a
%C%_libmodel_a_SOURCES =
%C%_libmodel_a_SOURCES += %D%/decimal.c %D%/decimal.h %D%/exact.c %D%/squares.c %D%/squares.h %D%/wide.h %D%/declared.h \
	%D%/nearest.c %D%/nearest.h
%C%_libmodel_a_SOURCES += %D%/unit.c %D%/unit.h
%C%_libmodel_a_SOURCES += %D%/models.c %D%/models.h %D%/reading.c %D%/reading.h %D%/registry.c %D%/registry.h %D%/sink.h
%C%_libmodel_a_SOURCES += %D%/document.c %D%/document.h

if CMOCKA
check_PROGRAMS += tests/unit/test_registry tests/unit/test_reading
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c tests/lib/models.c tests/lib/models.h
tests_unit_test_registry_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
tests_unit_test_registry_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_registry_LDADD = src/model/libmodel.a src/common/libcommon.a \
	$(CMOCKA_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS)
tests_unit_test_reading_SOURCES = tests/unit/test_reading.c
tests_unit_test_reading_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/lib
tests_unit_test_reading_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_reading_LDADD = src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)
endif

EXTRA_DIST += tests/oracle/decimals.py
if CMOCKA
check_PROGRAMS += tests/unit/test_decimal
tests_unit_test_decimal_SOURCES = tests/unit/test_decimal.c
tests_unit_test_decimal_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_decimal_LDADD = src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_nearest
tests_unit_test_nearest_SOURCES = tests/unit/test_nearest.c tests/lib/random.h tests/lib/test.h
tests_unit_test_nearest_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nearest_LDADD = src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/test_unit
tests_unit_test_unit_SOURCES = tests/unit/test_unit.c
tests_unit_test_unit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_unit_LDADD = src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_number_oracle
tests_unit_test_number_oracle_SOURCES = tests/unit/test_number_oracle.c
tests_unit_test_number_oracle_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_number_oracle_LDADD = src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS)
endif
