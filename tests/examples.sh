#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and runs what c-examples/ shows, against an installed brig: they are documentation that must not lie.
set -eu

. tests/lab/stage.sh

work=$(mktemp -d)
trap 'make --silent --no-print-directory -C c-examples clean; rm -rf "${work:?}"' EXIT
trap 'exit 130' INT TERM

failed=0
# expect NAME STATUS TEXT COMMAND...: the command has this exit status, and this is in its output.
expect() {
    local name=$1 status=$2 text=$3 got=0
    timeout 60 "${@:4}" > "$work/out" 2>&1 < "$work/in" || got=$?
    if [ "$got" -eq "$status" ] && tr -d '\r' < "$work/out" | grep -qxF "$text"; then
        echo "ok      $name"
    else
        failed=1
        echo "FAILED  $name: status $got, not $status, or no line \"$text\" in:"
        sed 's/^/        /' "$work/out"
    fi
}

bundle() {
    tests/lab/bundle.sh "$work/$1" sh -c "$2"
    [ "$3" = files ] || sed -i 's/"terminal": false/"terminal": true/' "$work/$1/config.json"
}
bundle files 'echo "user $(id -u)"; exit 7' files
bundle terminal 'tty; stty size; read line; echo "got $line"; exit 7' terminal

# Runs a command on a new terminal of 24 × 80, as `script` would.
on_a_terminal='import fcntl, os, pty, struct, sys, termios
def spawn():
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        os.execvp(sys.argv[1], sys.argv[1:])
    os.write(master, sys.stdin.buffer.read())
    try:
        while data := os.read(master, 4096):
            os.write(1, data)
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(spawn())'

make --silent --no-print-directory -C c-examples clean all CFLAGS='-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror' \
    CXXFLAGS='-std=c++17 -O2 -Wall -Wextra -Werror'
PYTHONPATH=$PWD/bindings/python
export PYTHONPATH PYTHONDONTWRITEBYTECODE=1

# A person reads them from top to bottom, and every one of them is run below.
for example in c-examples/*.c c-examples/*.cpp c-examples/*.py; do
    if [ "$(wc -l < "$example")" -ge 120 ] || ! grep -q "^expect \"${example##*/}" "$0"; then
        failed=1
        echo "FAILED  $example has 120 lines or more, or is not tested"
    fi
done
echo word > "$work/in"
expect "run.c" 7 "user 0" c-examples/run "$work/files"
expect "poll.c between pipes" 7 "got word" c-examples/poll "$work/terminal"
expect "poll.c on a terminal" 7 "24 80" python3 -c "$on_a_terminal" c-examples/poll "$work/terminal"
expect "poll.c without a terminal in the bundle" 1 "poll: there is no terminal, or it was taken already" \
    c-examples/poll "$work/files"
expect "poll.py: the terminal" 0 "got word" c-examples/poll.py "$work/terminal"
expect "poll.py: the exec" 0 "exec ended with 3: hello from exec" c-examples/poll.py "$work/terminal"
expect "poll.py: the end" 0 "init ended with 7" c-examples/poll.py "$work/terminal"
expect "poll.py without a terminal in the bundle" 1 "poll.py: there is no terminal, or it was taken already" \
    c-examples/poll.py "$work/files"
expect "cpp.cpp" 7 "cpp: ended with 7" c-examples/cpp "$work/files"
expect "cpp.cpp: an exception" 1 \
    'cpp: bundle: cannot open /no/such/bundle: No such file or directory (status -10, field "")' \
    c-examples/cpp /no/such/bundle

bundle nap 'sleep 0.2; exit 7' files
expect "loop.c: the ends" 0 "4" sh -c "c-examples/loop '$work/nap' | grep -c 'ended with 7'"
expect "loop.c: the events" 0 "3" sh -c "c-examples/loop '$work/nap' 3 | grep -c '\"status\":\"running\"'"

# Half of the time it has a processor for itself, then a fifth of one.
bundle busy 'while :; do :; done' files
expect "limit.c: the limit" 0 'now {"cpu":{"quota":20000,"period":100000}}' \
    c-examples/limit "$work/busy" '{"cpu":{"quota":20000,"period":100000}}' 5
percent=$(sed -n 's/^ *\([0-9]*\)\.. % of a processor.*/\1/p' "$work/out" | tail -n 1)
if [ "${percent:-100}" -gt 30 ]; then
    failed=1
    echo "FAILED  limit.c: still $percent % of a processor"
fi
expect "limit.c: no such limit" 1 \
    'limit: cannot set the limits: /cpu/quota: must be a whole number from -9223372036854775808 to 9223372036854775807, not "x"' \
    c-examples/limit "$work/busy" '{"cpu":{"quota":"x"}}' 1

bundle sleep 'sleep 1000' files
export BRIG_ROOT=$work/root
brig --root "$BRIG_ROOT" create --bundle "$work/sleep" "exec-$$" < /dev/null > /dev/null 2>&1
brig --root "$BRIG_ROOT" start "exec-$$"
expect "exec.c" 3 "11 bytes:" c-examples/exec "exec-$$" sh -c 'read line; echo "got \"$line\""; exit 3'
expect "exec.c: a program that is not there" 127 "exec: /args/0: /no/such/program: no such file or directory" \
    c-examples/exec "exec-$$" /no/such/program
brig --root "$BRIG_ROOT" delete --force "exec-$$"

# With a CRIU that works on this kernel.
criu=$(scripts/criu.sh target/criu)
bundle counts 'i=0; while :; do i=$((i + 1)); echo $i > /dev/null; sleep 0.01; done' files
words='s/^\(last\|restore\) .*/\1/p; s/.*"status": *"\([a-z]*\)".*/\1/p'
expect "checkpoint.c" 0 "last restore running" sh -c "PATH='$criu${criu:+:}$PATH' \
    c-examples/checkpoint '$work/counts' '$work/images' | sed -n '$words' | paste -s -d ' '"

# It outlives the first lines of the example, and ends before the last ones.
bundle watched 'sleep 2' files
id=stats-$$
(cd "$work/watched" && brig --root "$work/root" run --detach "$id" < /dev/null > /dev/null 2>&1)
expect "stats.c: the end is told" 0 "{\"type\":\"state\",\"id\":\"$id\",\"status\":\"stopped\",\"pid\":0}" \
    c-examples/stats 4 "$work/root"
if ! grep -qE "^$id +[0-9]+\.[0-9]{3} s +[0-9]+\.[0-9] MiB +[1-9]\$" "$work/out"; then
    failed=1
    echo "FAILED  stats.c: no line of figures"
fi
brig --root "$work/root" delete --force "$id"
exit "$failed"
