#!/bin/sh
# Schemathesis from PyPI, in a virtual environment of its own: it asks a server whatever its OpenAPI document allows, and more.
#
#   schemathesis.sh fetch     makes the environment in the cache (needs python3-venv and the network, once)
#   schemathesis.sh program   prints the program's path, or nothing and exit 1 where it is not there
#
# The cache is $ALMANAC_SCHEMATHESIS, else almanac-schemathesis below $XDG_CACHE_HOME or ~/.cache.
set -eu
cache=${ALMANAC_SCHEMATHESIS:-${XDG_CACHE_HOME:-$HOME/.cache}/almanac-schemathesis}

fetch() {
    [ -e "$cache/complete" ] && return
    mkdir -p "$cache"
    python3 -m venv --clear "$cache/venv"
    "$cache/venv/bin/python" -m pip -q --disable-pip-version-check install 'schemathesis==4.32.5'
    : > "$cache/complete"
}

case ${1:-} in
fetch) fetch ;;
program) [ -e "$cache/complete" ] && echo "$cache/venv/bin/schemathesis" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
