// SPDX-License-Identifier: Apache-2.0
//! Network devices that move to the container: veth pairs in a network namespace of the test's own, so that the machine
//! keeps its devices.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Done, Lab};
use crate::{edit, lab};

/// Devices one0 and two0, with addresses of all kinds, as the caller of brig sees them.
const DEVICES: &str = "ip link set lo up
ip link add one0 type veth peer name one1
ip link add two0 type veth peer name two1
ip address add 10.9.8.7/24 brd 10.9.8.255 dev one0 label one0:tag
ip address add 10.9.7.1/32 dev one0
ip address add 169.254.3.3/16 scope link dev one0
ip address add 10.9.6.1/24 dev one0 valid_lft 1000 preferred_lft 1000
ip address add fd00:9::7/64 dev one0 nodad
ip address add 10.7.7.7/24 dev two0
ip link set one0 up; ip link set one1 up";

/// brig in such a namespace, with what is then there printed behind its output.
fn behind(lab: &Lab, setup: &str, args: &[&str]) -> Done {
    let command = lab.command(args);
    let script = format!(
        "set -eu\n{DEVICES}\n{setup}\nset +e\n\"$@\"\ncode=$?\necho AFTER\nip -o address\nip -o link\nexit $code"
    );
    let mut outer = Command::new("unshare");
    outer.args(["--net", "sh", "-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    lab.end(outer.current_dir(lab.bundle()))
}

fn run(lab: &Lab) -> Done {
    behind(lab, "", &["run", &lab.id("run")])
}

fn give(spec: &mut Value, devices: Value) {
    spec["linux"]["netDevices"] = devices;
}

/// What the test's namespace has of these words after brig has ended.
fn after(done: &Done) -> String {
    done.out().split_once("AFTER\n").unwrap_or_default().1.to_owned()
}

#[test]
fn a_device_is_moved_with_its_addresses() {
    for in_user_namespace in [false, true] {
        for (devices, name) in [(json!({ "one0": {} }), "one0"), (json!({ "one0": { "name": "eth7" } }), "eth7")] {
            let lab = lab();
            lab.write(&["sh", "-c", &format!("ip link show; ip address show dev {name}")], |spec| {
                give(spec, devices);
                if in_user_namespace {
                    edit::user_namespace(spec);
                }
            });
            edit::give_away(&lab.rootfs());
            let done = run(&lab);
            let seen = done.success();
            let (inside, outside) = seen.split_once("AFTER").unwrap();
            for text in [
                &format!(": {name}"),
                "LOWER_UP",
                "inet 10.9.8.7/24 brd 10.9.8.255 scope global",
                "inet 10.9.7.1/32 scope global",
                "inet6 fd00:9::7/64 scope global",
            ] {
                assert!(inside.contains(text), "{text:?} is not in {inside}");
            }
            // Of link scope, or with an end.
            for text in ["169.254.3.3", "10.9.6.1", "two0"] {
                assert!(!inside.contains(text), "{text:?} is in {inside}");
            }
            // A virtual device ends with its namespace.
            assert!(!outside.contains("one0") && outside.contains("two0"), "{outside}");
        }
    }
}

#[test]
fn several_devices_and_a_namespace_that_is_joined() {
    let lab = lab();
    lab.write(&["ip", "address"], |spec| {
        edit::namespace(spec, "network", Some("/proc/self/fd/3"));
        give(spec, json!({ "two0": { "name": "one0" }, "one0": { "name": "eth0" } }));
    });
    // The namespace is a process's, which holds another device as well.
    let setup = format!(
        "unshare --net sleep 1000 & sleep 0.2; pid=$!; trap \"kill $pid\" EXIT
         ip link add there0 type veth peer name there1; ip link set there1 netns $pid
         sed -i \"s|/proc/self/fd/3|/proc/$pid/ns/net|\" '{}/config.json'",
        lab.bundle().display()
    );
    let seen = behind(&lab, &setup, &["run", &lab.id("run")]).success();
    let (inside, outside) = seen.split_once("AFTER").unwrap();
    for text in [": eth0", "10.9.8.7", ": one0", "10.7.7.7", ": there1"] {
        assert!(inside.contains(text), "{text:?} is not in {inside}");
    }
    assert!(!outside.contains("one0") && !outside.contains("two0"), "{outside}");
}

#[test]
fn hooks_find_them_there() {
    let lab = lab();
    let out = lab.path.join("seen");
    let script = format!(
        "pid=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'); nsenter -t $pid -n ip -o link > {}",
        out.display()
    );
    lab.write(&["true"], |spec| {
        give(spec, json!({ "one0": {} }));
        spec["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"] }] });
    });
    run(&lab).success();
    let seen = std::fs::read_to_string(out).unwrap();
    assert!(seen.contains(" one0"), "{seen}");
}

/// Whatever goes wrong after the move: the caller has its devices again, as they were.
#[test]
fn they_come_back_if_the_create_fails() {
    type Edit = fn(&mut Value);
    let table: [(Edit, &str); 4] = [
        (|spec| spec["process"]["args"] = json!(["/no/such/program"]), "/process/args/0"),
        (|spec| spec["hooks"] = json!({ "prestart": [{ "path": "/bin/false" }] }), "/hooks/prestart/0"),
        (|spec| edit::mount(spec, "/m", "bind", "/no/such", &["bind"]), "/mounts/7"),
        (
            |spec| spec["linux"]["netDevices"]["zzz0"] = json!({}),
            "/linux/netDevices/zzz0: there is no network device zzz0",
        ),
    ];
    for (edit, text) in table {
        let lab = lab();
        lab.write(&["true"], |spec| {
            give(spec, json!({ "one0": { "name": "eth0" }, "two0": {} }));
            edit(spec);
        });
        let done = run(&lab);
        assert!(done.err().contains(text), "{}", done.err());
        assert_eq!(done.code(), Some(1));
        let found = after(&done);
        for text in
            ["10.9.8.7/24 brd 10.9.8.255", "10.9.7.1/32", "fd00:9::7/64", "10.7.7.7/24", " one0@one1", " two0@two1"]
        {
            assert!(found.contains(text), "{text:?} is not in {found}");
        }
        let line = |name: &str| found.lines().find(|line| line.contains(&format!(" {name}@"))).unwrap().to_owned();
        assert!(line("one0").contains(",UP") && !line("two0").contains(",UP"), "{found}");
        lab.assert_clean();
    }
}

/// At each place of the host's half behind the move, and in each step of init behind it.
#[cfg(feature = "fault-injection")]
#[test]
fn they_come_back_from_everywhere() {
    for fault in ["fail:network", "fail:devices", "fail:commit", "fail:reply", "fail:done", "step:40", "step:60"] {
        let lab = lab();
        lab.write(&["true"], |spec| give(spec, json!({ "one0": { "name": "eth0" } })));
        let done = behind(&lab, &format!("export BRIG_FAULT={fault}"), &["create", &lab.id("run")]);
        assert!(done.err().contains("injected fault"), "{fault}: {}", done.err());
        let found = after(&done);
        assert!(found.contains(" one0@one1") && found.contains("10.9.8.7/24"), "{fault}: {found}");
        lab.assert_clean();
    }
}

#[test]
fn what_cannot_be_moved_is_told() {
    let table = [
        (json!({ "eth9": {} }), "/linux/netDevices/eth9: there is no network device eth9"),
        (
            json!({ "one0": { "name": "lo" } }),
            "/linux/netDevices/one0: the container's network namespace has a device lo already",
        ),
        (
            json!({ "lo": { "name": "lo1" } }),
            "/linux/netDevices/lo: lo is of a kind that stays in its network namespace",
        ),
    ];
    for (devices, text) in table {
        let lab = lab();
        lab.write(&["true"], |spec| give(spec, devices));
        let done = run(&lab);
        assert_eq!(done.code(), Some(1));
        assert!(done.err().contains(text), "{}", done.err());
        assert!(after(&done).contains("10.9.8.7"), "{}", done.out());
        lab.assert_clean();
    }
    let lab = lab();
    lab.write(&["true"], |spec| {
        edit::namespace(spec, "network", Some("/proc/self/ns/net"));
        give(spec, json!({ "one0": {} }));
    });
    let done = run(&lab);
    let text = "/linux/netDevices: the container's network namespace is that of the caller";
    assert!(done.err().contains(text), "{}", done.err());
}
