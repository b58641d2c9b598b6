# make bench: figures, one a line; bench/bench_way.py says how to vary it
BENCHES = %D%/bench_codec %D%/bench_decode %D%/bench_late %D%/bench_query %D%/bench_store %D%/bench_rows
bench: $(BENCHES) almanacd almanac almanac.so
	%D%/bench_codec
	%D%/bench_decode
	%D%/bench_query
	scratch=$$(mktemp -d) && %D%/bench_late "$$scratch/store"; code=$$?; rm -rf "$$scratch"; exit $$code
	TEST_BUILDDIR='$(abs_top_builddir)' $(srcdir)/%D%/bench_sizes.py
	TEST_BUILDDIR='$(abs_top_builddir)' $(srcdir)/%D%/bench_sql.py
	TEST_BUILDDIR='$(abs_top_builddir)' $(srcdir)/%D%/bench_way.py
.PHONY: bench
EXTRA_DIST += %D%/bench_way.py %D%/bench_sizes.py %D%/bench_sql.py %D%/real_data.py
