# make bench: figures, one a line; bench/bench_way.py and bench/bench_range.py say how to vary them
BENCHES = %D%/bench_codec %D%/bench_client %D%/bench_decode %D%/bench_late %D%/bench_query %D%/bench_store %D%/bench_rows %D%/bench_vault
IN_TREES = TEST_SRCDIR='$(abs_top_srcdir)' TEST_BUILDDIR='$(abs_top_builddir)'
bench: $(BENCHES) almanacd almanac almanac-vaultd almanac.so
	%D%/bench_codec
	$(IN_TREES) %D%/bench_decode
	%D%/bench_query
	scratch=$$(mktemp -d) && $(IN_TREES) %D%/bench_late "$$scratch/store"; code=$$?; rm -rf "$$scratch"; exit $$code
	%D%/bench_vault ./almanac-vaultd "$${TMPDIR:-/tmp}" disk
	%D%/bench_vault ./almanac-vaultd /dev/shm memory
	$(IN_TREES) $(srcdir)/%D%/bench_sizes.py
	$(IN_TREES) $(srcdir)/%D%/bench_sql.py
	$(IN_TREES) $(srcdir)/%D%/bench_range.py
	$(IN_TREES) $(srcdir)/%D%/bench_way.py
.PHONY: bench
EXTRA_DIST += %D%/bench_range.py %D%/bench_way.py %D%/bench_sizes.py %D%/bench_sql.py %D%/real_data.py

EXTRA_PROGRAMS += %D%/bench_client
%C%_bench_client_SOURCES = %D%/bench_client.c
%C%_bench_client_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS)
%C%_bench_client_LDADD = src/common/libcommon.a $(GNUTLS_LIBS)

EXTRA_PROGRAMS += %D%/bench_vault
%C%_bench_vault_SOURCES = %D%/bench_vault.c
%C%_bench_vault_LDADD = $(vault_libs)
