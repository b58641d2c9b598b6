#!/bin/sh
# Independent readers for tests: pyarrow, polars, DuckDB and pandas from PyPI, in a virtual environment of their own.
#
#   readers.sh fetch    makes the environment in the cache (needs python3-venv and the network, once)
#   readers.sh python   prints its interpreter, or nothing and exit 1 where it is not there
#
# The cache is $ALMANAC_READERS, else almanac-readers below $XDG_CACHE_HOME or ~/.cache.
set -eu
cache=${ALMANAC_READERS:-${XDG_CACHE_HOME:-$HOME/.cache}/almanac-readers}
python=$cache/venv/bin/python

fetch() {
    [ -e "$cache/complete" ] && [ -e "$cache/pandas" ] && return
    mkdir -p "$cache"
    python3 -m venv --clear "$cache/venv"
    "$python" -m pip -q --disable-pip-version-check install 'pyarrow==26.*' 'polars==2.*' 'duckdb==2.*' 'pandas==3.*' pytz
    : > "$cache/pandas" # came later than the others
    : > "$cache/complete"
}

case ${1:-} in
fetch) fetch ;;
python) [ -e "$cache/complete" ] && echo "$python" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
