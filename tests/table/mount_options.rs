// SPDX-License-Identifier: Apache-2.0
//! The mount options of config.md, one by one.

use serde_json::json;

use crate::row::{Row, row};

/// A new tmpfs at /data with these options.
fn tmpfs(name: &str, options: &[&str], script: &str, output: &str) -> Row {
    let mount = |options: &[&str]| {
        json!({ "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": options }).to_string()
    };
    let (last, before) = options.split_last().expect("an option");
    assert_eq!(*last, name);
    // Without the option, the mount is still there.
    let edits = [("/mounts/-", mount(before)), ("/mounts/7", mount(options))];
    let edits = edits.each_ref().map(|(pointer, value)| (*pointer, value.as_str()));
    row(&format!("mount option {name}"), &edits, script, output).preparing(1)
}

/// A bind mount of a directory of the host's with another mount below it; both are mounted with `attributes` there.
fn tree(name: &str, attributes: &str, script: &str, output: &str) -> Row {
    let mount = |options: &[&str]| {
        json!({ "destination": "/data", "type": "none", "source": "@BUNDLE@/tree", "options": options }).to_string()
    };
    let edits = [("/mounts/-", mount(&["rbind"])), ("/mounts/7", mount(&["rbind", name]))];
    let edits = edits.each_ref().map(|(pointer, value)| (*pointer, value.as_str()));
    let comma = if attributes.is_empty() { "" } else { "," };
    let before = format!(
        "mkdir tree; mount -t tmpfs -o mode=755{comma}{attributes} tree tree
         [ -d tree/sub ] || mkdir tree/sub 2>/dev/null || {{ mount -o remount,rw tree; mkdir tree/sub; mount -o remount,ro tree; }}
         mount -t tmpfs -o mode=755{comma}{attributes} sub tree/sub; mount --make-rshared tree"
    );
    row(&format!("mount option {name}"), &edits, script, output).before(&before).preparing(1)
}

/// An option that asks for what the kernel does anyway, or does no longer: it must be taken.
fn taken(name: &str) -> Row {
    tmpfs(name, &[name], "line /data | cut -d' ' -f5", "/data").true_anyway()
}

/// All of them, in the order of the specification.
pub fn rows() -> Vec<Row> {
    let mut rows = attributes();
    rows.extend(superblock());
    rows.extend(recursive());
    rows.extend(others());
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

/// Set by a name, and cleared by another that comes later.
fn attributes() -> Vec<Row> {
    let mut rows = Vec::new();
    for (set, clear) in [
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("nosuid", "suid"),
        ("nosymfollow", "symfollow"),
        ("nodiratime", "diratime"),
        ("noatime", "atime"),
        ("ro", "rw"),
    ] {
        let script = format!("has $(attributes /data) {set}");
        rows.push(tmpfs(set, &[set], &script, "yes"));
        rows.push(tmpfs(clear, &[set, clear], &script, "no"));
    }
    let times = "has $(attributes /data) relatime; has $(attributes /data) noatime";
    rows.extend([
        tmpfs("relatime", &["noatime", "relatime"], times, "yes no"),
        tmpfs("strictatime", &["strictatime"], times, "no no"),
        tmpfs("nostrictatime", &["strictatime", "nostrictatime"], times, "yes no"),
        taken("norelatime"),
        taken("defaults"),
    ]);
    rows
}

/// Flags of the superblock.
fn superblock() -> Vec<Row> {
    let shown = |name: &str| format!("has $(superblock /data) {name}");
    vec![
        tmpfs("sync", &["sync"], &shown("sync"), "yes"),
        tmpfs("async", &["sync", "async"], &shown("sync"), "no"),
        tmpfs("dirsync", &["dirsync"], &shown("dirsync"), "yes"),
        tmpfs("lazytime", &["lazytime"], &shown("lazytime"), "yes"),
        tmpfs("nolazytime", &["lazytime", "nolazytime"], &shown("lazytime"), "no"),
        // Mandatory locking went with 5.15, its options stayed.
        taken("mand"),
        taken("nomand"),
        taken("iversion"),
        taken("noiversion"),
        taken("silent"),
        taken("loud"),
    ]
}

/// With all mounts below.
fn recursive() -> Vec<Row> {
    let mut rows = Vec::new();
    for (set, clear, attribute) in [
        ("rnodev", "rdev", "nodev"),
        ("rnoexec", "rexec", "noexec"),
        ("rnosuid", "rsuid", "nosuid"),
        ("rnosymfollow", "rsymfollow", "nosymfollow"),
        ("rnodiratime", "rdiratime", "nodiratime"),
        ("rnoatime", "ratime", "noatime"),
        ("rro", "rrw", "ro"),
    ] {
        let script = format!("has $(attributes /data) {attribute}; has $(attributes /data/sub) {attribute}");
        rows.push(tree(set, "", &script, "yes yes"));
        rows.push(tree(clear, attribute, &script, "no no"));
    }
    let times = "for at in /data /data/sub; do has $(attributes $at) relatime; has $(attributes $at) noatime; done";
    rows.extend([
        tree("rrelatime", "noatime", times, "yes no yes no"),
        tree("rstrictatime", "", times, "no no no no"),
        tree("rnostrictatime", "strictatime", times, "yes no yes no"),
        tree("rnorelatime", "", "line /data/sub | cut -d' ' -f5", "/data/sub").true_anyway(),
    ]);
    // Of a shared mount, what no option says otherwise of becomes a slave.
    let both = "for at in /data /data/sub; do echo \"[$(propagation $at)]\"; done";
    let shared = "for at in /data /data/sub; do propagation $at | grep -o shared; done";
    rows.extend([
        tree("rshared", "", shared, "shared shared"),
        tree("rslave", "", both, "[master] [master]").true_anyway(),
        tree("rprivate", "", both, "[] []"),
        tree("runbindable", "", both, "[unbindable] [unbindable]"),
    ]);
    rows
}

/// Ids 0 to 9 of the filesystem are 1000 to 1009 on the mount.
const SHIFTED: &str = r#"[{"containerID": 0, "hostID": 1000, "size": 10}]"#;

/// A mount of a tree of root's with other owners.
fn shifted(option: &str, script: &str, output: &str) -> Row {
    let mount =
        json!({ "destination": "/data", "type": "none", "source": "@BUNDLE@/tree", "options": ["rbind", option] });
    let plain = mount.to_string().replace(&format!(",\"{option}\""), "");
    let (uids, gids) = ("/mounts/7/uidMappings", "/mounts/7/gidMappings");
    let edits =
        [("/mounts/-", plain), ("/mounts/7", mount.to_string()), (uids, SHIFTED.into()), (gids, SHIFTED.into())];
    let edits = edits.each_ref().map(|(pointer, value)| (*pointer, value.as_str()));
    row(&format!("mount option {option}"), &edits, script, output).preparing(1).before(
        "mkdir tree; mount -t tmpfs -o mode=755 tree tree; mkdir tree/sub; mount -t tmpfs -o mode=755 sub tree/sub",
    )
}

fn others() -> Vec<Row> {
    let one = "propagation /data";
    let bind = r#"{"destination": "/data", "type": "none", "source": "@BUNDLE@/mine", "options": ["OPTION"]}"#;
    let bound = |option: &str, script: &str, output: &str| {
        row(&format!("mount option {option}"), &[("/mounts/-", &bind.replace("OPTION", option))], script, output)
    };
    let again = r#"{"destination": "/data", "options": ["remount", "ro"]}"#;
    let here = r#"{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}"#;
    vec![
        bound("bind", "cat /data/file", "mine").before("mkdir mine; echo mine > mine/file"),
        bound("rbind", "cat /data/sub/file", "below")
            .before("mkdir -p mine/sub; mount -t tmpfs tmpfs mine/sub; echo below > mine/sub/file"),
        row("mount option remount", &[("/mounts/-", here), ("/mounts/-", again)], "has $(attributes /data) ro", "yes")
            .preparing(1),
        tree("shared", "", "propagation /data | grep -o shared", "shared"),
        tree("slave", "", one, "master").true_anyway(),
        tree("private", "", "echo \"[$(propagation /data)]\"", "[]"),
        tree("unbindable", "", one, "unbindable"),
        shifted("idmap", "stat -c '%u %g' /data /data/sub", "1000 1000 0 0"),
        shifted("ridmap", "stat -c '%u %g' /data /data/sub", "1000 1000 1000 1000"),
        tmpfs("tmpcopyup", &["tmpcopyup"], "cat /data/file", "copied")
            .before("mkdir rootfs/data; echo copied > rootfs/data/file"),
    ]
}
