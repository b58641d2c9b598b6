noinst_LIBRARIES += %D%/libimporters.a
%C%_libimporters_a_CPPFLAGS = $(AM_CPPFLAGS) $(EXPAT_CFLAGS)
%C%_libimporters_a_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/edifact.c %D%/edifact.h \
	%D%/espi.c %D%/espi.h \
	%D%/greenbutton.c \
	%D%/grouping.c %D%/grouping.h \
	%D%/importer.c %D%/importer.h \
	%D%/intake.c %D%/intake.h \
	%D%/lines.c %D%/lines.h \
	%D%/mscons.c \
	%D%/nem12.c \
	%D%/source.c %D%/source.h \
	%D%/tally.c %D%/tally.h
