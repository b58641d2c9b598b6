# The acceptance tests are run by contrib/check.sh, or one by one with TEST_BUILDDIR.
ACCEPT =
ACCEPT += %D%/10-way.py
ACCEPT += %D%/14-formats.py
ACCEPT += %D%/15-range.py
ACCEPT += %D%/16-oracle.py
ACCEPT += %D%/17-changes.py
ACCEPT += %D%/18-replay.py
ACCEPT += %D%/19-export.py
ACCEPT += %D%/20-kill.py
ACCEPT += %D%/25-assets.py
ACCEPT += %D%/26-import.py
ACCEPT += %D%/27-import-pilot2.py
ACCEPT += %D%/30-files.py
ACCEPT += %D%/35-keep.py
ACCEPT += %D%/36-asof.py
ACCEPT += %D%/40-errors.py
ACCEPT += %D%/45-copies.py
ACCEPT += %D%/46-exports.py
ACCEPT += %D%/47-python.py
ACCEPT += %D%/48-replay.py
ACCEPT += %D%/50-demo.py
ACCEPT += %D%/60-serve.py
ACCEPT += %D%/61-doors.py
ACCEPT += %D%/62-live.py
ACCEPT += %D%/63-page.py
ACCEPT += %D%/64-scopes.py
ACCEPT += %D%/65-sql.py
ACCEPT += %D%/66-pilot.py
ACCEPT += %D%/67-schemathesis.py
ACCEPT += %D%/70-zombies.py
ACCEPT += %D%/71-group.py
ACCEPT += %D%/72-disk.py
ACCEPT += %D%/73-adapt.py
ACCEPT += %D%/74-mappings.py
ACCEPT += %D%/75-hanging.py
ACCEPT += %D%/80-vault.py
ACCEPT += %D%/81-erase.py
ACCEPT += %D%/82-people.py
ACCEPT += %D%/83-certificates.py
ACCEPT += %D%/84-kafka-tls.py
ACCEPT += %D%/85-slow.py
QUERY_MODEL = tests/oracle/query/__init__.py tests/oracle/query/answers.py tests/oracle/query/cases.py tests/oracle/query/exact.py
QUERY_MODEL += tests/oracle/query/grid.py tests/oracle/query/history.py tests/oracle/query/questions.py tests/oracle/query/selftest.py
QUERY_MODEL += tests/oracle/query/units.py tests/oracle/query/wire.py tests/oracle/query/world.py
EXTRA_DIST += $(QUERY_MODEL)
EXTRA_DIST += contrib/python/README.md $(ACCEPT) %D%/attackers.py %D%/certificates.py %D%/harness.py %D%/secure_kafka.py %D%/meters.py %D%/oracle.py tests/lib/spoilt_disk.c tests/readers/readers.sh tests/readers/schemathesis.sh tests/readers/promtool.sh

# make soak: the random proofs with full counts, about an hour; make soak-more: whatever else is random, and the fuzzers, for hours
EXTRA_DIST += tests/soak.sh
soak: almanacd almanac $(check_PROGRAMS)
	TEST_BUILDDIR='$(abs_top_builddir)' '$(srcdir)/tests/soak.sh'
soak-more: almanacd almanac
	ALMANAC_SOAK=1 $(MAKE) $(AM_MAKEFLAGS) check
	cd '$(srcdir)' && FUZZ_SECONDS=1200 contrib/check.sh fuzz
.PHONY: soak soak-more
