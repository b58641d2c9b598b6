#!/bin/sh
# Installs what the build and the checks need on Debian 12: as root, or with sudo. Says nothing and needs no network when
# nothing is missing.
#   contrib/setup.sh          everything: both compilers, test libraries, Java for a real Kafka, Swagger UI for /docs
#   contrib/setup.sh --demo   only what contrib/demo.sh builds with
set -eu

build="gcc libc6-dev make autoconf automake pkg-config libsqlite3-dev librdkafka-dev libmicrohttpd-dev libgnutls28-dev
    libjansson-dev libsodium-dev libseccomp-dev libinih-dev libzstd-dev zlib1g-dev libexpat1-dev
    libcurl4-gnutls-dev|libcurl4-openssl-dev|libcurl4-nss-dev tzdata"
checks="clang libclang-rt-14-dev libcmocka-dev sqlite3 kcat perl-base curl ca-certificates python3 python3-cryptography python3-venv openjdk-17-jre-headless
    maven xz-utils git"

# What is not a package. Without it the page /docs says how to get it, so a failure is told and no more.
fetch() {
    [ "${1-}" = --demo ] || sh "$(dirname "$0")/swagger.sh" fetch ||
        echo "contrib/setup.sh: Swagger UI could not be fetched; /docs will say so" >&2
}

case ${1-} in
--demo) wanted=$build ;;
'') wanted="$build $checks" ;;
*)
    echo "usage: contrib/setup.sh [--demo]" >&2
    exit 2
    ;;
esac

has() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null; then
    echo "contrib/setup.sh: this is no Debian; these packages are needed, by Debian's names:" $wanted >&2
    exit 1
fi

missing=
for choice in $wanted; do
    found=
    for package in $(echo "$choice" | tr '|' ' '); do
        if has "$package"; then
            found=yes
        fi
    done
    [ -n "$found" ] || missing="$missing ${choice%%|*}"
done
if [ -z "$missing" ]; then
    fetch "$@"
    exit 0
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "contrib/setup.sh: run it as root, there is no sudo; missing:$missing" >&2
        exit 1
    fi
    sudo=sudo
fi

echo "contrib/setup.sh: installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $sudo apt-get -q update &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "contrib/setup.sh: apt could not install$missing; its last lines are above" >&2
    exit 1
fi
fetch "$@"
