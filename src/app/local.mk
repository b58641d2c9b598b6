noinst_LIBRARIES += %D%/libapp.a
%C%_libapp_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(INIH_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
%C%_libapp_a_SOURCES = \
	%D%/adapting.c %D%/adapting.h \
	%D%/args.c %D%/args.h \
	%D%/ask.c %D%/ask.h \
	%D%/backup.c %D%/backup.h \
	%D%/brokers.c %D%/brokers.h \
	%D%/conf.c %D%/conf.h %D%/conf_options.c \
	%D%/daemon.c %D%/daemon.h \
	%D%/docs.c %D%/docs.h \
	%D%/import_place.c %D%/import_place.h \
	%D%/json_print.c %D%/json_print.h \
	%D%/plot.c %D%/table.c %D%/table.h \
	%D%/progress.c %D%/progress.h \
	%D%/site.c %D%/site.h \
	%D%/stop.c %D%/stop.h \
	%D%/tls.c %D%/tls.h \
	%D%/vault_site.c %D%/vault_site.h \
	%D%/vaulting.c %D%/vaulting.h

# Bottom last: each library may use what stands behind it, and nothing else links.
ALMANAC_LIBS = %D%/libapp.a importers/libimporters.a src/http/libhttp.a src/vtab/libvtab.a src/query/libquery.a src/ingest/libingest.a src/adapt/libadapt.a src/store/libstore.a src/vault/libvault.a \
	src/rollup/librollup.a src/codec/libcodec.a src/normalise/libnormalise.a src/db/libdb.a src/model/libmodel.a \
	src/common/libcommon.a $(MHD_LIBS) $(GNUTLS_LIBS) $(JANSSON_LIBS) $(RDKAFKA_LIBS) $(SQLITE_LIBS) $(ZSTD_LIBS) \
	$(ZLIB_LIBS) $(EXPAT_LIBS) $(SODIUM_LIBS) $(SECCOMP_LIBS) $(INIH_LIBS) $(CURL_LIBS) -lm

bin_PROGRAMS += almanacd almanac
almanacd_SOURCES = %D%/main_almanacd.c
almanacd_LDADD = $(ALMANAC_LIBS)
almanac_SOURCES = %D%/main_almanac.c %D%/cmd.h %D%/demo_data.c %D%/demo_data.h \
	%D%/cmd_access.c \
	%D%/cmd_adapt.c \
	%D%/cmd_backup.c \
	%D%/cmd_cert_add.c \
	%D%/cmd_deadletter.c %D%/cmd_deadletter_replay.c %D%/deadletters.h \
	%D%/cmd_demo.c \
	%D%/cmd_export.c %D%/export_folder.c %D%/export_folder.h \
	%D%/cmd_import_assets.c \
	%D%/cmd_import.c %D%/import_report.c %D%/import_report.h \
	%D%/cmd_init.c \
	%D%/cmd_query.c \
	%D%/cmd_rebuild.c \
	%D%/cmd_replay.c %D%/playback.c %D%/playback.h \
	%D%/cmd_restore.c \
	%D%/cmd_sql.c \
	%D%/cmd_token_create.c \
	%D%/cmd_user_add.c \
	%D%/cmd_vault.c \
	%D%/cmd_vault_copies.c \
	%D%/cmd_vault_keys.c \
	%D%/cmd_vault_seal.c \
	%D%/cmd_verify.c \
	%D%/cmd_version.c
nodist_almanac_SOURCES = data/demo/serf_east_1min_ac_power.csv.h data/demo/nrel_RSF_II.csv.h data/demo/midc_20181014.csv.h
almanac_LDADD = $(ALMANAC_LIBS)
almanac_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) -DEXTENSIONDIR='"$(extensiondir)"'

# data/demo/NAME.csv becomes a C string in data/demo/NAME.csv.h, so that the demo needs no files beside the program.
SUFFIXES += .csv .csv.h
.csv.csv.h:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(top_srcdir)/build-aux/embed-data.sh $< > $@.tmp && mv $@.tmp $@
BUILT_SOURCES += $(nodist_almanac_SOURCES)
%D%/almanac-demo_data.$(OBJEXT): $(nodist_almanac_SOURCES)
EXTRA_DIST += build-aux/embed-data.sh data/demo/README.md data/demo/LICENSE.pvanalytics data/demo/LICENSE.pvlib \
	data/demo/serf_east_1min_ac_power.csv data/demo/nrel_RSF_II.csv data/demo/midc_20181014.csv

if CMOCKA
check_PROGRAMS += tests/unit/test_args tests/unit/test_conf tests/unit/test_csv tests/unit/test_progress \
	tests/unit/test_site
tests_unit_test_args_SOURCES = tests/unit/test_args.c
tests_unit_test_args_LDADD = %D%/libapp.a src/common/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
tests_unit_test_conf_LDADD = %D%/libapp.a src/ingest/libingest.a src/common/libcommon.a $(CMOCKA_LIBS) $(RDKAFKA_LIBS) \
	$(INIH_LIBS) $(SODIUM_LIBS)
tests_unit_test_csv_SOURCES = tests/unit/test_csv.c
tests_unit_test_csv_LDADD = %D%/libapp.a src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS) -lm
check_PROGRAMS += tests/unit/test_import_place
tests_unit_test_import_place_SOURCES = tests/unit/test_import_place.c
tests_unit_test_import_place_LDADD = %D%/libapp.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_test_progress_SOURCES = tests/unit/test_progress.c
tests_unit_test_progress_LDADD = %D%/libapp.a src/common/libcommon.a $(CMOCKA_LIBS)
tests_unit_test_site_SOURCES = tests/unit/test_site.c
tests_unit_test_site_LDADD = $(ALMANAC_LIBS) $(CMOCKA_LIBS)
endif
dist_man_MANS += man/almanac.1 man/almanac.conf.5 man/almanacd.8
EXTRA_DIST += init/almanacd.service README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs/HTTP.md docs/INVARIANTS.md docs/PILOT.md \
	contrib/setup.sh contrib/demo.sh contrib/check.sh contrib/tsan.supp .ci/run tests/lib/c11threads.c
