#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# criu.sh DIR [RELEASE]: sees to it that there is a CRIU that works with this machine's kernel, for the tests; prints the
# directory to put first in PATH, or nothing if the one that is installed will do. Or the one of that release of Debian,
# whether it works or not.
#
# Debian 12 has 3.17.1, which knows no kernel from 6.13 on, Debian 13 has 4.1.1, which knows no sockets from 6.16 on. Then
# a newer one is taken apart in DIR, with the libraries that it needs, and nothing is installed. It is fetched once, by
# apt, from where this machine has its own release.
set -euo pipefail

directory=${1:?usage: criu.sh DIR [RELEASE]}
release=${2:-forky}

at_least() {
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}
if [ $# -lt 2 ]; then
    wanted=4.1
    ! at_least 6.16 "$(uname -r)" || wanted=4.2
    have=$(criu --version 2>/dev/null | sed -n 's/^Version: *//p' || true)
    if [ -n "$have" ] && at_least "$wanted" "$have"; then
        exit 0
    fi
fi

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
# Several checkouts may share it.
exec 9> "$directory/lock"
flock 9
if [ ! -e "$directory/done" ]; then
    uri=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v own="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '$2 == own && !found++ { print $1 }')
    if [ -z "$uri" ]; then
        echo "criu.sh: apt on this machine has no source of its own release to find Debian's $release by" >&2
        exit 1
    fi
    work=$(mktemp -d "$directory/work.XXXXXX")
    trap 'rm -rf "${work:?}"' EXIT
    mkdir -p "$work"/{lists/partial,archives/partial,root}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $release main" > "$work/sources.list"
    # As if nothing were installed, so that all it needs comes along.
    apt() {
        apt-get -qq -o Dir::State::status=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" \
            -o Dir::Cache::archives="$work/archives" -o Dir::Etc::SourceList="$work/sources.list" \
            -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root -o APT::Install-Recommends=false \
            -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true "$@" > /dev/null
    }
    apt update
    apt --yes --download-only install criu
    for package in "$work"/archives/*.deb; do
        case $(basename "$package") in
            criu_* | lib*) dpkg-deb -x "$package" "$work/root" ;;
        esac
    done
    rm -rf "${directory:?}/root"
    mv "$work/root" "$directory/root"
    mkdir -p "$directory/bin"
    cat > "$directory/bin/criu" <<'END'
#!/bin/sh
root=$(dirname "$0")/../root
libraries=$root/lib/MACHINE:$root/usr/lib/MACHINE
exec "$root"/LOADER --library-path "$libraries" "$root/usr/sbin/criu" "$@"
END
    machine=$(uname -m)
    loader=$(cd "$directory/root" && find . -name 'ld-linux*' | sort | tail -n 1)
    sed -i -e "s|MACHINE|$machine-linux-gnu|g" -e "s|LOADER|${loader:?}|" "$directory/bin/criu"
    chmod 755 "$directory/bin/criu"
    : > "$directory/done"
fi
echo "$directory/bin"
