noinst_LIBRARIES += %D%/libimporters.a
%C%_libimporters_a_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/grouping.c %D%/grouping.h \
	%D%/importer.c %D%/importer.h \
	%D%/intake.c %D%/intake.h \
	%D%/lines.c %D%/lines.h \
	%D%/nem12.c \
	%D%/source.c %D%/source.h \
	%D%/tally.c %D%/tally.h
