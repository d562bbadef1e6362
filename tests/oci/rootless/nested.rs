// SPDX-License-Identifier: Apache-2.0
//! brig in a container of brig's that has a user namespace: its root is not root of the host.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Home, Means, words};
use crate::common::{Lab, busybox};
use crate::{edit, lab};

/// The command, and the libraries that it needs unless it is static, in a root filesystem.
fn install(rootfs: &Path) {
    let brig = env!("CARGO_BIN_EXE_brig");
    let copy = |from: &str, to: &Path| {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // By a program: what another thread forks meanwhile would hold the file open for writing.
        assert!(Command::new("cp").args(["-L", from]).arg(to).status().unwrap().success());
    };
    copy(brig, &rootfs.join("bin/brig"));
    let listed = Command::new("ldd").arg(brig).output().map(|done| done.stdout).unwrap_or_default();
    for library in String::from_utf8_lossy(&listed).split_whitespace().filter(|word| word.starts_with('/')) {
        copy(library, &rootfs.join(library.trim_start_matches('/')));
    }
}

/// A container with a user namespace, all capabilities in it, and brig; its id.
fn outer(lab: &Lab, edit: impl FnOnce(&mut Value)) -> String {
    lab.write(&["sleep", "1000"], |spec| {
        edit::user_namespace(spec);
        edit::writable(spec);
        edit::mount(spec, "/run", "tmpfs", "tmpfs", &["mode=755"]);
        let capabilities = json!([
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
            "CAP_FSETID",
            "CAP_KILL",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETPCAP",
            "CAP_NET_ADMIN",
            "CAP_NET_BIND_SERVICE",
            "CAP_SYS_CHROOT",
            "CAP_SYS_ADMIN",
            "CAP_SYS_PTRACE",
            "CAP_AUDIT_WRITE",
            "CAP_MKNOD",
            "CAP_SETFCAP",
        ]);
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = capabilities.clone();
        }
        edit(spec);
    });
    let inner = lab.rootfs().join("inner");
    busybox(&inner.join("rootfs"));
    install(&lab.rootfs());
    edit::give_away(&lab.rootfs());
    lab.launch("outer")
}

/// Writes the inner configuration, and runs it.
fn inner(lab: &Lab, id: &str, rootless: bool, script: &str, edit: impl FnOnce(&mut Value)) -> String {
    let file = lab.rootfs().join("inner/config.json");
    let _ = fs::remove_file(&file);
    let spec: &[&str] = if rootless { &["spec", "--rootless"] } else { &["spec"] };
    lab.brig(&[&["exec", "--cwd", "/inner", id, "brig"][..], spec].concat()).success();
    let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(["sh", "-c", script]);
    edit(&mut spec);
    fs::write(&file, spec.to_string()).unwrap();
    let ran = lab.brig(&["exec", "--cwd", "/inner", id, "brig", "--rootless=true", "run", "inner"]);
    assert_eq!(lab.brig(&["exec", id, "brig", "list", "--quiet"]).success(), "");
    ran.success()
}

fn unmasked(spec: &mut Value) {
    spec["linux"]["maskedPaths"] = json!([]);
    spec["linux"]["readonlyPaths"] = json!([]);
}

/// On a root filesystem whose files belong to root on the disk, by an ID-mapped mount to root of the user namespace, and
/// inside to root again.
#[test]
fn a_root_filesystem_that_is_id_mapped() {
    let lab = lab();
    let image = lab.path.join("image");
    busybox(&image);
    let id = outer(&lab, |spec| {
        edit::remove_namespace(spec, "user");
        spec["linux"].as_object_mut().unwrap().remove("uidMappings");
        spec["linux"].as_object_mut().unwrap().remove("gidMappings");
        edit::mount(spec, "/mapped", "none", image.to_str().unwrap(), &["bind"]);
        let mapping = json!([{ "containerID": 0, "hostID": edit::FIRST_ID, "size": 65_536 }]);
        let mount = spec["mounts"].as_array_mut().unwrap().last_mut().unwrap();
        (mount["uidMappings"], mount["gidMappings"]) = (mapping.clone(), mapping);
        unmasked(spec);
    });
    let seen = inner(&lab, &id, false, "stat -c %u:%g /bin/busybox; touch /made && stat -c %u:%g /made", |spec| {
        edit::user_namespace(spec);
        spec["root"] = json!({ "path": "/mapped" });
    });
    assert_eq!(seen, "0:0\n0:0");
    let made = fs::metadata(image.join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (0, 0));
}

/// With the namespaces and mounts of root's own configuration, and with a user namespace once more.
#[test]
fn a_container_in_a_container() {
    let lab = lab();
    let id = outer(&lab, unmasked);
    let script = "id -u; echo x > /dev/null; stat -c %t:%T /dev/full; cat /proc/self/uid_map; ps | wc -l; hostname";
    for rootless in [false, true] {
        let seen = inner(&lab, &id, rootless, script, edit::nothing);
        let lines: Vec<Vec<&str>> = seen.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!((&lines[0][..], &lines[1][..]), (&["0"][..], &["1:7"][..]), "{seen}");
        let map: &[&str] = if rootless { &["0", "0", "1"] } else { &["0", "100000", "65536"] };
        // As the inner one sees it: from the namespace above, which is the outer's, or the host's.
        assert_eq!(lines[2], map, "{seen}");
        assert!(lines[3][0].parse::<u32>().unwrap() <= 4, "{seen}");
        assert_eq!(lines[4], ["brig"]);
    }
}

/// A user who has become root of a user namespace by itself, with other namespaces or without.
#[test]
fn in_a_user_namespace_of_ones_own() {
    let home = Home::new(&Means::default());
    for flags in ["-Ur", "-Urm", "-Urmpf --mount-proc", "-UrmC", "-Urn"] {
        let mut command = words(&home.command(&[]));
        let place = command.iter().position(|word| word == env!("CARGO_BIN_EXE_brig")).unwrap();
        let unshare = ["/usr/bin/unshare"].into_iter().chain(flags.split(' ')).map(str::to_owned);
        command.splice(place..place, unshare);
        home.write(&["sh", "-c", "id -u; cat /proc/self/uid_map; touch /sys/made 2>/dev/null || echo kept"], |spec| {
            for list in ["uidMappings", "gidMappings"] {
                spec["linux"][list] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
            }
        });
        command.extend(["run".to_owned(), home.id("run")]);
        let seen = home.end(&mut super::command(&command, &home)).success();
        assert!(seen.split_whitespace().eq(["0", "0", "0", "1", "kept"]), "{flags}: {seen}");
        home.assert_clean();
    }
    home.assert_nobody();
}

/// Where parts of /proc are hidden no new one may be mounted; a bind mount of it is what there is then.
#[test]
fn a_proc_that_is_bound() {
    let lab = lab();
    let id = outer(&lab, edit::nothing);
    let bound = |spec: &mut Value| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let proc = mounts.iter_mut().find(|mount| mount["destination"] == "/proc").unwrap();
        *proc = json!({ "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind", "nosuid"] });
    };
    for rootless in [false, true] {
        let seen = inner(&lab, &id, rootless, "id -u; cat /proc/uptime > /dev/null && echo there", |spec| {
            bound(spec);
            // Of the outer container's processes.
            edit::remove_namespace(spec, "pid");
        });
        assert_eq!(seen, "0\nthere");
        assert_eq!(inner(&lab, &id, rootless, "echo ran", bound), "ran");
    }
    let ran = lab.brig(&["exec", "--cwd", "/inner", &id, "sh", "-c", "rm config.json; brig spec --rootless; sed -i 's/\"terminal\": true/\"terminal\": false/' config.json; brig run inner"]);
    let error = ran.err();
    assert!(error.contains("filesystem proc: cannot"), "{error}");
    assert!(error.contains("parts of /proc are hidden"), "{error}");
}
