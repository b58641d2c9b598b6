#!/bin/sh
# promtool of Debian's package prometheus, taken out of it: installed, the package would run a server of its own.
#
#   promtool.sh fetch     puts the program into the cache (needs apt's lists and the network, once; not root)
#   promtool.sh program   prints the program's path, or nothing and exit 1 where it is not there
#
# The cache is $ALMANAC_PROMTOOL, else almanac-promtool below $XDG_CACHE_HOME or ~/.cache.
set -eu
cache=${ALMANAC_PROMTOOL:-${XDG_CACHE_HOME:-$HOME/.cache}/almanac-promtool}

fetch() {
    [ -x "$cache/promtool" ] && return
    mkdir -p "$cache/package"
    (cd "$cache/package" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download prometheus)
    dpkg-deb --fsys-tarfile "$cache"/package/prometheus_*.deb | tar -xO ./usr/bin/promtool > "$cache/promtool.tmp"
    rm -r "$cache/package"
    chmod +x "$cache/promtool.tmp"
    mv "$cache/promtool.tmp" "$cache/promtool"
}

case ${1:-} in
fetch) fetch ;;
program) [ -x "$cache/promtool" ] && echo "$cache/promtool" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
