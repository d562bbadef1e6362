// SPDX-License-Identifier: Apache-2.0
//! What is worked out from texts, and what becomes of a directory that looks like resctrl.

use serde_json::json;

use super::*;

fn wish(section: serde_json::Value) -> LinuxIntelRdt {
    serde_json::from_value(section).unwrap()
}

fn lines(section: serde_json::Value) -> Vec<String> {
    schemata::lines(&wish(section))
}

/// A directory that goes with the test.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("brig-test-rdt-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn plan(&self, section: serde_json::Value) -> Result<Rdt> {
        Rdt::plan_in(self.0.clone(), &wish(section), "box")
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_mount_is_found_by_its_type() {
    let text = b"21 20 0:19 / /sys rw - sysfs sysfs rw\n\
        30 21 0:30 / /sys/fs/resctrl rw,relatime shared:9 master:1 - resctrl resctrl rw\n\
        31 21 0:31 / /mnt/with\\040space rw - resctrl none rw,cdp\n\
        32 21 0:32 / /mnt/resctrl rw - tmpfs resctrl rw\n";
    assert_eq!(mount_point(text), Some(PathBuf::from("/mnt/with space")));
    assert_eq!(mount_point(&text[..120]), Some(PathBuf::from("/sys/fs/resctrl")));
    assert_eq!(mount_point(b"32 21 0:32 / /mnt/resctrl rw - tmpfs resctrl rw\n\n- resctrl\n"), None);
}

#[test]
fn lines_come_in_their_order() {
    assert_eq!(lines(json!({})), [""; 0]);
    assert_eq!(lines(json!({ "l3CacheSchema": "L3:0=f\nMB:0=1\n" })), ["L3:0=f", "MB:0=1"]);
    let both = json!({ "l3CacheSchema": "MB:0=1\nL3:0=f", "memBwSchema": "MB:0=2" });
    assert_eq!(lines(both), ["L3:0=f", "MB:0=2"]);
    let all = json!({ "schemata": ["L2:0=1", "MB:0=3"], "memBwSchema": "MB:0=2", "l3CacheSchema": "L3:0=f" });
    assert_eq!(lines(all), ["L3:0=f", "MB:0=2", "L2:0=1", "MB:0=3"]);
}

#[test]
fn schemata_are_compared_by_their_values() {
    let file = "    MB:0=100;1= 50\n    L3:0=00f;1=7ff\n  L3CODE:0=0001\n";
    let compare = |line: &str| schemata::compare(&[line.to_owned()], file);
    for line in ["L3:0=f;1=7FF", "L3:1=0x7ff", " L3 : 0 = f ", "MB:1=50;0=100", "MB:0=0100", "L3CODE:0=1", "L3:"] {
        assert_eq!(compare(line), Ok(()), "{line}");
    }
    for (line, words) in [
        ("L3:0=ff", "differs from \"L3:0=00f;1=7ff\""),
        ("L3:2=f", "its L3 has no 2"),
        ("MB:0=10", "differs from"),
        ("L2:0=1", "it has no L2"),
    ] {
        assert!(compare(line).unwrap_err().contains(words), "{line}");
    }
}

#[test]
fn a_failure_says_what_resctrl_says() {
    let root = Root::new("status");
    fs::create_dir(root.0.join("info")).unwrap();
    fs::write(root.0.join("info/last_cmd_status"), "Mask out of range\n").unwrap();
    // Nobody can write to a directory.
    fs::create_dir_all(root.0.join("box/schemata")).unwrap();
    let error = root.plan(json!({ "schemata": ["L3:0=fff"] })).unwrap().create().unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/linux/intelRdt"));
    assert!(error.message.starts_with("/linux/intelRdt: cannot write \"L3:0=fff\" to "), "{error}");
    assert!(error.message.ends_with(": Mask out of range"), "{error}");
}

#[test]
fn what_was_there_stays() {
    let root = Root::new("stays");
    let group = root.0.join("box");
    let mut own = root.plan(json!({ "enableMonitoring": true })).unwrap();
    own.create().unwrap();
    // As whoever reads the record has it.
    let own: Rdt = serde_json::from_value(serde_json::to_value(&own).unwrap()).unwrap();
    assert!(group.join("mon_groups/box").is_dir());
    own.remove().unwrap();
    assert!(!group.exists());
    own.remove().unwrap();

    fs::create_dir(&group).unwrap();
    let mut found = root.plan(json!({ "enableMonitoring": true })).unwrap();
    found.create().unwrap();
    found.undo().unwrap();
    assert!(group.is_dir() && !group.join("mon_groups/box").exists());

    // Made by somebody else between the plan and the create.
    let mut late = root.plan(json!({ "closID": "gold", "schemata": ["L3:0=f"] })).unwrap();
    fs::create_dir(root.0.join("gold")).unwrap();
    fs::write(root.0.join("gold/schemata"), "L3:0=ff\n").unwrap();
    assert_eq!(late.create().unwrap_err().pointer.as_deref(), Some("/linux/intelRdt/closID"));
    late.undo().unwrap();
    assert!(root.0.join("gold").is_dir());
}

#[test]
fn a_failed_create_leaves_no_class_with_a_name() {
    let root = Root::new("named");
    let section = || json!({ "closID": "silver", "schemata": ["L3:0=f"] });
    let mut made = root.plan(section()).unwrap();
    made.create().unwrap();
    made.undo().unwrap();
    assert!(!root.0.join("silver").exists());
    // But one that somebody is in by now.
    let mut made = root.plan(section()).unwrap();
    made.create().unwrap();
    made.join(7).unwrap();
    made.undo().unwrap();
    assert!(root.0.join("silver").is_dir());
}

#[test]
fn a_container_is_not_named_as_what_resctrl_has() {
    let root = Root::new("names");
    let error = Rdt::plan_in(root.0.clone(), &wish(json!({})), "info").unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/linux/intelRdt/closID"));
}
