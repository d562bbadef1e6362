// SPDX-License-Identifier: Apache-2.0
//! The program: its arguments, environment, identity, privileges and limits.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::skip;
use crate::{edit, lab};

/// A field of /proc/self/status.
fn field<'t>(status: &'t str, name: &str) -> &'t str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}

#[test]
fn arguments_and_environment_are_exactly_those_of_the_spec_and_home() {
    let lab = lab();
    lab.write(&["sh", "-c", "env; for a; do echo \"<$a>\"; done", "name", "", "a b", "ü\n", "--help"], |spec| {
        spec["process"]["env"] = json!(["PATH=/bin", "EMPTY=", "A=b=c", "SPACE= x y "]);
    });
    let seen = lab.run();
    let out = seen.success();
    // The shell adds PWD and SHLVL of its own.
    let lines: Vec<_> =
        out.lines().filter(|line| !["PWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own))).collect();
    let (mut variables, arguments): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.contains('='));
    variables.sort_unstable();
    assert_eq!(variables, ["A=b=c", "EMPTY=", "HOME=/root", "PATH=/bin", "SPACE= x y "]);
    assert_eq!(arguments, ["<>", "<a b>", "<ü", ">", "<--help>"]);
}

#[test]
fn home_is_that_of_the_user_unless_it_is_given() {
    let lab = lab();
    let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken::\nann:x:1000:1000:,,,:/home/ann:/bin/sh\nlast:x:7:7::/last:";
    let table =
        [(0, None, "/root"), (1000, None, "/home/ann"), (7, None, "/last"), (5, None, "/"), (7, Some("/x"), "/x")];
    for (uid, given, home) in table {
        lab.write(&["sh", "-c", "echo $HOME"], |spec| {
            spec["process"]["user"]["uid"] = json!(uid);
            let env = spec["process"]["env"].as_array_mut().unwrap();
            env.extend(given.map(|home| json!(format!("HOME={home}"))));
        });
        fs::write(lab.rootfs().join("etc/passwd"), passwd).unwrap();
        assert_eq!(lab.run().success(), home, "uid {uid}");
    }
}

/// To open a device can be enough for it to do something. Whether a FIFO was opened its writer sees.
#[test]
fn an_image_without_an_ordinary_passwd() {
    let lab = lab();
    lab.write(&["sh", "-c", "echo $HOME"], edit::nothing);
    let passwd = lab.rootfs().join("etc/passwd");
    fs::remove_file(&passwd).unwrap();
    assert!(Command::new("mkfifo").arg(&passwd).status().unwrap().success());
    let mut writer = Command::new("sh").args(["-c", "exec 3> \"$1\"", "sh"]).arg(&passwd).spawn().unwrap();
    assert_eq!(lab.run().success(), "/");
    assert!(writer.try_wait().unwrap().is_none(), "it was opened");
    writer.kill().unwrap();
    writer.wait().unwrap();

    // A way out of the root, had it its host's /proc.
    fs::remove_file(&passwd).unwrap();
    symlink("/proc/self/root/etc/group", &passwd).unwrap();
    fs::write(lab.rootfs().join("etc/group"), "root:x:0:0::/magic:\n").unwrap();
    assert_eq!(lab.run().success(), "/");
}

#[test]
fn the_program_is_looked_for_in_path() {
    let lab = lab();
    let table = [
        ("tool", "PATH=/none:/opt:/bin"),
        ("/opt/tool", "PATH="),
        ("opt/tool", "PATH=/bin"),
        ("./opt/tool", "PATH=/bin"),
    ];
    lab.write(&["true"], edit::nothing);
    fs::create_dir(lab.rootfs().join("opt")).unwrap();
    fs::write(lab.rootfs().join("opt/tool"), "#!/bin/sh\necho found\n").unwrap();
    edit::executable(&lab.rootfs().join("opt/tool"));
    // What cannot be executed is passed over.
    fs::create_dir_all(lab.rootfs().join("none/tool")).unwrap();
    for (program, path) in table {
        lab.write(&[program], |spec| spec["process"]["env"] = json!([path]));
        assert_eq!(lab.run().success(), "found", "{program} with {path}");
    }
}

#[test]
fn without_path_the_usual_directories_are_searched() {
    let lab = lab();
    lab.write(&["echo", "found"], |spec| spec["process"]["env"] = json!([]));
    assert_eq!(lab.run().success(), "found");
}

#[test]
fn the_exit_status_is_the_programs() {
    let lab = lab();
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("exit 255", 255), ("kill -9 $$", 137)] {
        // Init of a pid namespace cannot be killed from inside.
        lab.write(&["sh", "-c", script], |spec| edit::remove_namespace(spec, "pid"));
        assert_eq!(lab.run().code(), Some(code), "{script}");
    }
}

#[test]
fn identity() {
    let script = "grep -E '^(Uid|Gid|Groups):' /proc/self/status | tr -s '\\t ' ' '";
    let table: &[(u32, u32, &[u32], &str)] = &[
        (0, 0, &[], "Uid: 0 0 0 0\nGid: 0 0 0 0\nGroups:"),
        (1000, 1001, &[], "Uid: 1000 1000 1000 1000\nGid: 1001 1001 1001 1001\nGroups:"),
        (1000, 1001, &[5, 7, 70000], "Uid: 1000 1000 1000 1000\nGid: 1001 1001 1001 1001\nGroups: 5 7 70000"),
        (0, 4_000_000_000, &[0], "Uid: 0 0 0 0\nGid: 4000000000 4000000000 4000000000 4000000000\nGroups: 0"),
    ];
    for (uid, gid, more, expected) in table {
        let seen = lab().sh(script, |spec| edit::user(spec, *uid, *gid, more));
        let seen: Vec<_> = seen.lines().map(str::trim).collect();
        assert_eq!(seen.join("\n"), *expected);
    }
}

#[test]
fn the_umask_is_set() {
    for (mask, expected) in [(None, "0022"), (Some(0o077), "0077"), (Some(0), "0000")] {
        let seen = lab().sh("umask", |spec| {
            if let Some(mask) = mask {
                spec["process"]["user"]["umask"] = json!(mask);
            }
        });
        assert_eq!(seen, expected);
    }
}

/// A program that is not root can open /dev/stdout again.
#[test]
fn stdio_belongs_to_the_user() {
    let lab = lab();
    lab.write(&["sh", "-c", "echo one > /dev/stdout; echo two > /dev/stderr"], |spec| {
        edit::user(spec, 1000, 1000, &[])
    });
    let mut command = lab.command(&["run", &lab.id("run")]);
    let done = command.output().unwrap();
    assert_eq!((done.stdout, done.stderr), (b"one\n".to_vec(), b"two\n".to_vec()));
}

#[test]
fn only_stdio_is_open() {
    let seen = lab().sh("ls /proc/self/fd; ls /proc/1/fd; true", edit::nothing);
    // ls has the directory itself open.
    assert_eq!(seen, "0\n1\n2\n3\n0\n1\n2");
}

#[test]
fn files_are_passed_on() {
    let lab = lab();
    lab.write(&["sh", "-c", "cat <&3; cat <&4; ls /proc/1/fd; true"], edit::nothing);
    fs::write(lab.path.join("three"), "3").unwrap();
    fs::write(lab.path.join("four"), "4").unwrap();
    let command = lab.command(&["run", "--preserve-fds", "2", &lab.id("run")]);
    let setup = format!("exec 3<'{0}/three' 4<'{0}/four'", lab.path.display());
    let done = lab.end(&mut lab.behind(&setup, &command));
    assert_eq!(done.success(), "340\n1\n2\n3\n4");
}

const NET_RAW: u64 = 1 << 13;
const KILL: u64 = 1 << 5;

/// Sets of config.json, in the order of /proc/PID/status.
const SETS: [(&str, &str); 5] = [
    ("inheritable", "CapInh"),
    ("permitted", "CapPrm"),
    ("effective", "CapEff"),
    ("bounding", "CapBnd"),
    ("ambient", "CapAmb"),
];

#[test]
fn capabilities_are_exactly_those_of_the_spec() {
    let both = json!(["CAP_NET_RAW", "CAP_KILL"]);
    let raw = json!(["CAP_NET_RAW"]);
    let all = NET_RAW | KILL;
    // uid, what is in config.json, and the five sets of the program after execve(2).
    let table: [(u32, Value, [u64; 5]); 8] = [
        (
            0,
            json!({ "bounding": both, "permitted": both, "effective": raw, "inheritable": raw }),
            [NET_RAW, all, all, all, 0],
        ),
        // Root gets what is bounding; nothing else can come in.
        (0, json!({ "bounding": raw, "permitted": raw, "effective": raw }), [0, NET_RAW, NET_RAW, NET_RAW, 0]),
        (0, json!({}), [0; 5]),
        (1000, json!({ "bounding": both, "permitted": both, "effective": both }), [0, 0, 0, all, 0]),
        (
            1000,
            json!({ "bounding": both, "permitted": both, "effective": both, "inheritable": raw, "ambient": raw }),
            [NET_RAW, NET_RAW, NET_RAW, all, NET_RAW],
        ),
        // What cannot be ambient is left out.
        (
            1000,
            json!({ "bounding": both, "permitted": both, "effective": both, "inheritable": raw, "ambient": both }),
            [NET_RAW, NET_RAW, NET_RAW, all, NET_RAW],
        ),
        (1000, json!({}), [0; 5]),
        (0, json!({ "bounding": ["NET_RAW"], "permitted": ["NET_RAW"] }), [0, NET_RAW, NET_RAW, NET_RAW, 0]),
    ];
    for (uid, sets, expected) in table {
        for no_new_privileges in [true, false] {
            let lab = lab();
            lab.write(&["cat", "/proc/self/status"], |spec| {
                edit::user(spec, uid, uid, &[]);
                spec["process"]["capabilities"] = sets.clone();
                spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
            });
            let status = lab.run().success();
            let seen = SETS.map(|(_, name)| u64::from_str_radix(field(&status, name), 16).unwrap());
            assert_eq!(seen, expected, "uid {uid}, {sets}, {:?}", SETS.map(|(_, name)| name));
        }
    }
}

/// The configurations that `runc spec` wrote for years ask for ambient capabilities and for none that is inheritable.
#[test]
fn capabilities_that_cannot_be_ambient_are_warned_of() {
    let lab = lab();
    lab.write(&["true"], |spec| spec["process"]["capabilities"]["ambient"] = json!(["CAP_KILL"]));
    let log = lab.path.join("log");
    let run = ["--log", log.to_str().unwrap(), "--log-format", "json", "run", &lab.id("run")];
    lab.brig(&run).success();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains(r#""level":"warning""#) && text.contains("/process/capabilities/ambient: "), "{text}");
}

#[test]
fn without_capabilities_there_are_none() {
    let lab = lab();
    lab.write(&["cat", "/proc/self/status"], |spec| {
        spec["process"].as_object_mut().unwrap().remove("capabilities");
        spec["process"]["noNewPrivileges"] = json!(false);
    });
    let status = lab.run().success();
    for (_, name) in SETS {
        assert_eq!(field(&status, name), "0000000000000000", "{name}");
    }
}

#[test]
fn new_privileges_are_refused_if_asked_for() {
    for (value, expected) in [(Some(true), "1"), (Some(false), "0"), (None, "0")] {
        let status = lab().sh("cat /proc/self/status", |spec| {
            spec["process"]["noNewPrivileges"] = value.map_or(Value::Null, Value::from);
        });
        assert_eq!(field(&status, "NoNewPrivs"), expected);
    }
}

#[test]
fn limits_are_set() {
    // Lower than any machine has them, since to raise a hard limit takes CAP_SYS_RESOURCE.
    let table = [
        ("RLIMIT_NOFILE", "Max open files", 100, 200),
        ("RLIMIT_CORE", "Max core file size", 0, 4096),
        ("RLIMIT_CPU", "Max cpu time", 60, 120),
        ("RLIMIT_FSIZE", "Max file size", 1 << 20, 1 << 30),
        ("RLIMIT_STACK", "Max stack size", 1 << 20, 8 << 20),
        ("RLIMIT_NPROC", "Max processes", 1000, 2000),
        ("RLIMIT_AS", "Max address space", 1 << 30, 2 << 30),
        ("RLIMIT_MEMLOCK", "Max locked memory", 4096, 8192),
        ("RLIMIT_SIGPENDING", "Max pending signals", 10, 20),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size", 1000, 2000),
        ("RLIMIT_RTTIME", "Max realtime timeout", 1000, 2000),
        ("RLIMIT_LOCKS", "Max file locks", 10, 20),
        ("RLIMIT_DATA", "Max data size", 1 << 28, 1 << 29),
        ("RLIMIT_RSS", "Max resident set", 1 << 28, 1 << 29),
        ("RLIMIT_NICE", "Max nice priority", 0, 0),
        ("RLIMIT_RTPRIO", "Max realtime priority", 0, 0),
    ];
    let seen = lab().sh("cat /proc/self/limits", |spec| {
        let limit =
            |(name, _, soft, hard): &(&str, &str, i64, i64)| json!({ "type": name, "soft": soft, "hard": hard });
        spec["process"]["rlimits"] = table.iter().map(limit).collect();
    });
    for (_, name, soft, hard) in table {
        let line = seen.lines().find(|line| line.starts_with(name)).unwrap();
        let values: Vec<_> = line[name.len()..].split_whitespace().take(2).collect();
        assert_eq!(values, [soft.to_string(), hard.to_string()], "{name}");
    }
}

#[test]
fn a_limit_that_cannot_be_raised_is_named() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    if u64::from_str_radix(field(&own, "CapEff"), 16).unwrap() & (1 << 24) != 0 {
        return skip("this machine has CAP_SYS_RESOURCE: any hard limit can be raised");
    }
    let lab = lab();
    lab.write(&["true"], |spec| {
        spec["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 1_000_000, "hard": 1_000_000 }]);
    });
    let error = lab.run().failure();
    assert!(error.contains("/process/rlimits/0") && error.contains("Operation not permitted"), "{error}");
}

#[test]
fn the_oom_killer_knows_its_score() {
    let table =
        [(None, fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().to_owned()), (Some(500), "500".into())];
    for (value, expected) in table {
        let seen = lab().sh("cat /proc/self/oom_score_adj", |spec| {
            spec["process"]["oomScoreAdj"] = value.map_or(Value::Null, Value::from);
        });
        assert_eq!(seen, expected);
    }
}

#[test]
fn signals_are_as_at_the_start_of_a_program() {
    let lab = lab();
    lab.write(&["cat", "/proc/self/status"], edit::nothing);
    let command = lab.command(&["run", &lab.id("run")]);
    let done = lab.end(&mut lab.behind("trap '' HUP INT TERM PIPE USR1", &command));
    let status = done.success();
    for name in ["SigBlk", "SigIgn"] {
        assert_eq!(field(&status, name), "0000000000000000", "{name}");
    }
}

#[test]
fn the_session_is_its_own() {
    // pid, process group and session, by /proc/PID/stat.
    assert_eq!(lab().sh("cut -d' ' -f1,5,6 /proc/1/stat", edit::nothing), "1 1 1");
}
