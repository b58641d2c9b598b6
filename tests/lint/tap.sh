# shellcheck shell=sh
# Sourced by the lint scripts: TAP, the Test Anything Protocol.
tap_n=0
tap() { # 0 for good, name, what is wrong
    tap_n=$((tap_n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tap_n - $2"
    else
        echo "not ok $tap_n - $2"
        [ -z "${3-}" ] || printf '%s\n' "$3" | sed '/^$/d; s/^/# /'
    fi
}
tap_end() {
    echo "1..$tap_n"
}

# check FILE gathers what `faults FILE` prints; tap_files NAME makes one result of it. No file at all is a fault too.
all_faults=
n_files=0
check() {
    n_files=$((n_files + 1))
    found=$(faults "$1")
    [ -z "$found" ] || all_faults="$all_faults$(printf '%s\n' "$found" | sed "s|^|$1: |")
"
}
tap_files() {
    [ -z "$all_faults" ] && [ "$n_files" -gt 0 ]
    tap $? "$1 ($n_files files)" "$all_faults"
}
