# The acceptance tests are run by contrib/check.sh, or one by one with TEST_BUILDDIR.
ACCEPT = %D%/10-way.py %D%/15-range.py %D%/20-kill.py %D%/30-files.py %D%/40-errors.py %D%/50-demo.py %D%/60-serve.py %D%/70-zombies.py %D%/71-group.py
EXTRA_DIST += $(ACCEPT) %D%/harness.py %D%/oracle.py

# make soak: what is random, for hours instead of seconds
soak: almanacd almanac
	ALMANAC_SOAK=1 $(MAKE) $(AM_MAKEFLAGS) check
	cd '$(srcdir)' && TEST_BUILDDIR='$(abs_top_builddir)' KILLS=50 READINGS=1000000 %D%/20-kill.py
	cd '$(srcdir)' && TEST_BUILDDIR='$(abs_top_builddir)' ROUNDS=40 %D%/10-way.py
	cd '$(srcdir)' && FUZZ_SECONDS=1200 contrib/check.sh fuzz
.PHONY: soak
