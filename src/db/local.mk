noinst_LIBRARIES += %D%/libdb.a
%C%_libdb_a_SOURCES = %D%/db.c %D%/db.h %D%/db_copy.c %D%/sums.c %D%/sums.h
%C%_libdb_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)

EXTRA_DIST += tests/lib/fault_vfs.h
if CMOCKA
check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c tests/lib/fault_vfs.c
tests_unit_test_db_LDADD = %D%/libdb.a src/common/libcommon.a $(CMOCKA_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS)
endif
