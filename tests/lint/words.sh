#!/bin/sh
# What no file of the tree has in it: paths of one machine, unfinished work, unresolved merges; and lines too long to read.
set -u
. "${TEST_SRCDIR:?}/tests/lint/tap.sh"

# Written in pieces, so that this file does not find itself.
words='TO''DO|FIX''ME|(^|[^A-Za-z"])XX''X([^A-Za-z"]|$)|/wo''rk/|/ho''me/[a-z]|/ro''ot/|^<<<''<<<< |^>>>''>>>> |BEGIN [A-Z ]*PRIVATE KE''Y'

faults() {
    grep -nE "$words" "$1" | sed 's/^/line /'
    case $1 in
    *.[ch]) awk 'length($0) > 130 { print "line " NR ": longer than 130 bytes" }' "$1" ;;
    esac
    case $1 in
    *.[ch] | *.sh | *.mk | *.am | *.ac | *.md | *.sql)
        grep -nE '[ 	]+$' "$1" | sed 's/^\([0-9]*\):.*/line \1: blanks at its end/'
        [ -z "$(tail -c 1 "$1")" ] || echo "the last line has no end" ;;
    esac
}

# The repository's files. In an unpacked distribution there is nothing to say which files are its own.
files() {
    git ls-files 2>/dev/null
}

self_test() {
    scratch=$(mktemp -d) || exit 1
    for text in "TO""DO later" "FIX""ME" "see /wo""rk/x" "/ho""me/me" "XX""X later"; do
        printf '/* %s */\n' "$text" > "$scratch/x.c"
        [ -n "$(faults "$scratch/x.c")" ]
        tap $? "self-test: \"$(echo "$text" | cut -c1-3)...\" is found"
    done
    printf 'int a; \n' > "$scratch/x.c"
    [ -n "$(faults "$scratch/x.c")" ]
    tap $? "self-test: a blank at the end of a line is found"
    awk 'BEGIN { while (n++ < 131) printf "x"; print "" }' > "$scratch/x.c"
    [ -n "$(faults "$scratch/x.c")" ]
    tap $? "self-test: a line of 131 bytes is found"
    printf 'int a;' > "$scratch/x.c"
    [ -n "$(faults "$scratch/x.c")" ]
    tap $? "self-test: a missing end of line is found"
    printf '/* all good: /tmp/x-XXXXXX */\n' > "$scratch/x.c"
    found=$(faults "$scratch/x.c")
    [ -z "$found" ]
    tap $? "self-test: a good file is good" "$found"
    rm -rf "$scratch"
}

cd "$TEST_SRCDIR" || exit 1
if [ -z "$(files)" ]; then
    echo "1..0 # SKIP this is no git checkout, and these are rules of the repository"
    exit 0
fi
self_test
for file in $(files); do
    case $file in
    *.csv | data/* | LICENSE | tests/fuzz/corpus/* | tests/data/* | *.txt | build-aux/* | aclocal.m4 | configure | Makefile.in) continue ;;
    esac
    [ -f "$file" ] && check "$file"
done
tap_files "no file has a forbidden word or a line too long"
tap_end
