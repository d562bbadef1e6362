// SPDX-License-Identifier: Apache-2.0
//! The fields of config-linux.md without the limits: namespaces, devices, seccomp, paths.

use serde_json::json;

use crate::row::{Row, row};
use crate::rows::{HAS_SELINUX, LACKS_SELINUX};

/// The namespaces without the cgroup one, so that the path of the cgroup is seen.
const SEES_CGROUP: (&str, &str) = (
    "/linux/namespaces",
    r#"[{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]"#,
);
const IDS: &str = r#"[{"containerID": 0, "hostID": 100000, "size": 5000}]"#;
const USER: [(&str, &str); 3] =
    [("/linux/namespaces/-", r#"{"type": "user"}"#), ("/linux/uidMappings", IDS), ("/linux/gidMappings", IDS)];
/// Gives the root filesystem to root of that namespace.
const GIVE_AWAY: &str = "chown -Rh 100000:100000 rootfs";

/// The rows.
pub fn rows() -> Vec<Row> {
    let mut rows = namespaces();
    rows.extend(devices());
    rows.extend([
        row(
            "linux.cgroupsPath",
            &[SEES_CGROUP, ("/linux/cgroupsPath", r#""/@ID@/below""#)],
            "grep -o '/[^/]*/below$' /proc/self/cgroup | sort -u",
            "/@ID@/below",
        )
        .preparing(1)
        .after("rmdir /sys/fs/cgroup/*/@ID@ 2>/dev/null || true"),
        row(
            "linux.sysctl",
            &[("/linux/sysctl", r#"{"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}"#)],
            "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
            "1 9000",
        ),
        row("linux.rootfsPropagation", &[("/linux/rootfsPropagation", r#""shared""#)], "propagation /", "shared"),
        row("linux.maskedPaths", &[("/linux/maskedPaths/-", r#""/etc/passwd""#)], "wc -c < /etc/passwd", "0"),
        row(
            "linux.readonlyPaths",
            &[("/root/readonly", "false"), ("/linux/readonlyPaths/-", r#""/tmp""#)],
            "touch /tmp/x 2>/dev/null || echo readonly; touch /var/x && echo writable",
            "readonly writable",
        )
        .preparing(1),
        row(
            "linux.mountLabel",
            &[
                ("/mounts/-", r#"{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}"#),
                ("/linux/mountLabel", r#""system_u:object_r:container_file_t:s0:c1,c2""#),
            ],
            "superblock /data | grep -o 'context=.*c2'",
            r#"context="system_u:object_r:container_file_t:s0:c1,c2"#,
        )
        .preparing(1)
        .needs(HAS_SELINUX, LACKS_SELINUX),
    ]);
    rows.extend(net_devices());
    rows.extend(seccomp());
    rows.extend(notify());
    rows
}

fn namespaces() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, file) in
        [("pid", "pid"), ("network", "net"), ("mount", "mnt"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")]
    {
        let script = format!("[ $(readlink /proc/self/ns/{file}) != $(cat /etc/host) ] && echo new");
        // The default configuration has it.
        let row = row(&format!("linux.namespaces: {kind}"), &[], &script, "new").true_anyway();
        rows.push(row.before(&format!("readlink /proc/self/ns/{file} > rootfs/etc/host")));
    }
    let user = "cat /proc/self/uid_map; [ $(readlink /proc/self/ns/user) != $(cat /etc/host) ] && echo new";
    rows.extend([
        row("linux.namespaces: user", &USER, user, "0 100000 5000 new")
            .before(&format!("readlink /proc/self/ns/user > rootfs/etc/host; {GIVE_AWAY}")),
        row(
            "linux.namespaces: time",
            &[("/linux/namespaces/-", r#"{"type": "time"}"#)],
            "[ $(readlink /proc/self/ns/time) != $(cat /etc/host) ] && echo new",
            "new",
        )
        .before("readlink /proc/self/ns/time > rootfs/etc/host"),
        row(
            "linux.namespaces.path",
            &[("/hostname", "null"), ("/linux/namespaces/3/path", r#""@BUNDLE@/uts""#)],
            "hostname",
            "joined",
        )
        .before("touch uts; unshare --uts=uts hostname joined"),
        row("linux.uidMappings", &USER, "cat /proc/self/uid_map; stat -c %u /bin", "0 100000 5000 0").before(GIVE_AWAY),
        row("linux.gidMappings", &USER, "cat /proc/self/gid_map; stat -c %g /bin", "0 100000 5000 0").before(GIVE_AWAY),
        row(
            "linux.timeOffsets",
            &[
                ("/linux/namespaces/-", r#"{"type": "time"}"#),
                (
                    "/linux/timeOffsets",
                    r#"{"monotonic": {"secs": 1000, "nanosecs": 7}, "boottime": {"secs": 90000000}}"#,
                ),
            ],
            "awk '$1 >= 90000000 { print \"late\" }' /proc/uptime; cat /proc/self/timens_offsets",
            "late monotonic 1000 7 boottime 90000000 0",
        )
        .preparing(1),
    ]);
    rows
}

fn devices() -> Vec<Row> {
    let device = |kind: &str, more: &str| format!(r#"{{"path": "/dev/mine", "type": "{kind}"{more}}}"#);
    let numbers = r#", "major": 1, "minor": 3"#;
    let one = |name: &str, kind: &str, more: &str, format: &str, output: &str| {
        let script = format!("stat -c '{format}' /dev/mine");
        row(&format!("linux.devices.{name}"), &[("/linux/devices/-", &device(kind, more))], &script, output)
    };
    vec![
        one("path", "c", numbers, "%n", "/dev/mine"),
        one("type: c", "c", numbers, "%F", "character special file"),
        one("type: u", "u", numbers, "%F", "character special file"),
        one("type: b", "b", r#", "major": 7, "minor": 0"#, "%F", "block special file"),
        one("type: p", "p", "", "%F", "fifo"),
        one("major", "c", r#", "major": 1, "minor": 5"#, "%t", "1"),
        one("minor", "c", r#", "major": 1, "minor": 5"#, "%T", "5"),
        one("fileMode", "c", &format!(r#"{numbers}, "fileMode": 416"#), "%a", "640"),
        one("uid", "c", &format!(r#"{numbers}, "uid": 12"#), "%u", "12"),
        one("gid", "c", &format!(r#"{numbers}, "gid": 34"#), "%g", "34"),
    ]
}

/// chmod(2) is looked at: its second argument is the mode, 448 for 700 and 384 for 600.
const CHMOD: &str = "touch /dev/shm/f; chmod 700 /dev/shm/f 2>&1 | sed 's/.*: //'; chmod 600 /dev/shm/f 2>&1 | sed 's/.*: //'; echo end";

fn chmod(members: &str) -> String {
    format!(
        r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO"{members}}}]}}"#
    )
}

fn one(name: &str, filter: &str, script: &str, output: &str) -> Row {
    row(&format!("linux.seccomp.{name}"), &[("/linux/seccomp", filter)], script, output)
}

fn seccomp() -> Vec<Row> {
    let argument = |op: &str, value: u64, more: &str| {
        chmod(&format!(r#", "args": [{{"index": 1, "value": {value}, "op": "SCMP_CMP_{op}"{more}}}]"#))
    };
    let refused_700 = "Operation not permitted end";
    let filters = "grep Seccomp_filters /proc/self/status | cut -f2";
    // All calls that busybox makes before it can be seen to be refused one, which it then says.
    let only = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{"names": @ALLOWED@, "action": "SCMP_ACT_ALLOW"}]}"#
        .replace("@ALLOWED@", &json!(ALLOWED).to_string());
    let mut rows = vec![
        one("defaultAction", &only, CHMOD, "Function not implemented Function not implemented end"),
        one("defaultErrnoRet", &only.replace("38", "13"), CHMOD, "Permission denied Permission denied end"),
        one(
            "architectures",
            &chmod("").replacen('{', r#"{"architectures": ["SCMP_ARCH_X86_64"], "#, 1),
            CHMOD,
            &format!("{0} {0} end", "Operation not permitted"),
        ),
        // What the flag logs goes to the kernel's log, which is the machine's.
        one("flags", &chmod("").replacen('{', r#"{"flags": ["SECCOMP_FILTER_FLAG_LOG"], "#, 1), filters, "1"),
        one("syscalls.names", &chmod(""), CHMOD, "Operation not permitted Operation not permitted end"),
        one("syscalls.errnoRet", &chmod(r#", "errnoRet": 13"#), CHMOD, "Permission denied Permission denied end"),
        one("syscalls.args.index", &argument("EQ", 448, ""), CHMOD, refused_700),
        one("syscalls.args.value", &argument("EQ", 384, ""), CHMOD, refused_700),
        one("syscalls.args.valueTwo", &argument("MASKED_EQ", 64, r#", "valueTwo": 64"#), CHMOD, refused_700),
    ];
    for (op, value, refused) in
        [("NE", 384, 1), ("LT", 448, 1), ("LE", 448, 2), ("EQ", 448, 1), ("GE", 384, 2), ("GT", 384, 1)]
    {
        let words = format!("{}end", "Operation not permitted ".repeat(refused));
        rows.push(one(&format!("syscalls.args.op: SCMP_CMP_{op}"), &argument(op, value, ""), CHMOD, &words));
    }
    rows.push(one(
        "syscalls.args.op: SCMP_CMP_MASKED_EQ",
        &argument("MASKED_EQ", 256, r#", "valueTwo": 256"#),
        CHMOD,
        "Operation not permitted Operation not permitted end",
    ));
    // A program that is killed by the call says nothing, and the shell has its signal: 128 and more.
    let killed = "touch /dev/shm/f; (chmod 700 /dev/shm/f) >/dev/null 2>&1; echo $?";
    for (action, output) in [
        ("ALLOW", "0"),
        ("LOG", "0"),
        ("ERRNO", "1"),
        ("TRACE", "1"),
        ("TRAP", "159"),
        ("KILL", "159"),
        ("KILL_THREAD", "159"),
        ("KILL_PROCESS", "159"),
    ] {
        let filter = chmod("").replace("SCMP_ACT_ERRNO", &format!("SCMP_ACT_{action}"));
        let one = one(
            &format!("syscalls.action: SCMP_ACT_{action}"),
            &filter,
            &format!("{killed}; {filters}"),
            &format!("{output} 1"),
        );
        rows.push(one);
    }
    rows
}

/// Takes the listener and closes it, so that the calls fail with ENOSYS; keeps what it was told.
const LISTENER: &str = r#"cat > listen.py <<'END'
import socket
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("listener")
    listener.listen()
    listener.settimeout(20)
    connection, _ = listener.accept()
    data, files, _, _ = socket.recv_fds(connection, 65536, 4)
    open("told", "wb").write(data)
END
python3 listen.py >/dev/null 2>&1 &
while [ ! -S listener ]; do sleep 0.02; done"#;

/// A notification goes to who listens.
fn notify() -> Vec<Row> {
    let filter = chmod("").replace("ERRNO", "NOTIFY").replacen(
        '{',
        r#"{"listenerPath": "@BUNDLE@/listener", "listenerMetadata": "meta", "#,
        1,
    );
    let unanswered = "Function not implemented Function not implemented end";
    vec![
        one("listenerPath", &filter, CHMOD, unanswered).before(LISTENER),
        one("listenerMetadata", &filter, "true", "meta").before(LISTENER).after("grep -o meta told | head -n 1"),
        one("syscalls.action: SCMP_ACT_NOTIFY", &filter, CHMOD, unanswered).before(LISTENER),
    ]
}

/// A device of the runtime's network namespace, here one of its own, is moved and gets another name.
fn net_devices() -> Vec<Row> {
    let mut rows = Vec::new();
    for (member, value, output) in [("", "{}", "vbrig0"), (".name", r#"{"name": "inside0"}"#, "inside0")] {
        let devices = format!(r#"{{"vbrig0": {value}}}"#);
        let script = "ls /sys/class/net | grep -v lo";
        let row = row(&format!("linux.netDevices{member}"), &[("/linux/netDevices", &devices)], script, output);
        rows.push(row.private_network("ip link add vbrig0 type veth peer name vbrig1"));
    }
    rows
}

/// What a shell of busybox and its touch need, and others may.
const ALLOWED: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "clone",
    "clone3",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fcntl",
    "fork",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "ioctl",
    "lseek",
    "lstat",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe",
    "pipe2",
    "poll",
    "prctl",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sendfile",
    "set_robust_list",
    "set_tid_address",
    "setgid",
    "setgroups",
    "setuid",
    "sigaltstack",
    "stat",
    "statfs",
    "statx",
    "uname",
    "unlink",
    "utimensat",
    "vfork",
    "wait4",
    "write",
    "writev",
    "sched_yield",
    "tgkill",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_create1",
    "eventfd2",
    "getsockopt",
    "setsockopt",
    "recvmsg",
    "sendmsg",
    "connect",
    "accept4",
    "socket",
    "umask",
    "setsid",
    "restart_syscall",
    "clock_gettime",
    "clock_nanosleep",
    "sync_file_range",
    "fchdir",
    "fchown",
    "setresuid",
    "setresgid",
    "kill",
    "waitid",
    "signalfd4",
    "ppoll",
    "select",
    "pselect6",
    "landlock_create_ruleset",
];
