#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The same behaviour from C, Python and Go, against an installed brig: found by pkg-config and the loader, with the
# Python package from its wheel and the Go module from a copy. Each language has every scenario of scenarios.txt.
set -eu

. tests/lab/stage.sh

work=$(mktemp -d)
clean_up() {
    local id
    brig --root "$work/root" list --quiet | while read -r id; do
        brig --root "$work/root" delete --force "$id" || true
    done
    rm -rf "${work:?}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

export TEST_BUNDLES=$work/bundles TEST_ROOT=$work/root
TEST_VERSION=$(pkg-config --modversion brig)
export TEST_VERSION
mkdir "$TEST_BUNDLES"
make_bundle() {
    tests/lab/bundle.sh "$TEST_BUNDLES/$1" "${@:2}"
}
make_bundle true /bin/true
make_bundle exit-7 /bin/sh -c 'exit 7'
make_bundle nap-7 /bin/sh -c 'sleep 0.3; exit 7'
make_bundle sleep /bin/sleep 1000
make_bundle echo /bin/sh -c 'read line; echo "got $line"; exit 7'
make_bundle write-3 /bin/sh -c 'echo three >&3'
make_bundle no-program /no/such/program
make_bundle terminal /bin/sh -c 'stty size; read line; echo "got $line"; exit 7'
sed -i 's/"terminal": false/"terminal": true/' "$TEST_BUNDLES/terminal/config.json"

passed=0 failed=0
# part NAME COMMAND...: passes if the command does; what it said is shown if not.
part() {
    if "${@:2}" > "$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $1$(sed -n 's/^[0-9]* passed/: &/p' "$work/log" | tail -n 1)"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        grep -v '^ok ' "$work/log" | head -n 40 | sed 's/^/        /'
    fi
}

# complete NAME COMMAND...: the same for one that tells of each scenario, of which none may be missing.
complete() {
    part "$@"
    sed '/^#/d; /^$/d; s/ .*//' tests/behaviour/scenarios.txt | LC_ALL=C sort > "$work/wanted"
    sed -n 's/^\(ok\|FAILED\) \([a-z_]*\)$/\2/p' "$work/log" | LC_ALL=C sort > "$work/ran"
    if ! diff "$work/wanted" "$work/ran" > "$work/difference"; then
        failed=$((failed + 1))
        echo "FAILED  $1: these are not the scenarios of scenarios.txt"
        sed 's/^/        /' "$work/difference"
    fi
}

in_c() {
    # shellcheck disable=SC2046 # pkg-config's words
    cc -std=c11 -D_GNU_SOURCE -O1 -g -pthread -Wall -Wextra -Werror -Itests/c -o "$work/behaviour" \
        tests/behaviour/behaviour.c $(pkg-config --cflags --libs brig) && timeout 300 "$work/behaviour"
}

# Debian's Python, since its packages build the wheel; and a source distribution that gives the same one.
python=/usr/bin/python3
build_wheel='from setuptools import build_meta as it; it.build_wheel(sys.argv[1])'
build_sdist='from setuptools import build_meta as it; it.build_sdist(sys.argv[1])'
wheel() (
    set -e
    cp -r bindings/python tests/behaviour/*.py "$work"
    cd "$work/python"
    mkdir "$work/wheel" "$work/again" "$work/sdist"
    $python -c "import sys; $build_wheel" "$work/wheel"
    $python -c "import sys; $build_sdist" "$work/sdist"
    cd "$work/sdist"
    tar -xzf "brig-$TEST_VERSION.tar.gz"
    cd "brig-$TEST_VERSION"
    $python -c "import sys; $build_wheel" "$work/again"
    $python -m zipfile -e "$work"/wheel/*.whl "$work/installed"
    $python -m zipfile -e "$work"/again/*.whl "$work/installed-again"
    diff -r "$work/installed" "$work/installed-again"
    test -e "$work/installed/brig/py.typed" -a -e "$work/installed/brig-$TEST_VERSION.dist-info/METADATA"
)
types() (
    cd "$work/installed"
    mypy --strict --cache-dir "$work/mypy" brig
)
in_python() (
    script=$1
    shift
    cd "$work"
    PYTHONPATH=$work/installed timeout 300 $python -W error "$script.py" "$@"
)

export GOCACHE=$work/go-cache GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local
export TEST_SCENARIOS=$PWD/tests/behaviour/scenarios.txt
go_module() (
    set -e
    mkdir -p "$work/go/bindings" "$work/go/tests/behaviour"
    cp -r bindings/go "$work/go/bindings/go"
    cp -r tests/behaviour/go "$work/go/tests/behaviour/go"
    cd "$work/go"
    test -z "$(gofmt -l .)"
    (cd bindings/go && go vet ./...)
    cd tests/behaviour/go && go vet ./...
)
in_go() (
    cd "$work/go/tests/behaviour/go"
    go test -count=1 -race -timeout 300s -v ./...
)

complete "C" in_c
part "Python: wheel and source distribution" wheel
part "Python: types" types
complete "Python" in_python behaviour "$TEST_SCENARIOS"
part "Go: gofmt and vet" go_module
complete "Go" in_go
part "the declarations of Python, and what each language uses" in_python declarations "$work/go/bindings/go"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
