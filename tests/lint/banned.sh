#!/bin/sh
# Functions that are not used: unbounded, not reentrant, dependent on the locale, or with a better one of our own.
set -u
. "${TEST_SRCDIR:?}/tests/lint/tap.sh"

banned='strcpy|stpcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|strtod|strtof|strtold|gmtime|localtime|mktime|ctime|asctime|rand|srand|random|system|popen|tmpnam|tempnam|mktemp|alloca|strncat|setjmp|longjmp'

# Comments and texts are blanked first, so that only code counts; line numbers stay.
code_of() {
    awk '{
        line = $0; out = ""
        while (length(line)) {
            if (comment) {
                i = index(line, "*/")
                if (!i) { line = ""; break }
                line = substr(line, i + 2); comment = 0
            } else if (match(line, /^"(\\.|[^"\\])*"/) || match(line, /^\047(\\.|[^\047\\])*\047/)) {
                out = out "\"\""; line = substr(line, RLENGTH + 1)
            } else if (substr(line, 1, 2) == "/*") { comment = 1; line = substr(line, 3)
            } else if (substr(line, 1, 2) == "//") { line = ""
            } else { out = out substr(line, 1, 1); line = substr(line, 2) }
        }
        print out
    }' "$1"
}

faults() {
    code_of "$1" | grep -nE "(^|[^A-Za-z0-9_>.])($banned)[ \t]*\(" | sed 's/^/line /'
    # The time is asked for in one place; deadlines of waits need the monotonic clock itself.
    case $1 in
    */common/clock.c) ;;
    *)
        code_of "$1" |
            grep -nE '(^|[^A-Za-z0-9_>.])((time|gettimeofday)[ \t]*\(|clock_gettime[ \t]*\([ \t]*CLOCK_REALTIME)' |
            sed 's/^/line /; s/$/ (ask common\/clock)/' ;;
    esac
    # A handler sees the store as its caller may (I13).
    case $1 in
    */http/route.c) ;;
    *) code_of "$1" | grep -nE 'request->opts->dir' | sed 's/^/line /; s/$/ (take request->dir)/' ;;
    esac
}

self_test() {
    scratch=$(mktemp -d) || exit 1
    for name in strcpy strcat sprintf strtok atoi gmtime localtime rand strtod system; do
        printf 'int f(void)\n{\n    return %s (x);\n}\n' "$name" > "$scratch/x.c"
        [ -n "$(faults "$scratch/x.c")" ]
        tap $? "self-test: $name is found"
    done
    for call in 'request->opts->dir' 'time(NULL)' 'gettimeofday(&a, 0)' 'clock_gettime(CLOCK_REALTIME, &at)'; do
        printf 'int f(void)\n{\n    return %s;\n}\n' "$call" > "$scratch/x.c"
        [ -n "$(faults "$scratch/x.c")" ]
        tap $? "self-test: $call is found"
    done
    printf '/* strcpy(a) and\n atoi(b) */\nint my_rand(int a) { puts("rand(\\"c)"); return row.time(a) + b->system(a); } // gets(d)\n' > "$scratch/x.c"
    found=$(faults "$scratch/x.c")
    [ -z "$found" ]
    tap $? "self-test: comments, texts, other names and members are let through" "$found"
    rm -rf "$scratch"
}

cd "$TEST_SRCDIR" || exit 1
self_test
for file in src/*/*.[ch] importers/*.[ch]; do
    check "$file"
done
# cmocka's skip() prints `not ok # SKIP`, which automake's driver counts as failed.
skips=$(grep -nE '(^|[^A-Za-z0-9_])skip[ \t]*\([ \t]*\)[ \t]*;' tests/*/*.c)
[ -z "$skips" ]
tap $? "no test calls skip()" "$skips"
tap_files "no banned function is called"
tap_end
