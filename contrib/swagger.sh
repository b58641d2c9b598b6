#!/bin/sh
# Swagger UI for the page /docs, which works without it, but then only says how to get it.
#
#   swagger.sh fetch      gets it from Maven Central into the cache (needs mvn and python3, once)
#   swagger.sh copy DIR   copies it from the cache to DIR; says and does nothing where it was not fetched. `make` does so
#
# The cache is $ALMANAC_SWAGGER, else almanac-swagger below $XDG_CACHE_HOME or ~/.cache.
set -eu
version=5.32.6
sum=5d87599d68d596e53ad8a5ff0ff101b42dd2147d8eedd11e2c7ce76078f194e4
files='swagger-ui-bundle.js swagger-ui.css favicon-32x32.png'
caches=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
cache=${ALMANAC_SWAGGER:-${caches:+$caches/almanac-swagger}}
folder=$cache/$version

fetch() {
    [ -n "$cache" ] || { echo "swagger.sh: set HOME, or ALMANAC_SWAGGER to a folder" >&2; exit 1; }
    [ -e "$folder/ORIGIN" ] && return
    mkdir -p "$folder"
    if ! mvn -q -B dependency:copy -Dartifact=org.webjars:swagger-ui:$version -DoutputDirectory="$cache" > "$cache/mvn.log" 2>&1; then
        tail -n 5 "$cache/mvn.log" >&2
        exit 1
    fi
    jar=$cache/swagger-ui-$version.jar
    if ! echo "$sum  $jar" | sha256sum -c --status; then
        echo "swagger.sh: $jar is not what it should be (SHA-256 $sum)" >&2
        exit 1
    fi
    for file in $files; do
        python3 - "$jar" "META-INF/resources/webjars/swagger-ui/$version/$file" > "$folder/$file" << 'END'
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
END
    done
    rm "$jar"
    echo "Swagger UI $version, copyright SmartBear Software, Apache License 2.0; from org.webjars:swagger-ui." > "$folder/ORIGIN"
}

copy() {
    [ -n "$cache" ] && [ -e "$folder/ORIGIN" ] || return 0
    cmp -s "$folder/ORIGIN" "$1/ORIGIN" && return
    mkdir -p "$1"
    for file in $files ORIGIN; do
        cp "$folder/$file" "$1/$file"
    done
}

case ${1:-} in
fetch) fetch ;;
copy) copy "$2" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
