#!/bin/sh
# Who may include whom: holds the table of ARCHITECTURE.md, which it reads, so that there is one copy of it.
# Foreign headers: each belongs to the folders (or the one file) that the table names.
set -u
. "${TEST_SRCDIR:?}/tests/lint/tap.sh"

# FOLDER|folders that it may include|foreign headers|what of store, where that is in brackets; from the table of ARCHITECTURE.md
table() {
    awk -F'|' '/^\| folder \|/ { in_table = 1; next }
        in_table && !/^\|/ { exit }
        in_table && !/^\|-/ {
            gsub(/ /, "", $2); gsub(/[–,]/, " ", $4); gsub(/–/, "", $5)
            only = $4; sub(/^[^(]*\(?/, "", only); sub(/\).*/, "", only); gsub(/\([^)]*\)/, "", $4)
            print $2 "|" $4 "|" $5 "|" only }' "$1/ARCHITECTURE.md"
}

# The word of the table for a foreign header; nothing for headers of the C library and the system.
foreign() {
    case $1 in
    sqlite3*) echo sqlite3 ;;
    librdkafka/*) echo librdkafka ;;
    microhttpd.h) echo microhttpd ;;
    gnutls/*) echo gnutls ;;
    jansson.h) echo jansson ;;
    sodium.h | sodium/*) echo sodium ;;
    zstd*.h) echo zstd ;;
    zlib.h) echo zlib ;;
    ini.h) echo inih ;;
    expat.h) echo expat ;;
    curl/*) echo curl ;;
    seccomp.h) echo seccomp ;;
    esac
}

# Prints what is wrong with one file below $root.
faults() {
    file=$1
    folder=${file#src/}
    folder=${folder%%/*}
    row=$(table "$root" | grep "^$folder|")
    [ -n "$row" ] || { echo "folder $folder is not in the table of ARCHITECTURE.md"; return; }
    may=$(echo "$row" | cut -d'|' -f2)
    outside=$(echo "$row" | cut -d'|' -f3)
    only=$(echo "$row" | cut -d'|' -f4)
    sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$root/$file" | while read -r header; do
        target=${header%%/*}
        if [ "$target" = store ] && [ -n "$only" ]; then
            name=$(basename "$header" .h)
            case $only in
            *"$name"*) continue ;;
            *) echo "includes \"$header\": of store it may include only: $only"; continue ;;
            esac
        fi
        case " $folder $may " in
        *" $target "*) continue ;;
        *" everything "*) { [ -d "$root/src/$target" ] || [ "$target" = importers ]; } && continue ;;
        esac
        case $header in
        sql/*.sql.h | data/demo/*.csv.h | data/page/*.h) continue ;;
        */*) echo "includes \"$header\": $folder may include only: $may" ;;
        *) echo "includes \"$header\": write the path from src/ on" ;;
        esac
    done
    sed -n 's/^[ \t]*#[ \t]*include[ \t]*<\([^>]*\)>.*/\1/p' "$root/$file" | while read -r header; do
        word=$(foreign "$header")
        [ -n "$word" ] || continue
        case $outside in
        *"$word in $(basename "$file")"*) ;;
        *"$word in "*) echo "includes <$header>: the table allows $outside" ;;
        *"$word"*) ;;
        *) echo "includes <$header>: the table allows ${outside:-none}" ;;
        esac
    done
}

# A fault of each kind, planted in a copy, must be found; else a green check would mean nothing.
self_test() {
    root=$(mktemp -d) || exit 1
    mkdir -p "$root/src/codec" "$root/src/model"
    cp "$TEST_SRCDIR/ARCHITECTURE.md" "$root/"
    plant() { # name of the fault, its line, whether it is one
        printf '#include <stdio.h>\n#include "model/decimal.h"\n#include <zstd.h>\n%s\n' "$2" > "$root/src/codec/x.c"
        found=$(faults src/codec/x.c)
        if [ "$3" = fault ]; then [ -n "$found" ]; else [ -z "$found" ]; fi
        tap $? "self-test: $1"
    }
    plant "an upward include is found" '#include "store/reader.h"' fault
    plant "an include without its folder is found" '#include "decimal.h"' fault
    plant "a foreign header of another folder is found" '#include <sqlite3.h>' fault
    plant "a header that belongs to one file elsewhere is found" '  # include <sodium.h>' fault
    plant "a good file is good" '#include "common/buf.h"' good
    mkdir -p "$root/src/query"
    printf '#include "store/writer.h"\n' > "$root/src/query/x.c"
    [ -n "$(faults src/query/x.c)" ]
    tap $? "self-test: the writer's header in the reader's folder is found"
    printf '#include "store/reader.h"\n' > "$root/src/query/x.c"
    [ -z "$(faults src/query/x.c)" ]
    tap $? "self-test: the reader's header there is good"
    printf '#include <sodium.h>\n' > "$root/src/model/hash.c"
    [ -n "$(faults src/model/hash.c)" ]
    tap $? "self-test: a folder that is not below another is found"
    rm -rf "$root"
    root=.
}

cd "$TEST_SRCDIR" || exit 1
self_test
for file in src/*/*.[ch] importers/*.[ch]; do
    check "$file"
done
tap_files "every include is one that the table allows"
tap_end
