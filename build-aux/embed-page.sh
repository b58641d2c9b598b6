#!/bin/sh
# Prints a file of data/page as a C header that defines one string constant: index.html becomes page_index_html.
set -eu
name=$(basename "$1" | tr -c 'A-Za-z0-9\n' '_')
printf '/* made from %s */\nstatic const char page_%s[] =\n' "$(basename "$1")" "$name"
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
printf '    ;\n'
