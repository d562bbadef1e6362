// SPDX-License-Identifier: Apache-2.0
//! What the program is like: identity, privileges, environment, files; by flags and by a process.json.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{exec, exec_json, idle, refused, sh};
use crate::common::{Done, Lab};
use crate::{edit, lab};

const NET_RAW: u64 = 1 << 13;
const KILL: u64 = 1 << 5;

/// A field of the program's /proc/self/status.
#[track_caller]
fn field(lab: &Lab, flags: &[&str], id: &str, name: &str) -> String {
    let status = exec(lab, flags, id, &["cat", "/proc/self/status"]).success();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn users() {
    let lab = lab();
    let id = idle(&lab, |spec| edit::user(spec, 5, 6, &[7]));
    for (flags, expected) in [
        (&[][..], "5 6 7"),
        (&["-u", "1"], "1 6 7"),
        (&["--user", "1:2"], "1 2 7"),
        (&["-u", "0:0"], "0 0 7"),
        (&["--user=4294967294:4294967294"], "4294967294 4294967294 7"),
        (&["-g", "8", "--additional-gids", "9", "-u", "1"], "1 6 7 8 9"),
    ] {
        let ids = ["Uid", "Gid"].map(|name| field(&lab, flags, &id, name).split(' ').next().unwrap().to_owned());
        let seen = format!("{} {} {}", ids[0], ids[1], field(&lab, flags, &id, "Groups"));
        assert_eq!(seen, expected, "{flags:?}");
    }
    for user in ["1:", ":2", "-1", "4294967295", "4294967296", "1:2:3", "1:-2", "a", "", "+1", "0x1"] {
        let error = refused(&exec(&lab, &[&format!("--user={user}")], &id, &["id"]));
        assert!(error.contains("--user"), "{error}");
    }
    for group in ["-1", "a", "4294967296", ""] {
        let error = refused(&exec(&lab, &[&format!("--additional-gids={group}")], &id, &["id"]));
        assert!(error.contains("--additional-gids"), "{error}");
    }
}

fn sets(lab: &Lab, flags: &[&str], id: &str) -> [u64; 5] {
    let status = exec(lab, flags, id, &["grep", "^Cap", "/proc/self/status"]).success();
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].map(set)
}

#[test]
fn capabilities() {
    let lab = lab();
    let kill = json!(["CAP_KILL"]);
    let id = idle(&lab, |spec| {
        spec["process"]["capabilities"] = json!({ "bounding": kill, "permitted": kill, "effective": kill });
    });
    let both = KILL | NET_RAW;
    assert_eq!(sets(&lab, &[], &id), [0, KILL, KILL, KILL, 0]);
    assert_eq!(sets(&lab, &["--cap", "CAP_NET_RAW"], &id), [0, both, both, both, 0]);
    // CVE-2022-29162: neither inheritable nor ambient.
    assert_eq!(sets(&lab, &["-c", "CAP_NET_RAW", "-u", "1000"], &id), [0, 0, 0, both, 0]);
    let error = refused(&exec(&lab, &["--cap", "CAP_NOSUCH"], &id, &["true"]));
    assert!(error.contains("/capabilities/bounding/1: unknown capability") && error.contains("CAP_NOSUCH"), "{error}");
}

#[test]
fn no_new_privileges() {
    for (own, flag, expected) in [(false, false, "0"), (false, true, "1"), (true, false, "1")] {
        let lab = lab();
        let id = idle(&lab, |spec| spec["process"]["noNewPrivileges"] = json!(own));
        let flags = if flag { &["--no-new-privs"][..] } else { &[] };
        assert_eq!(field(&lab, flags, &id, "NoNewPrivs"), expected);
    }
}

#[test]
fn environment_and_directory() {
    let lab = lab();
    let id = idle(&lab, |spec| {
        spec["process"]["env"] = json!(["PATH=/bin", "A=1", "B=2"]);
        spec["process"]["cwd"] = json!("/tmp");
    });
    let script = "pwd; echo $A $B $C $HOME; umask";
    assert_eq!(sh(&lab, &[], &id, script).success(), "/tmp\n1 2 /root\n0022");
    let flags = ["-e", "A=x=y", "--env", "C=", "-e", "HOME=/h", "--cwd", "/usr"];
    assert_eq!(sh(&lab, &flags, &id, script).success(), "/usr\nx=y 2 /h\n0022");
    let error = refused(&sh(&lab, &["-e", "NAME"], &id, script));
    assert!(error.contains("/env/3: has no '='"), "{error}");
    // The program is looked for in the PATH that it is given.
    for path in ["PATH=/usr:/var", "PATH=/usr", "PATH="] {
        let error = refused(&exec(&lab, &["-e", path], &id, &["nosuch"]));
        assert!(error.contains("nosuch: executable file not found in $PATH"), "{path}: {error}");
    }
    for (directory, text) in
        [("/no", "No such file"), ("/etc/passwd", "Not a directory"), ("x", "not an absolute path")]
    {
        let error = refused(&exec(&lab, &["--cwd", directory], &id, &["true"]));
        assert!(error.contains("/cwd: ") && error.contains(text), "{error}");
    }
}

/// CVE-2024-21626: no descriptor leads out of the root.
#[test]
fn no_way_out_by_descriptors() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let mut inside = 0;
    for number in 0..64 {
        let directory = format!("/proc/self/fd/{number}");
        let done = exec(&lab, &["--cwd", &directory], &id, &["pwd"]);
        if done.code() == Some(0) {
            // A descriptor of init's own, for a directory inside.
            assert_eq!(done.success(), "/", "{directory}");
            inside += 1;
        }
    }
    assert!(inside <= 1);
}

#[test]
fn files_and_no_others() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    // The shell has none but stdio, and ls opens the directory.
    assert_eq!(sh(&lab, &[], &id, "ls /proc/self/fd | tr '\\n' ' '").success(), "0 1 2 3");
    let inner = lab.command(&[
        "exec",
        "--preserve-fds",
        "2",
        &id,
        "sh",
        "-c",
        "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '",
    ]);
    let line = "exec \"$0\" \"$@\" 3< /proc/sys/kernel/ostype 4< /proc/sys/kernel/ngroups_max 5< /etc/passwd";
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
    assert_eq!(Done(command.output().unwrap()).success(), "Linux\n65536\n0 1 2 3 4 5");

    let log = lab.path.join("log");
    let mut command = lab.command(&["--log", log.to_str().unwrap(), "exec", "--preserve-fds", "1", &id, "true"]);
    let done = Done(command.arg0("brig").output().unwrap());
    assert_eq!(refused(&done), "--preserve-fds 1: file 3 is not open\n");
}

/// What a process.json leaves out.
#[test]
fn defaults_of_a_process() {
    let lab = lab();
    let kill = json!(["CAP_KILL"]);
    let id = idle(&lab, |spec| {
        edit::user(spec, 5, 6, &[7]);
        spec["process"]["capabilities"] = json!({ "bounding": kill, "permitted": kill, "effective": kill });
        spec["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]);
        spec["process"]["oomScoreAdj"] = json!(500);
        spec["process"]["cwd"] = json!("/tmp");
        spec["process"]["env"] = json!(["PATH=/bin", "A=1"]);
    });
    let script = "id -u; id -g; pwd; echo \"$A\"; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep CapBnd /proc/self/status";
    let mut process = json!({ "args": ["sh", "-c", script], "cwd": "/", "env": ["PATH=/bin"] });
    let own = "100\n200\n500\nCapBnd:\t0000000000000020";
    assert_eq!(exec_json(&lab, &[], &id, &process).success(), format!("0\n0\n/\n\n{own}"));
    assert_eq!(sh(&lab, &[], &id, script).success(), format!("5\n6\n/tmp\n1\n{own}"));

    process["capabilities"] = json!({});
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 50, "hard": 60 }]);
    process["oomScoreAdj"] = json!(900);
    process["user"] = json!({ "uid": 1, "gid": 2, "umask": 0o077 });
    assert_eq!(exec_json(&lab, &[], &id, &process).success(), "1\n2\n/\n\n50\n60\n900\nCapBnd:\t0000000000000000");
}

#[test]
fn a_wrong_process() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let with = |key: &str, value: Value| {
        let mut process = json!({ "args": ["true"], "cwd": "/", "env": ["PATH=/bin"] });
        process[key] = value;
        process
    };
    let table = [
        (json!([]), "process: must be an object"),
        (json!({}), "/cwd: is missing"),
        (with("args", json!([])), "/args: is empty"),
        (with("args", json!("true")), "/args: must be a list"),
        (with("args", json!(["a\u{0}b"])), "/args/0: has a NUL character"),
        (with("cwd", json!("etc")), "/cwd: \"etc\" is not an absolute path"),
        (with("env", json!(["=x"])), "/env/0: has no name"),
        (with("user", json!({ "uid": -1 })), "/user/uid: must be a whole number"),
        (with("user", json!({ "uid": 4_294_967_295u32 })), "/user/uid: 4294967295 is no id"),
        (
            with("rlimits", json!([{ "type": "RLIMIT_X", "soft": 1, "hard": 1 }])),
            "/rlimits/0/type: unknown resource limit",
        ),
        (
            with("capabilities", json!({ "effective": ["CAP_KILL"] })),
            "/capabilities/effective: CAP_KILL cannot be effective",
        ),
        (with("oomScoreAdj", json!(2000)), "/oomScoreAdj: must be from -1000 to 1000"),
        (
            with("scheduler", json!({ "policy": "SCHED_FIFO" })),
            "/scheduler/priority: must be from 1 to 99 for SCHED_FIFO, not 0",
        ),
        (
            with("ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 })),
            "/ioPriority/priority: must be from",
        ),
        (with("execCPUAffinity", json!({ "final": "x" })), "/execCPUAffinity/final: \"x\" is not a list of numbers"),
    ];
    for (process, text) in table {
        let error = refused(&exec_json(&lab, &[], &id, &process));
        assert!(error.contains(text), "{process}: {error}");
    }
}

#[test]
fn terminals() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let seen = sh(&lab, &["-t"], &id, "tty; ls /proc/self/fd | tr '\\n' ' '; stat -c %u /dev/pts/0").success();
    assert_eq!(seen, "/dev/pts/0\r\n0 1 2 3 0");
    assert_eq!(sh(&lab, &["-t", "-u", "7"], &id, "stat -c %u /dev/pts/0; echo > /dev/tty && exit 3").code(), Some(3));
    let process = json!({
        "args": ["stty", "size"], "cwd": "/", "env": ["PATH=/bin"],
        "terminal": true, "consoleSize": { "height": 33, "width": 77 },
    });
    assert_eq!(exec_json(&lab, &[], &id, &process).success(), "33 77");
    let lines = exec(&lab, &["-t"], &id, &["seq", "1", "20000"]).success();
    assert!(lines.lines().map(str::trim_end).eq((1..=20000).map(|number| number.to_string())));

    let needs = "cannot allocate tty if brig will detach without setting console socket";
    assert!(refused(&exec(&lab, &["-t", "-d"], &id, &["true"])).contains(needs));
    let useless = "cannot use console socket if brig will not detach or allocate tty";
    for flags in [&["-t"][..], &["-d"], &[]] {
        let flags = [flags, &["--console-socket", "/no"]].concat();
        assert!(refused(&exec(&lab, &flags, &id, &["true"])).contains(useless));
    }
}
