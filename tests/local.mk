EXTRA_DIST += tests/lib/test.h
