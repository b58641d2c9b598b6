#!/bin/sh
# Installs what is needed, builds into build-demo, and runs `almanac demo` with the given options:
#   contrib/demo.sh          until Ctrl-C
#   contrib/demo.sh --once   ends after one answer
set -eu
cd "$(dirname "$0")/.."
contrib/setup.sh --demo

# A tree that was configured in itself is built where it is; it builds nowhere else.
folder=build-demo
[ ! -f config.status ] || folder=.
mkdir -p build-demo
log=build-demo/build.log
build() {
    if [ ! -x configure ] || [ -n "$(find configure.ac Makefile.am src -newer configure -name '*.ac' -o \
        -newer configure -name '*.am' -o -newer configure -name '*.mk')" ]; then
        autoreconf -i
    fi
    cd $folder
    [ -f config.status ] || ../configure -q
    make -j"$(nproc)"
}
if [ ! -x $folder/almanac ]; then
    echo "Building, for a minute or two ..." >&2
fi
if ! (build) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "contrib/demo.sh: the build failed; all of its output is in $log" >&2
    exit 1
fi
exec $folder/almanac demo "$@"
