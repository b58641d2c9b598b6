#!/bin/sh
# make soak: the random proofs with full counts, about an hour on two cores; what is printed is the record. A part of it:
#
#   TEST_BUILDDIR=build tests/soak.sh [NAME...]         20-kill, test_crash ...
#
# Two lanes run side by side: the real programs over Kafka, which mostly wait, and the unit tests, which do not. With TMPDIR in memory
# the disk is not waited for; what of it would be lost the tests say themselves. Every part prints its seeds and counts; a failure is
# had again with the part's own script and that seed.
set -u
cd "$(dirname "$0")/.." || exit 1
export TEST_SRCDIR="$PWD" TEST_BUILDDIR="${TEST_BUILDDIR:-$PWD}"
export ALMANAC_SOAK=1 KILLS="${KILLS:-3000}" READINGS="${READINGS:-2000000}" ZOMBIES="${ZOMBIES:-300}" \
    MOMENTS="${MOMENTS:-50}" BACKUPS="${BACKUPS:-100}" ROUNDS="${ROUNDS:-40}" QUERIES="${QUERIES:-40000}" SLOW="${SLOW:-5000}" SLOW_SECONDS="${SLOW_SECONDS:-120}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# part LANE NAME COMMAND...
part() {
    lane=$1 name=$2
    shift 2
    case " $wanted " in
    "  " | *" $name "*) ;;
    *) return ;;
    esac
    begin=$(date +%s)
    if timeout "${SOAK_SECONDS:-3000}" "$@" > "$work/$name" 2>&1; then
        word=passed
    else
        word=FAILED
        echo "$name" >> "$work/failed"
    fi
    {
        echo "== $lane $name: $word after $(($(date +%s) - begin)) s"
        if [ "$word" = passed ]; then
            grep -E '^(# |ok |not ok |[0-9]+ |seed)' "$work/$name"
        else
            tail -60 "$work/$name"
        fi
    } > "$work/$name.told"
    cat "$work/$name.told"
}

programs() {
    for script in 10-way 16-oracle 17-changes 20-kill $(cd tests/accept && grep -l BACKUPS [0-9]*.py | sed 's/\.py$//') 70-zombies 71-group 72-disk 75-hanging 85-slow; do
        part accept "$script" "tests/accept/$script.py"
    done
}

units() {
    for test in $(sed -n 's|^check_PROGRAMS += tests/unit/||p' src/store/local.mk); do # the store's; soak-more has the rest
        grep -q ALMANAC_SOAK "tests/unit/$test.c" || continue
        part unit "$test" sh -c 'cd "$TEST_BUILDDIR" && exec "tests/unit/$1"' sh "$test"
    done
}

wanted="$*"
programs &
programs_pid=$!
units
wait "$programs_pid"
[ ! -e "$work/failed" ] || { echo "soak: failed: $(tr '\n' ' ' < "$work/failed")"; exit 1; }
echo "soak: all parts passed"
