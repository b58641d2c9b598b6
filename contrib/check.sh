#!/bin/sh
# Every check, cheap ones first. Installs what is needed, builds in build-check, and ends with `N passed, N failed, N skipped`;
# exit 1 when something failed. Names of stages run only those: contrib/check.sh lint build units
#   FUZZ_SECONDS=6   how long each fuzzer runs
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
all="lint build units threads accept fuzz dist"
stages=${*:-$all}
for stage in $stages; do
    case " $all " in
    *" $stage "*) ;;
    *)
        echo "contrib/check.sh: there is no stage \"$stage\"; there are: $all" >&2
        exit 2
        ;;
    esac
done

contrib/setup.sh || exit 1
work=$top/build-check
rm -rf "$work"
mkdir -p "$work/results" || exit 1
# Some tools want a home, and not everybody has one.
if [ -z "${HOME-}" ] || [ ! -w "$HOME" ]; then
    HOME=$work/home
    mkdir -p "$HOME"
    export HOME
fi
sh contrib/swagger.sh fetch >"$work/fetch-swagger.log" 2>&1 || echo "Swagger UI cannot be had (contrib/swagger.sh)"
jobs=$(nproc)
# What is built: this tree, or a copy when it was configured in itself, since then it builds nowhere else.
source=$top
if [ -f config.status ]; then
    source=$work/source
    mkdir "$source"
    git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C "$source"
    if [ ! -f "$source/configure.ac" ]; then
        echo "contrib/check.sh: this folder was built in and is no git clone: run \"make distclean\" first" >&2
        exit 1
    fi
fi

# ---- results: each check leaves lines of `:test-result: PASS name` in a .trs file, as automake's tests do ----

# One result of our own: name, exit code, log.
result() {
    if [ "$2" -eq 0 ]; then
        echo ":test-result: PASS $1" >"$work/results/$(echo "$1" | tr '/ ' '__').trs"
    else
        echo ":test-result: FAIL $1" >"$work/results/$(echo "$1" | tr '/ ' '__').trs"
        echo "--- $1 failed; the last lines of ${3#"$top"/}:"
        tail -n 40 "$3"
    fi
}

# Runs a step, its output in a log; a failure is a failed result, a success none (its tests count instead).
step() {
    step_name=$1
    shift
    step_log=$work/$(echo "$step_name" | tr '/ ' '__').log
    "$@" >"$step_log" 2>&1
    step_code=$?
    [ $step_code -eq 0 ] || result "$step_name" $step_code "$step_log"
    return $step_code
}

# Runs a program that prints TAP: name, program and arguments.
tap() {
    tap_name=$1
    shift
    tap_file=$work/results/$(echo "$tap_name" | tr '/ ' '__')
    TEST_SRCDIR=$top TEST_BUILDDIR=$work/gcc sh build-aux/tap-driver.sh --test-name "$tap_name" --log-file "$tap_file.log" \
        --trs-file "$tap_file.trs" --color-tests no -- "$@" >"$tap_file.out" 2>&1
    grep -E '^(ERROR|XPASS|SKIP)' "$tap_file.out"
    if grep -qE '^(FAIL|ERROR|XPASS)' "$tap_file.out"; then
        awk '/^not ok/ { show = 1; print; next } /^#/ { if (show) print; next } { show = 0 }' "$tap_file.log" | tail -n 60
    fi
}

# A build folder: name, configure's arguments. Environment: CC, CFLAGS.
configure() (
    mkdir -p "$work/$1" && cd "$work/$1" && shift && "$source/configure" -q "$@"
)
build() {
    configure "$@" && make -C "$work/$1" -j"$jobs"
}
# Only these targets of a folder that is configured.
make_some() {
    folder=$1
    shift
    make -C "$work/$folder" -j"$jobs" $(variable "$folder" BUILT_SOURCES) && make -C "$work/$folder" -j"$jobs" "$@"
}

variable() {
    printf 'include Makefile\nprint:\n\t@echo $(%s)\n' "$2" | make -C "$work/$1" -s --no-print-directory -f - print
}

# Runs the given tests of a folder; prints what failed. goal: check, or check-TESTS where only the tests are built. A word behind
# that runs make, the rest goes to it.
unit_tests() {
    folder=$1 tests=$2 goal=$3 runner=$4
    shift 4
    "$runner" make "$@" -C "$work/$folder" -j"$jobs" "$goal" TESTS="$tests" >"$work/$folder-check.log" 2>&1
    code=$?
    grep -E '^(FAIL|ERROR|XPASS|SKIP): ' "$work/$folder-check.log"
    for trs in $(cd "$work/$folder" && grep -lE '^:test-result: (FAIL|ERROR|XPASS)' $(for test in $tests; do echo "$test.trs"; done) 2>/dev/null); do
        echo "--- $folder/${trs%.trs}.log:"
        grep -vE '^(ok|PASS)' "$work/$folder/${trs%.trs}.log" | tail -n 40
    done
    # make fails without a result of a test where a test did not even link.
    if [ $code -ne 0 ] && ! grep -qE '^(FAIL|ERROR|XPASS): ' "$work/$folder-check.log"; then
        result "$folder: make check" 1 "$work/$folder-check.log"
    fi
}

# ---- stages ----

stage_lint() {
    for script in layers banned words; do
        tap "lint/$script" sh "tests/lint/$script.sh"
    done
}

stage_build() {
    CC=gcc step "build: gcc" build gcc --enable-werror && result "build: gcc" 0
    # clang once without optimisation: its warnings count, not its programs.
    CC=clang CFLAGS=-O0 step "build: clang" build clang --enable-werror && result "build: clang" 0
}

stage_units() {
    fetch_kafka
    CFLAGS='-O1 -g' step "build: address,undefined" build asan --enable-werror --enable-sanitizers=address,undefined &&
        unit_tests asan "$(variable asan check_PROGRAMS)" check env
}

# ThreadSanitizer needs addresses where it expects them; where that may not be asked for, it may work all the same.
without_random_addresses() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R "$@"
    else
        "$@"
    fi
}

stage_threads() {
    CFLAGS='-O1 -g' step "configure: thread" configure tsan --enable-sanitizers=thread || return
    tests=
    for test in $(variable tsan check_PROGRAMS); do
        case ${test##*/test_} in
        access* | connections* | consumer* | daemon* | embedded* | exports* | live* | log* | metrics* | reader* | registry* | \
            server* | store* | workers* | writer* | zone*) tests="$tests $test" ;;
        esac
    done
    step "build: thread" make_some tsan $tests || return
    step "build: c11threads" gcc -O1 -shared -fPIC -o "$work/c11threads.so" tests/lib/c11threads.c || return
    TSAN_OPTIONS="suppressions=$top/contrib/tsan.supp:history_size=4" unit_tests tsan "$tests" check-TESTS \
        without_random_addresses LOG_COMPILER="env LD_PRELOAD=$work/c11threads.so"
}

# Apache Kafka, fetched once; where it cannot be had, what needs it is skipped and says so.
fetch_kafka() {
    step "fetch Kafka" sh tests/kafka/broker.sh fetch
}

# Other readers of Arrow, and a client that asks anything, likewise; without them only their tests are skipped.
fetch_readers() {
    sh tests/readers/readers.sh fetch >"$work/fetch-readers.log" 2>&1 || echo "the readers of tests/readers/readers.sh cannot be had"
    sh tests/readers/schemathesis.sh fetch >"$work/fetch-schemathesis.log" 2>&1 || echo "schemathesis cannot be had"
    sh tests/readers/promtool.sh fetch >"$work/fetch-promtool.log" 2>&1 || echo "promtool cannot be had"
}

stage_accept() {
    fetch_kafka
    fetch_readers
    [ -x "$work/gcc/almanacd" ] || CC=gcc step "build: gcc" build gcc || return
    mkdir "$work/taken"
    lane=0
    while [ $lane -le "$jobs" ]; do
        accept_lane &
        lane=$((lane + 1))
    done
    wait
}

# Runs the scripts that no other lane has taken. They wait for Kafka and for each other's processes for half of their time,
# so there is a lane more than processors. Those that take a minute come first, so that the lanes end together.
accept_lane() {
    cd "$top/tests/accept" || return
    for test in 15-range.py 73-adapt.py 67-schemathesis.py 14-formats.py 85-slow.py 82-people.py 84-kafka-tls.py [0-9]*; do
        [ -x "$test" ] && mkdir "$work/taken/$test" 2>/dev/null && (cd "$top" && tap "accept/$test" timeout 600 "tests/accept/$test")
    done
}

fuzz_one() {
    name=${1##*/fuzz_}
    corpus=$work/corpus/$name
    mkdir -p "$corpus"
    seeds=
    [ ! -d "$top/tests/fuzz/corpus/$name" ] || seeds=$top/tests/fuzz/corpus/$name
    words=
    [ ! -f "$top/tests/fuzz/$name.dict" ] || words=-dict=$top/tests/fuzz/$name.dict
    (cd "$work/fuzz" && TEST_SRCDIR=$top "./$1" $words -max_total_time="${FUZZ_SECONDS:-6}" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/$name-" "$corpus" $seeds) >"$work/fuzz-$name.log" 2>&1
    result "fuzz/$name" $? "$work/fuzz-$name.log"
}

stage_fuzz() {
    CC=clang CFLAGS='-O1 -g' step "build: fuzzers" configure_fuzz || return
    running=
    for fuzzer in $(variable fuzz FUZZERS); do
        fuzz_one "$fuzzer" &
        running="$running $!"
        if [ "$(echo $running | wc -w)" -ge "$jobs" ]; then
            wait $running
            running=
        fi
    done
    wait
}
configure_fuzz() {
    configure fuzz --enable-fuzzing && make_some fuzz $(variable fuzz FUZZERS)
}

stage_dist() {
    [ -f "$work/gcc/Makefile" ] || CC=gcc step "build: gcc" build gcc || return
    # All tests ran in the stage of the units; here those run that read files of the tree, which its archive may lack.
    tests=$(cd "$top" && grep -l TEST_SRCDIR tests/unit/*.c | sed 's/\.c$//')
    step distcheck make -C "$work/gcc" -j"$jobs" distcheck DISTCHECK_CONFIGURE_FLAGS=CFLAGS=-O0 TESTS="$(echo $tests)" && result distcheck 0
}

# ---- the run ----

if [ ! -x "$source/configure" ] || [ -n "$(cd "$source" && find . -newer configure -not -path './b*/*/*' \
    \( -name 'configure.ac' -o -name 'Makefile.am' -o -name '*.mk' \))" ]; then
    step "autoreconf" autoreconf -i "$source"
fi
for stage in $stages; do
    begin=$(date +%s)
    "stage_$stage"
    echo "$stage: $(($(date +%s) - begin)) s"
done

# A program that failed gives FAIL for its case and ERROR for its exit code: each line counts as it stands.
find "$work" -name '*.trs' -not -path '*/almanac-*/*' -exec cat {} + | awk '
    /^:test-result: (PASS|XFAIL)/ { passed++ }
    /^:test-result: (FAIL|ERROR|XPASS)/ { failed++ }
    /^:test-result: SKIP/ { skipped++ }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0 || passed == 0
    }'
