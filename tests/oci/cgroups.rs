// SPDX-License-Identifier: Apache-2.0
//! Cgroups of real containers: where they are, what the limits are and do, and that nothing of them is left.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Lab, skip, until};
use crate::{edit, lab};

/// The cgroups of a process, by controller ("" is the unified hierarchy), as directories of the host.
fn cgroups(pid: i32) -> Vec<(String, PathBuf)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let parse = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (list, path) = (fields.next().unwrap(), fields.next().unwrap());
        (list.to_owned(), path.trim_start_matches('/').to_owned())
    };
    let hybrid = own.lines().count() > 1;
    let root = |list: &str| match list.strip_prefix("name=").unwrap_or(list) {
        "" if hybrid => "/sys/fs/cgroup/unified".to_owned(),
        "" => "/sys/fs/cgroup".to_owned(),
        list => format!("/sys/fs/cgroup/{list}"),
    };
    text.lines().map(parse).map(|(list, path)| (list.clone(), Path::new(&root(&list)).join(path))).collect()
}

/// The cgroup where this controller is; `None` if this host has none.
fn controller(pid: i32, name: &str) -> Option<PathBuf> {
    let found = cgroups(pid).into_iter().find(|(list, _)| list.split(',').any(|one| one == name));
    if found.is_none() {
        skip(&format!("this host has no version 1 hierarchy for {name}"));
    }
    found.map(|(_, path)| path)
}

/// Whether memory can be limited, in whatever version.
fn has_memory() -> bool {
    let unified = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    unified.split_whitespace().any(|name| name == "memory") || Path::new("/sys/fs/cgroup/memory").exists()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

fn sleeping(lab: &Lab, edit: impl FnOnce(&mut Value)) -> i32 {
    lab.write(&["sleep", "1000"], edit);
    lab.pid(&lab.create("limits"))
}

#[test]
fn limits_are_in_the_files() {
    let lab = lab();
    let cpus = fs::read_to_string("/proc/self/status").unwrap();
    let first = cpus.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap();
    let first = first.split([',', '-']).next().unwrap().to_owned();
    let pid = sleeping(&lab, |spec| {
        spec["linux"]["resources"] = json!({
            "memory": { "limit": 64 << 20, "reservation": 32 << 20, "swap": 64 << 20 },
            "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "cpus": first },
            "pids": { "limit": 33 },
            "blockIO": { "weight": 200 },
        });
    });
    let memory = (64 << 20).to_string();
    let reservation = (32 << 20).to_string();
    for (name, file, value) in [
        ("memory", "memory.limit_in_bytes", memory.as_str()),
        ("memory", "memory.soft_limit_in_bytes", &reservation),
        ("memory", "memory.memsw.limit_in_bytes", &memory),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpuset", "cpuset.cpus", &first),
        ("pids", "pids.max", "33"),
    ] {
        let Some(place) = controller(pid, name) else { continue };
        if place.join(file).exists() {
            assert_eq!(read(place.join(file)), value, "{file}");
        } else {
            skip(&format!("the {name} controller of this kernel has no {file}"));
        }
    }
}

/// The same where all controllers are in the unified hierarchy.
#[test]
fn limits_are_in_the_files_of_version_2() {
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return skip("this host has hierarchies of version 1");
    }
    let lab = lab();
    let pid = sleeping(&lab, |spec| {
        spec["linux"]["resources"] = json!({
            "memory": { "limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20 },
            "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0" },
            "pids": { "limit": 33 },
        });
    });
    let place = cgroups(pid).remove(0).1;
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("memory.swap.max", "33554432"),
        ("cpu.weight", "59"),
        ("cpu.max", "50000 100000"),
        ("cpuset.cpus", "0"),
        ("pids.max", "33"),
    ] {
        assert_eq!(read(place.join(file)), value, "{file}");
    }
}

#[test]
fn every_hierarchy_has_one() {
    let lab = lab();
    let pid = sleeping(&lab, edit::nothing);
    for (list, path) in cgroups(pid) {
        assert!(path.ends_with(lab.id("limits")), "{list}: {}", path.display());
        assert_eq!(read(path.join("cgroup.procs")), pid.to_string(), "{list}");
    }
}

#[test]
fn they_are_where_the_spec_says() {
    for path in ["/deep/er/CONTAINER", "relative/CONTAINER", "CONTAINER", "/CONTAINER", ""] {
        let lab = lab();
        let wish = path.replace("CONTAINER", &lab.id("limits")).replace("deep", &lab.id("deep"));
        let wish = wish.replace("relative", &lab.id("relative"));
        let pid = sleeping(&lab, |spec| spec["linux"]["cgroupsPath"] = json!(wish));
        let expected = if wish.is_empty() { lab.id("limits") } else { wish.trim_start_matches('/').to_owned() };
        for (list, place) in cgroups(pid) {
            assert!(place.ends_with(&expected), "{path} in {list}: {}", place.display());
            if path.starts_with('/') {
                assert_eq!(place.parent().unwrap().ancestors().count(), place.ancestors().count() - 1);
            }
        }
        let places: Vec<_> = cgroups(pid).into_iter().map(|(_, place)| place).collect();
        lab.brig(&["delete", "--force", &lab.id("limits")]).success();
        for place in places {
            assert!(!place.exists(), "{} is left", place.display());
            // Those above that were made for it are gone as well.
            assert!(
                !place.parent().unwrap().to_str().unwrap().contains("brig-test") || !place.parent().unwrap().exists()
            );
        }
        lab.assert_clean();
    }
}

/// One that a container made inside of its own goes with it.
#[test]
fn those_inside_are_removed_too() {
    let lab = lab();
    let script = "cd /sys/fs/cgroup; [ ! -d pids ] || cd pids; mkdir -p in/ner; echo 0 > in/ner/cgroup.procs; touch /log/ready; exec sleep 1000";
    lab.write(&["sh", "-c", script], |spec| {
        fs::create_dir(lab.path.join("log")).unwrap();
        edit::mount(spec, "/log", "bind", lab.path.join("log").to_str().unwrap(), &["bind"]);
        for mount in spec["mounts"].as_array_mut().unwrap().iter_mut().filter(|mount| mount["type"] == "cgroup") {
            mount["options"] = json!(["rw"]);
        }
    });
    let id = lab.launch("inside");
    until("the container has made them", || lab.path.join("log/ready").exists());
    let pids = |(list, path): &(String, PathBuf)| (list == "pids" || list.is_empty()) && path.ends_with("in/ner");
    assert!(cgroups(lab.pid(&id)).iter().any(pids));
    lab.brig(&["delete", "--force", &id]).success();
    lab.assert_clean();
}

/// How a node made inside answers, by what the rules say of it.
#[test]
fn devices_are_allowed_or_not() {
    let script = "mknod /tmp/zero c 1 5; mknod /tmp/kmsg c 1 11; \
        for node in zero kmsg; do (: < /tmp/$node) 2>&1 && echo $node may be read; done; \
        (: > /tmp/kmsg) 2>&1 && echo kmsg may be written; true";
    let denied = "Operation not permitted";
    let table: &[(Value, &[&str], usize)] = &[
        (json!([{ "allow": false, "access": "rwm" }]), &["zero may be read"], 2),
        (json!([]), &["zero may be read"], 2),
        (Value::Null, &["zero may be read"], 2),
        (
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "r" }]),
            &["zero may be read", "kmsg may be read"],
            1,
        ),
        (
            json!([{ "allow": true, "access": "rwm" }, { "allow": false, "type": "c", "major": 1, "minor": 11, "access": "w" }]),
            &["zero may be read", "kmsg may be read"],
            1,
        ),
    ];
    for (rules, allowed, refusals) in table {
        let seen = lab().sh(script, |spec| {
            edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["dev"]);
            for set in ["bounding", "effective", "permitted"] {
                spec["process"]["capabilities"][set] = json!(["CAP_MKNOD", "CAP_SYSLOG"]);
            }
            match rules {
                Value::Null => drop(spec["linux"].as_object_mut().unwrap().remove("resources")),
                rules => spec["linux"]["resources"]["devices"] = rules.clone(),
            }
        });
        let may: Vec<_> =
            seen.lines().filter(|line| line.ends_with("may be read") || line.ends_with("written")).collect();
        assert_eq!(may, *allowed, "{rules}: {seen}");
        assert_eq!(seen.lines().filter(|line| line.contains(denied)).count(), *refusals, "{rules}: {seen}");
    }
}

#[test]
fn the_list_of_devices_is_the_specs() {
    let lab = lab();
    let pid = sleeping(&lab, |spec| {
        spec["linux"]["resources"]["devices"] = json!([
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" },
            { "allow": true, "type": "b", "major": 7, "access": "r" },
        ]);
    });
    let Some(place) = controller(pid, "devices") else { return };
    let list = read(place.join("devices.list"));
    for line in ["c 10:229 rw", "b 7:* rm", "c 1:3 rwm", "c *:* m", "b *:* m"] {
        let kind = line.replace("rm", "r");
        assert!(list.lines().any(|found| found == line || found == kind), "{line} is not in\n{list}");
    }
    assert!(!list.lines().any(|line| line.starts_with('a')), "{list}");
}

#[test]
fn a_hog_is_killed() {
    let lab = lab();
    // tail(1) keeps what it is to print at the end, which never comes.
    lab.write(&["tail", "-c", "90000000", "/dev/zero"], |spec| {
        spec["linux"]["resources"]["memory"] = json!({ "limit": 20 << 20, "swap": 20 << 20 });
    });
    if !has_memory() {
        return skip("this host has no cgroup controller \"memory\"");
    }
    assert_eq!(lab.run().code(), Some(137));
    lab.assert_clean();
}

#[test]
fn a_limit_that_init_does_not_fit_in() {
    let lab = lab();
    lab.write(&["true"], |spec| spec["linux"]["resources"]["memory"] = json!({ "limit": 4096 }));
    if !has_memory() {
        return skip("this host has no cgroup controller \"memory\"");
    }
    let done = lab.run();
    // It may be just enough for init, and then the program is killed.
    match done.code() {
        Some(137) => {}
        _ => assert!(done.failure().contains("memory"), "{}", done.err()),
    }
    lab.assert_clean();
}

#[test]
fn a_bomb_stays_in_its_limit() {
    let lab = lab();
    let script = "i=0; while [ $i -lt 40 ]; do sleep 2 2>/dev/null & i=$((i + 1)); done 2>/dev/null; \
        ls -d /proc/[0-9]* | wc -l";
    let count =
        lab.write(&["sh", "-c", script], |spec| spec["linux"]["resources"]["pids"] = json!({ "limit": 12 })).run();
    // The shell gives up where it cannot fork: what counts is that no more came to be.
    if let Ok(count) = count.out().trim().parse::<u32>() {
        assert!(count <= 13, "{count} processes");
    }
    lab.assert_clean();
}

/// Limits are set while init is at work, and hold for a second init, too.
#[test]
fn a_small_limit_of_processes_is_enough_for_two_inits() {
    for _ in 0..5 {
        let lab = lab();
        let seen = lab.write(&["echo", "alive"], |spec| {
            edit::user_namespace(spec);
            spec["linux"]["resources"]["pids"] = json!({ "limit": 2 });
        });
        assert_eq!(seen.run().success(), "alive");
    }
}

/// Other kinds of hosts, each in a mount namespace of its own (of the machine nothing is changed).
pub const VIEWS: [(&str, &str); 3] = [
    (
        "hybrid without controllers in the unified hierarchy",
        "touch $empty; mount --bind $empty /sys/fs/cgroup/unified/cgroup.controllers",
    ),
    ("version 1 alone", "umount /sys/fs/cgroup/unified"),
    (
        "the unified hierarchy alone",
        "mkdir /sys/fs/cgroup/unified/$name; echo 0 > /sys/fs/cgroup/unified/$name/cgroup.procs; \
         mkdir /sys/fs/cgroup/unified/$name/caller; echo 0 > /sys/fs/cgroup/unified/$name/caller/cgroup.procs; \
         mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    ),
];

#[test]
fn on_other_kinds_of_hosts() {
    if !Path::new("/sys/fs/cgroup/unified").exists() {
        return skip("this host is not hybrid, so that no other kind can be made of it");
    }
    let ways = ["", "--all"].into_iter().flat_map(|how| VIEWS.map(|(view, setup)| (how, view, setup)));
    for (how, view, setup) in ways {
        let lab = lab();
        lab.write(
            &["sh", "-c", "sleep 1000 & cat /proc/self/cgroup; ls /sys/fs/cgroup; exec sleep 1000"],
            edit::nothing,
        );
        let id = lab.id("view");
        let name = lab.id("caller");
        let setup = format!("name={name}; empty='{}/empty'; {setup}", lab.path.display());
        let brig = lab.command(&[]);
        let brig = [brig.get_program()].into_iter().chain(brig.get_args()).map(|word| word.to_str().unwrap());
        let brig = brig.collect::<Vec<_>>().join(" ");
        let script = format!(
            "{brig} create {id} > /dev/null 2>&1 < /dev/null || {{ {brig} create {id}; exit 1; }}; \
             {brig} start {id}; {brig} state {id}; {brig} kill {id} CONT; {brig} kill --all {id} CONT; \
             {brig} pause {id}; {brig} state {id} | grep -q paused; {brig} kill {how} {id} KILL; \
             for i in $(seq 100); do {brig} state {id} | grep -q stopped && break; sleep 0.05; done; {brig} delete {id}; \
             find /sys/fs/cgroup -name '*{id}*'"
        );
        let mut command = std::process::Command::new("sh");
        command.args(["-ec", &script]);
        let done = lab.end(&mut lab.behind(&setup, &command));
        // Before anything is asserted: the caller's own cgroup was made by this test.
        for left in [format!("{name}/caller"), name] {
            let _ = fs::remove_dir(Path::new("/sys/fs/cgroup/unified").join(left));
        }
        let out = done.success();
        assert!(out.contains("\"status\": \"running\"") && out.ends_with('}'), "{view}: {out}");
        lab.assert_clean();
    }
}
