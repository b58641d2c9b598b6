noinst_LIBRARIES += %D%/libvault.a
%C%_libvault_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
%C%_libvault_a_SOURCES = \
	%D%/client.c %D%/client.h \
	%D%/frame.c %D%/frame.h \
	%D%/guard.c %D%/guard.h \
	%D%/keeper.c %D%/keeper.h \
	%D%/seal.c %D%/seal.h \
	%D%/server.c %D%/server.h
EXTRA_DIST += docs/VAULT.md

bin_PROGRAMS += almanac-vaultd
almanac_vaultd_SOURCES = src/app/main_vaultd.c
almanac_vaultd_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
vault_libs = %D%/libvault.a src/db/libdb.a src/common/libcommon.a $(JANSSON_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(SECCOMP_LIBS)
almanac_vaultd_LDADD = src/app/libapp.a $(vault_libs)

if CMOCKA
check_PROGRAMS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_LDADD = $(vault_libs) $(CMOCKA_LIBS)
tests/unit/test_client.log: almanac-vaultd
endif
