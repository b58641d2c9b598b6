#!/bin/sh
# Prints FILE.sql as a C header that defines one string constant: sql_FILE.
set -eu
name=$(basename "$1" .sql | tr -c 'A-Za-z0-9\n' '_')
printf '/* made from %s */\nstatic const char sql_%s[] =\n' "$(basename "$1")" "$name"
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
printf '    ;\n'
