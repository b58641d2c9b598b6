noinst_LIBRARIES += %D%/libvault.a
%C%_libvault_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
%C%_libvault_a_SOURCES = \
	%D%/asked.c \
	%D%/audit.c %D%/audit.h \
	%D%/client.c %D%/client.h \
	%D%/crypt.c %D%/crypt.h \
	%D%/epoch_file.c %D%/epoch_file.h %D%/step.h \
	%D%/folder.c %D%/folder.h \
	%D%/frame.c %D%/frame.h \
	%D%/guard.c %D%/guard.h \
	%D%/keeper.c %D%/keeper.h %D%/keeper_inside.h \
	%D%/keeper_admin.c %D%/keeper_erase.c %D%/keeper_read.c %D%/keeper_reconcile.c %D%/keeper_write.c \
	%D%/keys.c %D%/keys.h %D%/keys_inside.h %D%/keys_end.c \
	%D%/records.c %D%/records.h \
	%D%/seal.c %D%/seal.h \
	%D%/server.c %D%/server.h
dist_man_MANS += man/almanac-vaultd.8
EXTRA_DIST += init/almanac-vaultd.service init/almanac.sysusers init/almanac.tmpfiles
EXTRA_DIST += docs/VAULT.md tests/lib/vault_rig.h

bin_PROGRAMS += almanac-vaultd
almanac_vaultd_SOURCES = src/app/main_vaultd.c
almanac_vaultd_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
vault_libs = %D%/libvault.a src/db/libdb.a src/common/libcommon.a $(JANSSON_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(SECCOMP_LIBS)
almanac_vaultd_LDADD = src/app/libapp.a $(vault_libs)

if CMOCKA
check_PROGRAMS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_LDADD = $(vault_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_keeper
tests_unit_test_keeper_SOURCES = tests/unit/test_keeper.c tests/lib/vault_rig.c
tests_unit_test_keeper_LDADD = $(vault_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_erase tests/unit/test_audit
tests_unit_test_erase_SOURCES = tests/unit/test_erase.c tests/lib/vault_rig.c
tests_unit_test_erase_LDADD = $(vault_libs) $(CMOCKA_LIBS)
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c tests/lib/vault_rig.c
tests_unit_test_audit_LDADD = $(vault_libs) $(CMOCKA_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_vault_frame tests/fuzz/fuzz_vault_record
EXTRA_PROGRAMS += tests/fuzz/fuzz_vault_frame tests/fuzz/fuzz_vault_record
tests_fuzz_fuzz_vault_frame_SOURCES = tests/fuzz/fuzz_vault_frame.c
tests_fuzz_fuzz_vault_frame_LDADD = $(vault_libs)
tests_fuzz_fuzz_vault_frame_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_vault_record_SOURCES = tests/fuzz/fuzz_vault_record.c
tests_fuzz_fuzz_vault_record_LDADD = $(vault_libs)
tests_fuzz_fuzz_vault_record_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tests/fuzz/corpus/vault_frame
