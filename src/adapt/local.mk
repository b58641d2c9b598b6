noinst_LIBRARIES += %D%/libadapt.a
%C%_libadapt_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
%C%_libadapt_a_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/mapper.c %D%/mapper.h %D%/mapper_inside.h %D%/mapper_texts.c \
	%D%/mapping.c %D%/mapping.h %D%/mapping_parts.c %D%/mapping_read.h \
	%D%/number.c %D%/number.h \
	%D%/observation.h \
	%D%/pseudonym.c %D%/pseudonym.h \
	%D%/records_csv.c %D%/records_influx.c %D%/records_json.c \
	%D%/stamp.c %D%/stamp.h \
	%D%/wall.c %D%/wall.h
EXTRA_DIST += docs/MAPPING.md
