sql_headers = %D%/assets.sql.h %D%/auth.sql.h %D%/catalog.sql.h %D%/erased.sql.h %D%/ingest.sql.h %D%/models.sql.h %D%/people.sql.h %D%/tier.sql.h %D%/window.sql.h
EXTRA_DIST += %D%/assets.sql %D%/auth.sql %D%/catalog.sql %D%/erased.sql %D%/ingest.sql %D%/models.sql %D%/people.sql %D%/tier.sql %D%/window.sql build-aux/embed-sql.sh
BUILT_SOURCES += $(sql_headers)
