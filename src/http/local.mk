noinst_LIBRARIES += %D%/libhttp.a
%C%_libhttp_a_SOURCES = \
	%D%/accept.c %D%/accept.h \
	%D%/arrow.c %D%/arrow.h \
	%D%/byte_range.c %D%/byte_range.h \
	%D%/connections.c %D%/connections.h \
	%D%/dialect.c %D%/dialect.h \
	%D%/encode.c %D%/encode.h \
	%D%/etag.c %D%/etag.h \
	%D%/export_manifest.c %D%/export_manifest.h \
	%D%/export_plan.c %D%/export_plan.h \
	%D%/export_request.c %D%/export_request.h \
	%D%/export_run.c %D%/export_run.h \
	%D%/exports.c %D%/exports.h %D%/exports_inside.h %D%/exports_make.c %D%/exports_tell.c \
	%D%/filter.c %D%/filter.h \
	%D%/framing.c %D%/framing.h \
	%D%/h_changes.c %D%/h_docs.c %D%/h_entities.c %D%/h_exports.c %D%/h_gaps.c %D%/h_optimization.c \
	%D%/h_pilot.c %D%/h_pilot_dynamic.c \
	%D%/h_last.c %D%/h_live.c %D%/h_openapi.c %D%/h_prometheus.c %D%/h_prometheus_catalog.c \
	%D%/h_audit.c %D%/h_subject_export.c %D%/h_subjects.c \
	%D%/h_page.c %D%/h_range.c %D%/h_series.c %D%/h_snapshots.c %D%/h_sql.c %D%/h_status.c %D%/handlers.h \
	%D%/handshakes.c %D%/handshakes.h \
	%D%/leases.c %D%/leases.h \
	%D%/limits.c %D%/limits.h \
	%D%/listen.c %D%/listen.h \
	%D%/openapi.c %D%/openapi.h \
	%D%/listing.c %D%/listing.h \
	%D%/live.c %D%/live.h \
	%D%/origin.c %D%/origin.h \
	%D%/personal.c %D%/personal.h \
	%D%/pilot.c %D%/pilot.h \
	%D%/parameters.c %D%/parameters.h \
	%D%/prometheus.c %D%/prometheus.h \
	%D%/promql.c %D%/promql.h \
	%D%/render.c %D%/render.h %D%/render_arrow.c %D%/render_csv.c %D%/render_json.c %D%/render_ndjson.c \
	%D%/reply.c %D%/reply.h \
	%D%/route.c %D%/route.h %D%/routes.c \
	%D%/selector.c %D%/selector.h \
	%D%/server.c %D%/server.h \
	%D%/shape.h \
	%D%/spec.c %D%/spec.h \
	%D%/trust.c %D%/trust.h \
	%D%/workers.c %D%/workers.h
%C%_libhttp_a_CFLAGS = $(AM_CFLAGS) $(MHD_CFLAGS) $(GNUTLS_CFLAGS) $(JANSSON_CFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS)

nodist_%C%_libhttp_a_SOURCES = data/page/index.html.h data/page/page.css.h data/page/page.js.h

# The files of data/page become C strings in data/page/NAME.h, so that the page needs no files beside the program.
SUFFIXES += .html .html.h .css .css.h .js .js.h
embed_page = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(top_srcdir)/build-aux/embed-page.sh $< > $@.tmp && mv $@.tmp $@
.html.html.h:
	$(embed_page)
.css.css.h:
	$(embed_page)
.js.js.h:
	$(embed_page)
BUILT_SOURCES += $(nodist_%C%_libhttp_a_SOURCES)
%D%/libhttp_a-h_page.$(OBJEXT): $(nodist_%C%_libhttp_a_SOURCES)
EXTRA_DIST += build-aux/embed-page.sh data/page/index.html data/page/page.css data/page/page.js

if CMOCKA
# The HTTP side is tested against a scripted store and query; so of libquery only when.c, and of libstore only access.c.
HTTP_TEST_SOURCES = tests/lib/fake_source.c tests/lib/fake_source.h tests/lib/https.c tests/lib/https.h \
	tests/lib/rendered.h tests/lib/test.h
HTTP_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(GNUTLS_CFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
HTTP_TEST_LIBS = src/http/libhttp.a src/query/libquery.a src/store/libstore.a \
	src/rollup/librollup.a src/codec/libcodec.a src/db/libdb.a \
	src/model/libmodel.a src/common/libcommon.a \
	$(CMOCKA_LIBS) $(MHD_LIBS) $(GNUTLS_LIBS) $(JANSSON_LIBS) $(CURL_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) -lm

check_PROGRAMS += tests/unit/test_server
tests_unit_test_server_SOURCES = tests/unit/test_server.c $(HTTP_TEST_SOURCES)
tests_unit_test_server_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_server_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_leases
tests_unit_test_leases_SOURCES = tests/unit/test_leases.c tests/lib/test.h
tests_unit_test_leases_LDADD = src/http/libhttp.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)

check_PROGRAMS += tests/unit/test_limits
tests_unit_test_limits_SOURCES = tests/unit/test_limits.c tests/lib/test.h
tests_unit_test_limits_LDADD = src/http/libhttp.a src/common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_live
tests_unit_test_live_SOURCES = tests/unit/test_live.c $(HTTP_TEST_SOURCES)
tests_unit_test_live_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_live_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_promql
tests_unit_test_promql_SOURCES = tests/unit/test_promql.c tests/lib/test.h
tests_unit_test_promql_LDADD = src/http/libhttp.a src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) $(SODIUM_LIBS)

check_PROGRAMS += tests/unit/test_workers
tests_unit_test_workers_SOURCES = tests/unit/test_workers.c tests/lib/test.h
tests_unit_test_workers_LDADD = src/http/libhttp.a src/common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_byte_range
tests_unit_test_byte_range_SOURCES = tests/unit/test_byte_range.c tests/lib/test.h
tests_unit_test_byte_range_LDADD = src/http/libhttp.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_export_run
# On a real store, since what it proves is that the same state gives the same bytes.
tests_unit_test_export_run_SOURCES = tests/unit/test_export_run.c tests/lib/naive.c tests/lib/stream.c tests/lib/test.h
tests_unit_test_export_run_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_export_run_LDADD = src/http/libhttp.a src/vtab/libvtab.a src/query/libquery.a src/store/libstore.a \
	src/rollup/librollup.a src/codec/libcodec.a src/db/libdb.a src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) \
	$(MHD_LIBS) $(GNUTLS_LIBS) $(JANSSON_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) -lm

check_PROGRAMS += tests/unit/test_exports
tests_unit_test_exports_SOURCES = tests/unit/test_exports.c tests/lib/naive.c tests/lib/stream.c tests/lib/test.h
tests_unit_test_exports_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_exports_LDADD = src/http/libhttp.a src/vtab/libvtab.a src/query/libquery.a src/store/libstore.a \
	src/rollup/librollup.a src/codec/libcodec.a src/db/libdb.a src/model/libmodel.a src/common/libcommon.a $(CMOCKA_LIBS) \
	$(MHD_LIBS) $(GNUTLS_LIBS) $(JANSSON_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) -lm

check_PROGRAMS += tests/unit/test_route
tests_unit_test_route_SOURCES = tests/unit/test_route.c $(HTTP_TEST_SOURCES)
tests_unit_test_route_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_route_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_pilot
tests_unit_test_pilot_SOURCES = tests/unit/test_pilot.c $(HTTP_TEST_SOURCES)
tests_unit_test_pilot_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_pilot_LDADD = src/normalise/libnormalise.a $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_subjects
tests_unit_test_subjects_SOURCES = tests/unit/test_subjects.c $(HTTP_TEST_SOURCES)
tests_unit_test_subjects_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_subjects_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_openapi
tests_unit_test_openapi_SOURCES = tests/unit/test_openapi.c $(HTTP_TEST_SOURCES)
tests_unit_test_openapi_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_openapi_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_render_json
tests_unit_test_render_json_SOURCES = tests/unit/test_render_json.c $(HTTP_TEST_SOURCES)
tests_unit_test_render_json_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_render_json_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_render_arrow
tests_unit_test_render_arrow_SOURCES = tests/unit/test_render_arrow.c $(HTTP_TEST_SOURCES)
tests_unit_test_render_arrow_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_render_arrow_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_render_csv
tests_unit_test_render_csv_SOURCES = tests/unit/test_render_csv.c $(HTTP_TEST_SOURCES)
tests_unit_test_render_csv_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_render_csv_LDADD = $(HTTP_TEST_LIBS)

check_PROGRAMS += tests/unit/test_render_ndjson
tests_unit_test_render_ndjson_SOURCES = tests/unit/test_render_ndjson.c $(HTTP_TEST_SOURCES)
tests_unit_test_render_ndjson_CFLAGS = $(HTTP_TEST_CFLAGS)
tests_unit_test_render_ndjson_LDADD = $(HTTP_TEST_LIBS)
endif

EXTRA_DIST += tests/fuzz/corpus/parameters/accept tests/fuzz/corpus/parameters/form tests/fuzz/corpus/parameters/json \
	tests/fuzz/corpus/parameters/path tests/fuzz/corpus/parameters/range \
	tests/fuzz/corpus/promql/matchers tests/fuzz/corpus/promql/quoted tests/fuzz/corpus/promql/scalar \
	tests/fuzz/corpus/promql/window

if FUZZING
FUZZERS += tests/fuzz/fuzz_parameters tests/fuzz/fuzz_promql
EXTRA_PROGRAMS += tests/fuzz/fuzz_parameters tests/fuzz/fuzz_promql
tests_fuzz_fuzz_parameters_SOURCES = tests/fuzz/fuzz_parameters.c
tests_fuzz_fuzz_parameters_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_parameters_LDADD = src/http/libhttp.a src/common/libcommon.a $(JANSSON_LIBS)
tests_fuzz_fuzz_parameters_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_promql_SOURCES = tests/fuzz/fuzz_promql.c
tests_fuzz_fuzz_promql_LDADD = src/http/libhttp.a src/model/libmodel.a src/common/libcommon.a $(SODIUM_LIBS) -lm
tests_fuzz_fuzz_promql_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
