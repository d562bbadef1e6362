// SPDX-License-Identifier: Apache-2.0
//! Hostile images: what they link and swap leads nowhere, and a canary on the host stays as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::Canary;
use crate::common::{Done, Lab};
use crate::{edit, lab};

/// Puts a link in place of what the image has there.
fn replace(lab: &Lab, name: &str, target: &Path) {
    let path = lab.rootfs().join(name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&path).unwrap(),
        Ok(_) => fs::remove_file(&path).unwrap(),
        Err(_) => fs::create_dir_all(path.parent().unwrap()).unwrap(),
    }
    symlink(target, path).unwrap();
}

/// The mounts whose destination is not below this.
fn without_mounts_at(spec: &mut Value, place: &str) {
    let below = |mount: &Value| Path::new(mount["destination"].as_str().unwrap()).starts_with(place);
    spec["mounts"].as_array_mut().unwrap().retain(|mount| !below(mount));
}

/// Refused, or done inside of the image: both are well.
fn refused_or_inside(done: &Done, what: &str) {
    match done.code() {
        Some(0) => println!("{what}: inside"),
        Some(1) => println!("{what}: {}", done.err().trim()),
        code => panic!("{what}: {code:?} {}", done.err()),
    }
}

/// CVE-2019-18837, CVE-2026-41579, CVE-2026-47766: nodes and links are not made on the host.
#[test]
fn dev_is_a_link_to_the_host() {
    for with_mount in [true, false] {
        let lab = lab();
        let canary = Canary::new(&lab);
        for link in canary.links() {
            lab.write(&["true"], |spec| {
                edit::writable(spec);
                if !with_mount {
                    without_mounts_at(spec, "/dev");
                }
            });
            replace(&lab, "dev", &link);
            let what = format!("/dev -> {} (mount: {with_mount})", link.display());
            refused_or_inside(&lab.run(), &what);
            canary.assert_alive(&what);
        }
    }
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: what seems to be /proc must be it.
#[test]
fn proc_and_sys_are_links() {
    for (name, pointer) in [("proc", "/mounts/0"), ("sys", "/mounts/5")] {
        let lab = lab();
        let canary = Canary::new(&lab);
        for link in canary.links().into_iter().chain(["/tmp".into(), "tmp".into(), "/nowhere".into()]) {
            lab.write(&["true"], edit::writable);
            replace(&lab, name, &link);
            let error = lab.run().failure();
            assert!(error.contains(pointer) && error.contains("must be mounted on an ordinary directory"), "{error}");
            canary.assert_alive(&format!("/{name} -> {}", link.display()));
            lab.assert_clean();
        }
    }
}

/// CVE-2019-16884: files of procfs cannot be covered, so that a write there is one.
#[test]
fn proc_cannot_be_covered() {
    let lab = lab();
    for place in ["/proc/self/attr", "/proc/1", "/proc/sys/net", "/proc/self/../sys", "/tmp/../proc/self/attr/exec"] {
        lab.write(&["true"], |spec| edit::mount(spec, place, "tmpfs", "tmpfs", &[]));
        let error = lab.run().failure();
        assert!(error.contains("/mounts/7"), "{place}: {error}");
        lab.assert_clean();
    }
    // By a link of the image, which no check of the text sees.
    lab.write(&["true"], |spec| edit::mount(spec, "/innocent", "tmpfs", "tmpfs", &[]));
    replace(&lab, "innocent", Path::new("/proc/sys"));
    let error = lab.run().failure();
    assert!(error.contains("/mounts/7") && error.contains("procfs"), "{error}");
}

/// CVE-2019-18837: no component of a target leads out.
#[test]
fn mount_targets_lead_to_the_host() {
    let lab = lab();
    let canary = Canary::new(&lab);
    let source = lab.path.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    for link in canary.links() {
        for destination in ["/a", "/a/new", "/a/bird", "/a/../a/new/deep", "/b/a", "/b/a/new"] {
            for kind in ["tmpfs", "directory", "file"] {
                lab.write(&["true"], |spec| {
                    edit::writable(spec);
                    match kind {
                        "tmpfs" => edit::mount(spec, destination, "tmpfs", "tmpfs", &[]),
                        "directory" => edit::mount(spec, destination, "bind", source.to_str().unwrap(), &["bind"]),
                        _ => edit::mount(spec, destination, "bind", source.join("file").to_str().unwrap(), &["bind"]),
                    }
                });
                replace(&lab, "a", &link);
                replace(&lab, "b", Path::new("/etc"));
                replace(&lab, "etc/a", &link);
                let what = format!("{kind} at {destination}, which leads to {}", link.display());
                refused_or_inside(&lab.run(), &what);
                canary.assert_alive(&what);
                lab.assert_clean();
            }
        }
    }
}

/// CVE-2025-31133: what masks is a real /dev/null, whatever the image calls so.
#[test]
fn dev_null_of_the_image_is_not() {
    let lab = lab();
    let canary = Canary::new(&lab);
    let script = "stat -c '%F %t:%T' /proc/version /tmp/key; cat /proc/version /tmp/key | wc -c";
    let expected = "character special file 1:3\ncharacter special file 1:3\n0";
    let hide = |spec: &mut Value| spec["linux"]["maskedPaths"] = json!(["/proc/version", "/tmp/key"]);
    lab.write(&["true"], hide);
    fs::write(lab.rootfs().join("tmp/key"), "secret").unwrap();
    for target in [canary.path.join("bird"), "/proc/sys/kernel/core_pattern".into(), "/etc/passwd".into()] {
        // Under a /dev of its own the image's is not seen at all.
        replace(&lab, "dev/null", &target);
        assert_eq!(lab.sh(script, hide), expected);
        let bare = |spec: &mut Value| {
            hide(spec);
            without_mounts_at(spec, "/dev");
        };
        let error = lab.write(&["sh", "-c", script], bare).run().failure();
        assert!(error.contains("/dev/null"), "{error}");
        canary.assert_alive("a false /dev/null");
        lab.assert_clean();
    }
}

/// CVE-2025-52565: the terminal is that of the container's own devpts.
#[test]
fn terminals_are_links() {
    for name in ["dev/console", "dev/ptmx", "dev/pts", "dev/pts/ptmx"] {
        let lab = lab();
        let canary = Canary::new(&lab);
        for (link, with_mount) in canary.links().iter().flat_map(|link| [(link, true), (link, false)]) {
            lab.write(&["true"], |spec| {
                edit::writable(spec);
                spec["process"]["terminal"] = json!(true);
                if !with_mount {
                    let terminals = spec["mounts"][2].clone();
                    without_mounts_at(spec, "/dev");
                    spec["mounts"].as_array_mut().unwrap().push(terminals);
                }
            });
            let _ = fs::remove_dir_all(lab.rootfs().join("dev"));
            fs::create_dir_all(lab.rootfs().join("dev/pts")).unwrap();
            let target = if name == "dev/pts" { link.clone() } else { link.join("bird") };
            replace(&lab, name, &target);
            let what = format!("/{name} -> {} (mount of /dev: {with_mount})", target.display());
            refused_or_inside(&lab.run(), &what);
            canary.assert_alive(&what);
            lab.assert_clean();
        }
    }
}

/// CVE-2024-21626: no descriptor that is open by chance is a way out.
#[test]
fn the_working_directory_is_a_descriptor() {
    let lab = lab();
    for number in 3..=20 {
        for cwd in [format!("/proc/self/fd/{number}"), format!("/proc/1/fd/{number}/../../..")] {
            lab.write(&["sh", "-c", "pwd; ls"], |spec| spec["process"]["cwd"] = json!(cwd));
            let error = lab.run().failure();
            assert!(error.contains("/process/cwd"), "{cwd}: {error}");
            lab.assert_clean();
        }
    }
    // Nor by a link of the image.
    lab.write(&["pwd"], |spec| spec["process"]["cwd"] = json!("/innocent"));
    for number in 3..=20 {
        replace(&lab, "innocent", Path::new(&format!("/proc/self/fd/{number}")));
        lab.run().failure();
    }
}

/// CVE-2021-30465, CVE-2024-45310: a directory and a link to the host change places all the time.
#[test]
fn a_target_is_swapped_for_a_link() {
    const TRIES: usize = 100;
    let lab = lab();
    let canary = Canary::new(&lab);
    let source = lab.path.join("source");
    fs::create_dir(&source).unwrap();
    lab.write(&["true"], |spec| {
        edit::writable(spec);
        edit::mount(spec, "/swap/below", "tmpfs", "tmpfs", &[]);
        edit::mount(spec, "/swap/made/deep", "bind", source.to_str().unwrap(), &["bind"]);
        edit::mount(spec, "/swap", "bind", source.to_str().unwrap(), &["bind"]);
        spec["linux"]["devices"] = json!([{ "path": "/swap/node", "type": "c", "major": 1, "minor": 3 }]);
        spec["linux"]["maskedPaths"] = json!(["/swap/bird"]);
        spec["linux"]["readonlyPaths"] = json!(["/swap"]);
    });
    let (place, link) = (lab.rootfs().join("swap"), lab.rootfs().join("evil"));
    fs::create_dir_all(place.join("below")).unwrap();
    symlink(&canary.links()[1], &link).unwrap();

    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut inside, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &place, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..TRIES {
                match lab.run().code() {
                    Some(0) => inside += 1,
                    Some(1) => refused += 1,
                    code => panic!("{code:?}"),
                }
                canary.assert_alive("a swap");
                lab.assert_clean();
            }
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    println!("{TRIES} creates during {} swaps: {inside} inside, {refused} refused", swaps.load(Ordering::Relaxed));
}

/// What is copied into a tmpfs changes places with a link to the host, and a file with a directory, all the time.
#[test]
fn what_is_copied_is_swapped_for_a_link() {
    const TRIES: usize = 60;
    let lab = lab();
    let canary = Canary::new(&lab);
    lab.write(&["find", "/data"], |spec| edit::mount(spec, "/data", "tmpfs", "tmpfs", &["tmpcopyup"]));
    let data = lab.rootfs().join("data");
    fs::create_dir_all(data.join("directory")).unwrap();
    for index in 0..200 {
        fs::write(data.join("directory").join(index.to_string()), "x").unwrap();
    }
    fs::write(data.join("file"), "x").unwrap();
    symlink(&canary.path, data.join("link")).unwrap();
    symlink(canary.path.join("bird"), data.join("another")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (one, other) in [("directory", "link"), ("file", "another"), ("directory", "file")] {
                    renameat_with(CWD, data.join(one), CWD, data.join(other), RenameFlags::EXCHANGE).unwrap();
                }
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..TRIES {
                let done = lab.run();
                assert!(matches!(done.code(), Some(0 | 1)), "{}", done.err());
                assert!(!done.out().contains("bird"), "{}", done.out());
                canary.assert_alive("a copy");
                lab.assert_clean();
            }
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
}
