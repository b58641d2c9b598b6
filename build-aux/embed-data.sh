#!/bin/sh
# Prints FILE.csv as a C header that defines one string constant: data_FILE.
set -eu
name=$(basename "$1" .csv | tr -c 'A-Za-z0-9\n' '_')
printf '/* made from %s */\nstatic const char data_%s[] =\n' "$(basename "$1")" "$name"
tr -d '\r' < "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/'
printf '    ;\n'
