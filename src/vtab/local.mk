noinst_LIBRARIES += %D%/libvtab.a
EXTRA_DIST += docs/SQLITE.md
vtab_sources = \
	%D%/connection.c %D%/connection.h \
	%D%/functions.c %D%/functions.h \
	%D%/instants.c %D%/instants.h \
	%D%/question.c %D%/question.h \
	%D%/readings.c \
	%D%/revisions.c \
	%D%/rollup.c \
	%D%/session.c %D%/session.h \
	%D%/table.c %D%/table.h \
	%D%/value.c %D%/value.h \
	%D%/vtab.c %D%/vtab.h
%C%_libvtab_a_SOURCES = $(vtab_sources)
%C%_libvtab_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)

# almanac.so, which sqlite3's `.load` finds in a system's library folder. What speaks to SQLite is compiled a second time, to do
# so through the program that loads it (loaded.h).
extensiondir = $(libdir)
extension_PROGRAMS = almanac.so
almanac_so_SOURCES = %D%/load.c %D%/loaded.h $(vtab_sources) $(src_store_libstore_a_SOURCES) $(src_db_libdb_a_SOURCES)
almanac_so_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) -include $(top_srcdir)/%D%/loaded.h
almanac_so_LDFLAGS = $(AM_LDFLAGS) -shared -Wl,-z,defs -Wl,--gc-sections
almanac_so_LDADD = src/query/libquery.a src/rollup/librollup.a src/codec/libcodec.a src/model/libmodel.a \
	src/common/libcommon.a $(ZSTD_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS) -lm
$(almanac_so_OBJECTS): $(sql_headers)

if CMOCKA
check_PROGRAMS += tests/unit/test_vtab
tests_unit_test_vtab_SOURCES = tests/unit/test_vtab.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_vtab_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_vtab_LDADD = %D%/libvtab.a src/query/libquery.a $(STORE_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/test_nomem_tools
tests_unit_test_nomem_tools_SOURCES = tests/unit/test_nomem_tools.c tests/lib/fault_heap.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_nomem_tools_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_nomem_tools_LDADD = %D%/libvtab.a src/query/libquery.a $(STORE_LIBS) $(CMOCKA_LIBS) -lm
tests_unit_test_nomem_tools_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
endif
