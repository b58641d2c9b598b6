noinst_LIBRARIES += %D%/libstore.a
%C%_libstore_a_SOURCES = \
	%D%/access.c %D%/access.h %D%/access_grants.c %D%/access_inside.h %D%/access_certificates.c %D%/access_upgrade.c %D%/access_users.c \
	%D%/assets.c %D%/assets.h %D%/assets_reader.c %D%/assets_reader.h \
	%D%/assets_file.c %D%/assets_file.h \
	%D%/carry.c %D%/carry.h \
	%D%/catalog.c %D%/catalog.h \
	%D%/changes.c %D%/changes.h \
	%D%/copy.c %D%/copy.h \
	%D%/erased.c %D%/erased.h %D%/erased_exports.c %D%/erased_exports.h \
	%D%/erasing.c %D%/erasing.h \
	%D%/erasure.c %D%/erasure.h \
	%D%/expire.c %D%/expire.h \
	%D%/file_rows.c %D%/file_rows.h \
	%D%/flush.c %D%/flush.h \
	%D%/folders.c %D%/folders.h \
	%D%/forget.c %D%/forget.h \
	%D%/heads.c %D%/heads.h \
	%D%/in_force.c %D%/in_force.h \
	%D%/manifest.c %D%/manifest.h \
	%D%/memo.c %D%/memo.h \
	%D%/parcel.c %D%/parcel.h \
	%D%/partition.c %D%/partition.h %D%/partition_inside.h \
	%D%/partition_dead.c \
	%D%/partition_files.c \
	%D%/partition_forget.c \
	%D%/partition_take.c \
	%D%/people.c %D%/people.h \
	%D%/pool.c %D%/pool.h \
	%D%/reader.c %D%/reader.h \
	%D%/replay.c %D%/replay.h \
	%D%/rebuild.c %D%/rebuild.h %D%/rebuild_inside.h \
	%D%/rebuild_catalog.c \
	%D%/retention.c %D%/retention.h \
	%D%/revisions.c %D%/revisions.h \
	%D%/rows.c %D%/rows.h \
	%D%/past.c %D%/past.h \
	%D%/scan.c \
	%D%/scan_known.c %D%/scan_known.h \
	%D%/seal.c %D%/seal.h %D%/seal_inside.h %D%/seal_without.c \
	%D%/rewrite.c %D%/rewrite.h \
	%D%/state.c %D%/state.h \
	%D%/snapshots.c %D%/snapshots.h \
	%D%/tier_file.c %D%/tier_file.h \
	%D%/units.c %D%/units.h \
	%D%/verify.c %D%/verify.h %D%/verify_inside.h \
	%D%/verify_assets.c %D%/verify_erased.c \
	%D%/verify_changes.c \
	%D%/verify_chunks.c %D%/verify_derived.c %D%/verify_look.c %D%/verify_window_inside.h \
	%D%/verify_ingest.c \
	%D%/verify_snapshots.c \
	%D%/verify_window.c \
	%D%/view.c %D%/view.h \
	%D%/view_arrivals.c \
	%D%/view_cells.c \
	%D%/view_changes.c \
	%D%/view_left.c \
	%D%/view_revisions.c %D%/view_stamp.c \
	%D%/view_stats.c \
	%D%/window.c %D%/window.h \
	%D%/window_days.c %D%/window_days.h \
	%D%/window_file.c %D%/window_file.h \
	%D%/writer.c %D%/writer.h
%C%_libstore_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
$(%C%_libstore_a_OBJECTS): $(sql_headers)

if CMOCKA
check_PROGRAMS += tests/unit/test_access
tests_unit_test_access_SOURCES = tests/unit/test_access.c tests/lib/test.h
tests_unit_test_access_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_access_LDADD = src/store/libstore.a src/db/libdb.a src/common/libcommon.a $(CMOCKA_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS)
endif

# make bench/bench_store bench/bench_rows
EXTRA_PROGRAMS += bench/bench_store bench/bench_rows
bench_bench_rows_SOURCES = bench/bench_rows.c bench/sets.c bench/sets.h
bench_bench_rows_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
bench_bench_rows_LDADD = src/model/libmodel.a src/common/libcommon.a $(SQLITE_LIBS) $(SODIUM_LIBS) -lm
bench_bench_store_SOURCES = bench/bench_store.c bench/sets.c bench/sets.h
bench_bench_store_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
bench_bench_store_LDADD = %D%/libstore.a src/rollup/librollup.a src/codec/libcodec.a src/db/libdb.a \
	src/model/libmodel.a src/common/libcommon.a $(SQLITE_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS) -lm

EXTRA_PROGRAMS += bench/bench_late
bench_bench_late_SOURCES = bench/bench_late.c
bench_bench_late_LDADD = $(STORE_LIBS)

EXTRA_DIST += tests/lib/naive.h tests/lib/fault_heap.h tests/lib/stream.h tests/fuzz/corpus/parcel/number tests/fuzz/corpus/parcel/state
STORE_LIBS = src/store/libstore.a src/rollup/librollup.a src/db/libdb.a src/codec/libcodec.a src/model/libmodel.a \
	src/common/libcommon.a $(SQLITE_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(SODIUM_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_assets_file
check_PROGRAMS += tests/unit/test_backfill
check_PROGRAMS += tests/unit/test_bits
check_PROGRAMS += tests/unit/test_changes
check_PROGRAMS += tests/unit/test_copy
check_PROGRAMS += tests/unit/test_crash
check_PROGRAMS += tests/unit/test_erasure
check_PROGRAMS += tests/unit/test_expire
check_PROGRAMS += tests/unit/test_history
check_PROGRAMS += tests/unit/test_nomem
check_PROGRAMS += tests/unit/test_parcel
check_PROGRAMS += tests/unit/test_partition
check_PROGRAMS += tests/unit/test_people
check_PROGRAMS += tests/unit/test_pool
check_PROGRAMS += tests/unit/test_replay
check_PROGRAMS += tests/unit/test_revisions
check_PROGRAMS += tests/unit/test_rows
check_PROGRAMS += tests/unit/test_seal
check_PROGRAMS += tests/unit/test_snapshots
check_PROGRAMS += tests/unit/test_sources
check_PROGRAMS += tests/unit/test_tier_file
check_PROGRAMS += tests/unit/test_verify
check_PROGRAMS += tests/unit/test_window
check_PROGRAMS += tests/unit/test_window_file
check_PROGRAMS += tests/unit/test_writer
tests_unit_test_assets_file_SOURCES = tests/unit/test_assets_file.c tests/lib/random.h
tests_unit_test_assets_file_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_assets_file_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_bits_SOURCES = tests/unit/test_bits.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_bits_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_verify_SOURCES = tests/unit/test_verify.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_verify_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_backfill_SOURCES = tests/unit/test_backfill.c
tests_unit_test_backfill_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_history_SOURCES = tests/unit/test_history.c tests/lib/fault_vfs.c tests/lib/history.c tests/lib/history.h \
	tests/lib/naive.c tests/lib/rig.c tests/lib/rig.h
tests_unit_test_history_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/test_heads
tests_unit_test_heads_SOURCES = tests/unit/test_heads.c
tests_unit_test_heads_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_memo
tests_unit_test_memo_SOURCES = tests/unit/test_memo.c
tests_unit_test_memo_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_sources_SOURCES = tests/unit/test_sources.c tests/lib/fault_vfs.c tests/lib/history.c tests/lib/naive.c \
	tests/lib/rig.c
tests_unit_test_sources_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS) -lm
tests_unit_test_changes_SOURCES = tests/unit/test_changes.c
tests_unit_test_changes_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_nomem_SOURCES = tests/unit/test_nomem.c tests/lib/fault_heap.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_nomem_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_nomem_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
tests_unit_test_window_file_SOURCES = tests/unit/test_window_file.c
tests_unit_test_window_file_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_window_SOURCES = tests/unit/test_window.c
tests_unit_test_window_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_seal_SOURCES = tests/unit/test_seal.c
tests_unit_test_seal_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_erasure_SOURCES = tests/unit/test_erasure.c tests/lib/fault_vfs.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_erasure_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_expire_SOURCES = tests/unit/test_expire.c tests/lib/fault_vfs.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_expire_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_revisions_SOURCES = tests/unit/test_revisions.c
tests_unit_test_revisions_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tier_file_SOURCES = tests/unit/test_tier_file.c
tests_unit_test_tier_file_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_people_SOURCES = tests/unit/test_people.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_people_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_partition_SOURCES = tests/unit/test_partition.c tests/lib/fault_vfs.c
tests_unit_test_partition_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_crash_SOURCES = tests/unit/test_crash.c tests/lib/fault_vfs.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_crash_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_snapshots_SOURCES = tests/unit/test_snapshots.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_snapshots_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_copy_SOURCES = tests/unit/test_copy.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_copy_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_replay_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_writer_SOURCES = tests/unit/test_writer.c tests/lib/naive.c tests/lib/stream.c
tests_unit_test_writer_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_parcel_SOURCES = tests/unit/test_parcel.c tests/lib/models.c
tests_unit_test_parcel_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_rows_SOURCES = tests/unit/test_rows.c tests/lib/naive.c
tests_unit_test_rows_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
endif

if FUZZING
FUZZERS += tests/fuzz/fuzz_parcel
EXTRA_PROGRAMS += tests/fuzz/fuzz_parcel
tests_fuzz_fuzz_parcel_SOURCES = tests/fuzz/fuzz_parcel.c
tests_fuzz_fuzz_parcel_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_parcel_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
