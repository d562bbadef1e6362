// SPDX-License-Identifier: Apache-2.0
//! What the program shares with the container: namespaces, root, cgroups, filter.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{exec, exec_json, idle, refused, sh};
use crate::common::{Beside, Lab, until};
use crate::{edit, lab};

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

fn namespaces(pid: i32) -> Vec<String> {
    let link = |kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().to_str().unwrap().to_owned();
    KINDS.map(link).to_vec()
}

/// Leaves a program in the container; its pid.
#[track_caller]
fn detached(lab: &Lab, flags: &[&str], id: &str) -> i32 {
    let file = lab.path.join("exec.pid");
    let flags = [flags, &["--detach", "--pid-file", file.to_str().unwrap()]].concat();
    exec(lab, &flags, id, &["sleep", "1000"]).success();
    fs::read_to_string(file).unwrap().parse().unwrap()
}

#[track_caller]
fn joins_everything(lab: &Lab, id: &str) {
    let (init, pid) = (lab.pid(id), detached(lab, &[], id));
    assert_eq!(namespaces(pid), namespaces(init));
    let of = |file: &str| [pid, init].map(|pid| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap());
    for file in ["cgroup", "mountinfo", "uid_map", "timens_offsets"] {
        let [one, other] = of(file);
        assert_eq!(one, other, "{file}");
    }
    let root = |pid| fs::read_link(format!("/proc/{pid}/root")).unwrap();
    assert_eq!(root(pid), root(init));
    lab.brig(&["delete", "--force", id]).success();
    lab.assert_clean();
}

#[test]
fn all_namespaces_and_cgroups() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let foreign = namespaces(lab.pid(&id))
        .iter()
        .zip(namespaces(std::process::id() as i32))
        .filter(|(one, other)| *one != other)
        .count();
    assert_eq!(foreign, 6, "the default container has six namespaces of its own");
    joins_everything(&lab, &id);
}

#[test]
fn user_and_time_namespaces() {
    let lab = lab();
    let id = idle(&lab, |spec| {
        edit::user_namespace(spec);
        edit::namespace(spec, "time", None);
        spec["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 1_000_000, "nanosecs": 0 } });
    });
    let seen =
        sh(&lab, &["--user", "7:8"], &id, "id -u; id -g; cat /proc/self/uid_map; cut -d. -f1 /proc/uptime").success();
    let lines: Vec<_> = seen.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[..3], [vec!["7"], vec!["8"], vec!["0", "100000", "65536"]]);
    assert!(lines[3][0].parse::<u64>().unwrap() > 1_000_000, "{seen}");
    joins_everything(&lab, &id);
}

#[test]
fn namespaces_that_the_container_shares() {
    let lab = lab();
    let id = idle(&lab, |spec| {
        for kind in ["pid", "network", "ipc", "uts", "cgroup"] {
            edit::remove_namespace(spec, kind);
        }
    });
    joins_everything(&lab, &id);
}

#[test]
fn namespaces_that_the_container_has_joined() {
    let lab = lab();
    let other = Beside::start(std::process::Command::new("unshare").args(["--net", "--ipc", "sleep", "1000"]));
    let path = |kind: &str| format!("/proc/{}/ns/{kind}", other.pid());
    until("it has left ours", || fs::read_link(path("ipc")).unwrap() != fs::read_link("/proc/self/ns/ipc").unwrap());
    let id = idle(&lab, |spec| {
        edit::namespace(spec, "network", Some(&path("net")));
        edit::namespace(spec, "ipc", Some(&path("ipc")));
    });
    assert_eq!(
        exec(&lab, &[], &id, &["readlink", "/proc/self/ns/net"]).success(),
        fs::read_link(path("net")).unwrap().to_str().unwrap()
    );
    joins_everything(&lab, &id);
}

/// Where chroot(2) took the place of pivot_root(2), the host's root is below the container's.
#[test]
fn the_root_of_a_container_without_a_pivot() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.id("chroot");
    lab.brig(&["run", "--detach", "--no-pivot", &id]).success();
    let seen = sh(&lab, &[], &id, "ls -d /*; cd ..; pwd; ls /proc/1/root/bin/busybox; stat -c %i /").success();
    let inside = fs::read_dir(lab.rootfs()).unwrap().count();
    assert_eq!(seen.lines().count(), inside + 3, "{seen}");
    assert!(seen.contains("\n/\n/proc/1/root/bin/busybox\n"), "{seen}");
    use std::os::unix::fs::MetadataExt;
    assert!(seen.ends_with(&fs::metadata(lab.rootfs()).unwrap().ino().to_string()), "{seen}");
}

#[test]
fn a_created_container() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.create("unborn");
    // What waits to be started is not to be looked into from inside.
    let seen = sh(&lab, &[], &id, "hostname; cat /proc/1/maps /proc/1/cwd/x /proc/1/fd/* 2>&1").out();
    assert!(seen.matches("Permission denied").count() >= 5 && !seen.contains("rw-p"), "{seen}");
    assert_eq!(lab.state(&id)["status"], "created");
    lab.brig(&["start", &id]).success();
    joins_everything(&lab, &id);
}

/// CVE-2016-9962: what joins is seen in the container before it is the program, and has memory and files of ours.
/// Nobody can look into it; and against CAP_SYS_PTRACE, which can, it has no privileges that the program has not.
#[test]
fn nobody_gets_hold_of_what_joins() {
    let script =
        "while :; do cat /proc/[0-9]*/status; ls -l /proc/[0-9]*/exe /proc/[0-9]*/fd/*; done > /log/out 2> /log/err";
    for ptrace in [false, true] {
        let lab = lab();
        let log = lab.path.join("log");
        fs::create_dir(&log).unwrap();
        let own = json!(["CAP_KILL", if ptrace { "CAP_SYS_PTRACE" } else { "CAP_CHOWN" }]);
        lab.write(&["sh", "-c", script], |spec| {
            edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]);
            spec["process"]["capabilities"] = json!({ "bounding": own, "permitted": own, "effective": own });
        });
        let id = lab.launch("watcher");
        let seen = || fs::read_to_string(log.join("out")).unwrap_or_default();
        // What is executed from a file without a name is called after its descriptor before Linux 6.14.
        let is_init = |status: &&str| {
            let name = status.lines().next().unwrap_or_default();
            name.starts_with("memfd:brig-init") || name.parse::<u32>().is_ok()
        };
        let joins = |text: &str| text.split("Name:\t").filter(is_init).count();
        // So much is copied by execve(2) that there is time to see it.
        let large: Vec<_> = (0..15).map(|index| format!("--env=LARGE{index}={}", "x".repeat(120_000))).collect();
        let large: Vec<_> = large.iter().map(String::as_str).collect();
        until("it has seen some", || {
            exec(&lab, &large, &id, &["true"]).success();
            joins(&seen()) > 2
        });
        lab.brig(&["delete", "--force", &id]).success();
        let seen = seen();
        let statuses = seen.split("Name:\t").filter(is_init);
        for set in statuses.flat_map(str::lines).filter_map(|line| line.strip_prefix("CapPrm:\t")) {
            assert_eq!(u64::from_str_radix(set, 16).unwrap(), if ptrace { 1 << 5 | 1 << 19 } else { 1 << 5 | 1 << 0 });
        }
        let links: Vec<_> = seen.lines().filter(|line| line.contains(" -> ")).collect();
        assert!(links.iter().any(|line| line.ends_with("exe -> /bin/sh")), "it can look at its like");
        if !ptrace {
            assert!(!links.iter().any(|line| line.contains("memfd")), "{links:?}");
            assert!(fs::read_to_string(log.join("err")).unwrap().contains("Permission denied"));
        }
    }
}

fn filtered(no_new_privileges: bool) -> impl FnOnce(&mut Value) {
    move |spec| {
        spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let rule = json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 });
        spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    }
}

#[test]
fn the_filter_of_the_container() {
    for no_new_privileges in [true, false] {
        let lab = lab();
        let id = idle(&lab, filtered(no_new_privileges));
        for user in ["0", "1000"] {
            let seen = sh(&lab, &["--user", user], &id, "grep Seccomp: /proc/self/status; mkdir /tmp/x 2>&1").out();
            assert!(seen.starts_with("Seccomp:\t2\n") && seen.contains("Function not implemented"), "{seen}");
        }
        // The process of the caller does not decide on it.
        let process = json!({ "args": ["mkdir", "/tmp/x"], "cwd": "/", "env": ["PATH=/bin"] });
        assert!(exec_json(&lab, &[], &id, &process).err().contains("Function not implemented"));
    }
}

/// Without its filter nothing starts, rather than without a filter.
#[test]
fn a_filter_that_is_lost() {
    let lab = lab();
    let id = idle(&lab, filtered(true));
    let file = lab.path.join("state").join(&id).join("filter");
    fs::write(&file, b"short").unwrap();
    assert!(refused(&exec(&lab, &[], &id, &["true"])).contains("is no seccomp filter"));
    fs::remove_file(&file).unwrap();
    assert!(refused(&exec(&lab, &[], &id, &["true"])).contains("cannot read"));
}

/// The paths of a process in the cgroup hierarchies, as the host has them.
fn cgroups(pid: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_cgroup_below_the_containers() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let below: Vec<_> = cgroups(lab.pid(&id)).iter().map(|line| mount_point(line) + "/a/b").collect();
    for path in &below {
        fs::create_dir_all(path).unwrap();
        inherit_cpuset(path);
    }
    let pid = detached(&lab, &["--cgroup", "a/b"], &id);
    for line in cgroups(pid) {
        assert!(line.ends_with("/a/b"), "{line}");
    }
    let own = detached(&lab, &["--cgroup", "/"], &id);
    assert_eq!(cgroups(own), cgroups(lab.pid(&id)));
    if below.len() == 1 {
        let error = exec(&lab, &["--cgroup", "cpu,pids:/a/b", "--cgroup", "memory:a"], &id, &["true"]);
        assert!(refused(&error).contains("another line has a controller of the same hierarchy elsewhere"));
        let some = detached(&lab, &["--cgroup", "cpu,pids:/a/b", "--cgroup", "memory:a/b"], &id);
        assert!(cgroups(some).iter().all(|line| line.ends_with("/a/b")));
        lab.brig(&["delete", "--force", &id]).success();
        return lab.assert_clean();
    }
    let some = detached(&lab, &["--cgroup", "cpu,pids:/a/b", "--cgroup", "memory:a"], &id);
    for line in cgroups(some) {
        let controller = line.split(':').nth(1).unwrap().to_owned();
        let expected = match controller.as_str() {
            "cpu" | "pids" => "/a/b",
            "memory" => "/a",
            _ => &id,
        };
        assert!(line.ends_with(expected), "{line}");
    }
    lab.brig(&["delete", "--force", &id]).success();
    lab.assert_clean();
}

/// Where a line of /proc/PID/cgroup is to be found.
fn mount_point(line: &str) -> String {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
    match controllers.trim_start_matches("name=") {
        "" if !Path::new("/sys/fs/cgroup/unified").exists() => format!("/sys/fs/cgroup{path}"),
        "" => format!("/sys/fs/cgroup/unified{path}"),
        name => format!("/sys/fs/cgroup/{name}{path}"),
    }
}

fn inherit_cpuset(path: &str) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        for directory in [&path[..path.len() - 2], path] {
            // In version 2 nothing has to be inherited, and without the controller there is no such file.
            if let Ok(value) = fs::read_to_string(format!("{directory}/../{file}"))
                && Path::new(directory).join(file).exists()
            {
                fs::write(format!("{directory}/{file}"), value).unwrap();
            }
        }
    }
}

/// A container that has handed its controllers on to cgroups of its own: then nobody may be in the one above.
#[test]
fn a_container_with_cgroups_of_its_own() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let init = lab.pid(&id);
    let Some(line) = cgroups(init).into_iter().find(|line| line.starts_with("0::")) else {
        return crate::common::skip("no unified hierarchy");
    };
    let top = mount_point(&line);
    let inner = format!("{top}/init.scope");
    fs::create_dir(&inner).unwrap();
    fs::write(format!("{inner}/cgroup.procs"), init.to_string()).unwrap();
    if fs::write(format!("{top}/cgroup.subtree_control"), "+hugetlb").is_err() {
        return crate::common::skip("no controller to hand on");
    }
    joins_everything(&lab, &id);
}
