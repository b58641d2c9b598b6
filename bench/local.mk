# make bench: figures, one a line; bench/bench_way.py says how to vary it
BENCHES = %D%/bench_codec %D%/bench_decode %D%/bench_query %D%/bench_store
bench: $(BENCHES) almanacd almanac almanac.so
	%D%/bench_codec
	%D%/bench_decode
	%D%/bench_query
	scratch=$$(mktemp -d) && %D%/bench_store "$$scratch/store" 50 100000 && \
		TEST_BUILDDIR='$(abs_top_builddir)' $(srcdir)/%D%/bench_sql.py "$$scratch/store"; code=$$?; rm -rf "$$scratch"; exit $$code
	TEST_BUILDDIR='$(abs_top_builddir)' $(srcdir)/%D%/bench_way.py
.PHONY: bench
EXTRA_DIST += %D%/bench_sql.py %D%/bench_way.py
