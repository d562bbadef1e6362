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

make --silent --no-print-directory -C c-examples clean all CFLAGS='-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror'
echo word > "$work/in"
expect "run.c" 7 "user 0" c-examples/run "$work/files"
expect "poll.c between pipes" 7 "got word" c-examples/poll "$work/terminal"
expect "poll.c on a terminal" 7 "24 80" python3 -c "$on_a_terminal" c-examples/poll "$work/terminal"
expect "poll.c without a terminal in the bundle" 1 "poll: there is no terminal, or it was taken already" \
    c-examples/poll "$work/files"
expect "poll.py: the terminal" 0 "got word" c-examples/poll.py "$work/terminal"
expect "poll.py: the exec" 0 "exec ended with 3: hello from exec" c-examples/poll.py "$work/terminal"
expect "poll.py: the end" 0 "init ended with 7" c-examples/poll.py "$work/terminal"

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
