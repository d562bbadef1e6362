#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# docs/guide.md as a reader would follow it: its shell, C, Python and Go, word for word, against an installed brig.
set -eu

. tests/lab/stage.sh

guide=$PWD/docs/guide.md bindings=$PWD/bindings
work=$(mktemp -d)
# The guide has no --root: a state directory of our own all the same.
export XDG_RUNTIME_DIR=$work/run
cat > "$work/brig" << END
#!/bin/sh
exec "$(command -v brig)" --root "$work/state" "\$@"
END
chmod +x "$work/brig"
clean_up() {
    local id
    "$work/brig" list --quiet | while read -r id; do
        "$work/brig" delete --force "$id" || true
    done
    rm -rf "${work:?}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
cd "$work"

# code LANGUAGE N: the Nth block of it.
code() {
    awk -v fence='```'"$1" -v wanted="$2" '
        $0 == "```" { inside = 0 }
        inside { print }
        $0 == fence && ++seen == wanted { inside = 1 }' "$guide"
}

failed=0
# expect NAME LINE COMMAND...: the command succeeds and prints this line.
expect() {
    if "${@:3}" > out 2>&1 < /dev/null && grep -qxF "$2" out; then
        echo "ok      $1"
    else
        failed=1
        echo "FAILED  $1: no line \"$2\", or a failure:"
        sed 's/^/        /' out
    fi
}
in_shell() {
    code sh "$1" > script
    PATH=$work:$PATH sh -eu script
}
in_c() {
    code c 1 > hello.c
    # shellcheck disable=SC2046 # pkg-config's words
    cc -std=c11 -Wall -Wextra -Werror -o hello hello.c $(pkg-config --cflags --libs brig) && ./hello
}
in_python() {
    code python 1 > hello.py
    PYTHONPATH=$bindings/python /usr/bin/python3 -B hello.py
}
in_go() {
    mkdir -p go
    code go 1 > go/main.go
    printf 'module hello\ngo 1.19\nrequire brig v0.0.0\nreplace brig => %s/go\n' "$bindings" > go/go.mod
    (cd go && GOCACHE=$work/cache GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local go build -o ../hello-go .) && ./hello-go
}

in_shell 1 > out 2>&1 || { cat out; exit 1; }
expect "the bundle is run from the shell" brig in_shell 2
expect "from C" "brig" in_c
expect "from Python" "ended with 0" in_python
expect "from Go" "brig" in_go
expect "one more program" "inside brig" in_shell 3
exit "$failed"
