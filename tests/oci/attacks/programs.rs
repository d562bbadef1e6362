// SPDX-License-Identifier: Apache-2.0
//! Hostile programs: what runs inside reaches for what the runtime brings with it, and finds nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::Canary;
use crate::common::until;
use crate::{edit, lab};

/// CVE-2019-5736: what waits for its start is a sealed copy, and its files belong to no one inside.
#[test]
fn init_shows_nothing_of_the_host() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.create("waiting");
    let process = PathBuf::from(format!("/proc/{}", lab.pid(&id)));
    let link = |name: &str| fs::read_link(process.join(name)).unwrap().to_str().unwrap().to_owned();
    assert!(link("exe").starts_with("/memfd:brig-init"), "{}", link("exe"));
    assert_eq!(link("root"), "/");
    let maps = fs::read_to_string(process.join("maps")).unwrap();
    for line in maps.lines().filter(|line| line.contains('/')) {
        assert!(line.contains("/memfd:brig-"), "{line}");
    }
    // Its own, its socket, and what it needs for its end; no directory.
    for entry in fs::read_dir(process.join("fd")).unwrap().flatten() {
        let found = fs::metadata(entry.path()).map(|file| file.is_dir()).unwrap_or(false);
        assert!(!found, "{:?} is {:?}", entry.file_name(), fs::read_link(entry.path()));
    }
    // Not dumpable: not even its own user may look at it.
    let status = fs::metadata(process.join("exe")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&status), 0);
    let memory = fs::OpenOptions::new().write(true).open(process.join("exe"));
    assert!(memory.is_err(), "the program of init can be written");
}

/// What the container's program inherits.
#[test]
fn no_descriptor_is_left_open() {
    let lab = lab();
    for kind in ["plain", "user", "hooks"] {
        let seen = lab.sh("ls -l /proc/self/fd | grep -c ' -> '; ls /proc/self/fd", |spec| match kind {
            "user" => edit::user_namespace(spec),
            "hooks" => spec["hooks"]["startContainer"] = json!([{ "path": "/bin/true" }]),
            _ => {}
        });
        // The last one is the directory that ls reads.
        assert!(seen.ends_with("\n0\n1\n2\n3"), "{kind}: {seen}");
    }
}

/// CVE-2019-5736: who is executed again by way of /proc is a sealed copy, which can be written by nobody, and neither
/// can the command that is being executed meanwhile.
#[test]
fn the_program_that_starts_others_is_overwritten() {
    const TRIES: usize = 30;
    let lab = lab();
    let command = fs::read(env!("CARGO_BIN_EXE_brig")).unwrap();
    // Whatever is a program and not the attacker's own: it would be executed with the rights of the runtime.
    let script = "while :; do for process in /proc/[0-9]*; do
        test $process/exe -ef /bin/sh || { echo tried > /log/tries; (echo broken > $process/exe) && echo $process >> /log/written; }
        done; done 2> /log/err";
    let log = lab.path.join("log");
    fs::create_dir(&log).unwrap();
    lab.write(&["sh", "-c", script], |spec| edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]));
    fs::write(lab.rootfs().join("bin/again"), "#!/proc/self/exe\n").unwrap();
    edit::executable(&lab.rootfs().join("bin/again"));
    let attacker = lab.launch("attacker");
    let mut again = 0;
    until("it has met what is executed", || {
        for program in ["/proc/self/exe", "/bin/again"] {
            // The copy finds that it was not started as it should be. A text file is busy while it is open for writing.
            let done = lab.brig(&["exec", &attacker, program]);
            assert!(matches!(done.code(), Some(125 | 255)), "{program}: {:?} {}", done.code(), done.err());
            again += usize::from(done.code() == Some(125));
        }
        again > TRIES && log.join("tries").exists()
    });
    lab.brig(&["delete", "--force", &attacker]).success();
    assert!(fs::read(env!("CARGO_BIN_EXE_brig")).unwrap() == command, "the command was overwritten");
    assert_eq!(fs::read_to_string(log.join("written")).unwrap_or_default(), "");
    // As the first program too, which no other can attack.
    for program in ["/proc/self/exe", "/bin/again"] {
        assert_eq!(lab.write(&[program], edit::nothing).run().code(), Some(125), "{program}");
    }
}

/// CVE-2025-52881: sysctls and what else is written to procfs goes to a procfs that only init has.
#[test]
fn writes_to_procfs_are_led_astray() {
    let lab = lab();
    let canary = Canary::new(&lab);
    let files = ["sys/kernel/shm_rmid_forced", "self/oom_score_adj", "self/attr/exec", "self/loginuid"];
    let place = |root: &Path| {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(canary.path.join("bird"), path).unwrap();
        }
    };
    let asks = |spec: &mut Value| {
        spec["linux"]["sysctl"] = json!({ "kernel.shm_rmid_forced": "1" });
        spec["process"]["oomScoreAdj"] = json!(500);
    };
    let script = "cat /proc/sys/kernel/shm_rmid_forced /proc/self/oom_score_adj";
    // Under the mount nobody sees them.
    lab.write(&["true"], edit::nothing);
    place(&lab.rootfs().join("proc"));
    assert_eq!(lab.sh(script, asks), "1\n500");
    canary.assert_alive("links below a procfs");
    // In the place of it they are seen inside, and by nobody else: what brig writes is where it belongs.
    let fake = lab.path.join("fake");
    place(&fake);
    let absent = |spec: &mut Value| {
        spec["mounts"].as_array_mut().unwrap().remove(0);
    };
    let bound = |spec: &mut Value| {
        spec["mounts"][0] = json!({ "destination": "/proc", "type": "bind", "source": fake, "options": ["rbind"] });
    };
    for (what, edit) in [("no procfs", &absent as &dyn Fn(&mut Value)), ("a directory for procfs", &bound)] {
        lab.write(&["sleep", "1000"], |spec| {
            asks(spec);
            edit(spec);
        });
        let id = lab.launch("astray");
        let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", lab.pid(&id))).unwrap();
        assert_eq!(score.trim(), "500", "{what}");
        let ipc = format!("/proc/{}/ns/ipc", lab.pid(&id));
        let mut command = Command::new("nsenter");
        command.arg(format!("--ipc={ipc}")).args(["cat", "/proc/sys/kernel/shm_rmid_forced"]);
        assert_eq!(lab.end(&mut command).success(), "1", "{what}");
        lab.brig(&["delete", "--force", &id]).success();
        canary.assert_alive(what);
        lab.assert_clean();
    }
}

/// CVE-2017-16539 and its kin: what the default hides is hidden, and what it protects cannot be written.
#[test]
fn the_default_hides_the_host() {
    let lab = lab();
    let mut paths = Vec::new();
    lab.write(&["true"], |spec| {
        let list = |name: &str| spec["linux"][name].as_array().unwrap().clone();
        paths = [list("maskedPaths"), list("readonlyPaths")].concat();
    });
    let names: Vec<_> = paths.iter().map(|path| path.as_str().unwrap()).collect();
    assert!(
        ["/proc/scsi", "/proc/kcore", "/proc/sysrq-trigger", "/sys/firmware"].iter().all(|path| names.contains(path))
    );
    let script = format!(
        "for path in {}; do
            test -e $path || continue
            echo there
            if test -d $path; then
                (echo > $path/new) 2> /dev/null && echo $path: a file in it
            else
                test -c $path || (echo 0 >> $path) 2> /dev/null && test ! -c $path && echo $path: written
            fi
        done; true",
        names.join(" ")
    );
    let seen = lab.sh(&script, edit::nothing);
    assert!(seen.lines().count() >= 4 && seen.lines().all(|line| line == "there"), "{seen}");
}

/// CVE-2021-43784: more mounts than a length of 16 bits can tell, behind which come the namespaces. All are made, and the
/// container is in its user namespace.
#[test]
fn a_hundred_kilobytes_of_mounts() {
    const COUNT: usize = 600;
    let lab = lab();
    let script = "grep -c ' /tmp/many/' /proc/self/mountinfo; cat /proc/self/uid_map; \
        (mount -t tmpfs tmpfs /mnt || : > /proc/sys/kernel/hostname) 2>/dev/null || echo confined";
    lab.write(&["sh", "-c", script], |spec| {
        edit::user_namespace(spec);
        edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["mode=1777"]);
        for index in 0..COUNT {
            edit::mount(spec, &format!("/tmp/many/{index}/{}", "x".repeat(180)), "tmpfs", "tmpfs", &["ro", "size=4k"]);
        }
    });
    let size = fs::metadata(lab.bundle().join("config.json")).unwrap().len();
    assert!(size > 100_000, "{size}");
    edit::give_away(&lab.rootfs());
    let seen = lab.run().success();
    let words: Vec<_> = seen.split_whitespace().collect();
    assert_eq!(words, [&COUNT.to_string(), "0", "100000", "65536", "confined"]);
    lab.assert_clean();
}
