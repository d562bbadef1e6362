// SPDX-License-Identifier: Apache-2.0
//! Directories, links and devices inside the root.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use brig_wire::{Act, Step};

use crate::harness::{Plan, Temp, failure, string};

fn device(path: &str, mode: u32, (major, minor): (u32, u32), (uid, gid): (u32, u32)) -> Step<'static> {
    Step::Device { path: string(path), mode, major, minor, uid, gid }
}

#[test]
fn directories_are_made_with_their_parents() {
    let root = Temp::root(&["old"]);
    fs::set_permissions(root.path("old"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a mode");
    let paths = ["/old", "/a/b/c/", "d/../e", "/", "/bin/../f/./g"];
    assert_eq!(Plan::within(&root).steps(paths.map(|path| Step::Mkdir { path: string(path), mode: 0o1777 })).run(0), 0);
    let mode = |path| fs::metadata(root.path(path)).expect("a directory").mode() & 0o7777;
    assert_eq!(
        ["old", "a", "a/b", "a/b/c", "d", "e", "f/g"].map(mode),
        [0o700, 0o755, 0o755, 0o1777, 0o755, 0o1777, 0o1777]
    );
    let file = Plan::within(&root).step(Step::Mkdir { path: c"/bin/busybox", mode: 0o755 });
    assert_eq!(failure(&file), (Act::Create, libc::ENOTDIR));
    let file = Plan::within(&root).step(Step::Mkdir { path: c"/bin/busybox/x", mode: 0o755 });
    assert_eq!(failure(&file), (Act::Create, libc::ENOTDIR));
}

#[test]
fn dangling_links_are_followed_inside() {
    let root = Temp::root(&["dir"]);
    symlink("/absolute/target", root.path("one")).expect("a link");
    symlink("../../../relative", root.path("dir/two")).expect("a link");
    symlink("loop-b", root.path("loop-a")).expect("a link");
    symlink("loop-a", root.path("loop-b")).expect("a link");
    // The kernel follows 40 links in one lookup, and walks twice if a mount anywhere disturbs the first walk, with one
    // count for both. So 20 is the length that never fails.
    for index in 0..20 {
        symlink(format!("chain-{}", index + 1), root.path(format!("chain-{index}"))).expect("a link");
    }
    let mkdir = |path| Step::Mkdir { path: string(path), mode: 0o755 };
    assert_eq!(Plan::within(&root).steps(["/one/deep", "/dir/two/x", "/chain-0"].map(mkdir)).run(0), 0);
    for path in ["absolute/target/deep", "relative/x", "chain-20"] {
        assert!(root.path(path).is_dir(), "{path}");
    }
    assert_eq!(failure(&Plan::within(&root).step(mkdir("/loop-a/x"))), (Act::Create, libc::ELOOP));
    let long = format!("/{}", "x/".repeat(3000));
    assert_eq!(failure(&Plan::within(&root).step(mkdir(&long))), (Act::Create, libc::ENAMETOOLONG));
}

#[test]
fn forty_dangling_links_in_one_path_are_the_most() {
    let root = Temp::root(&[]);
    for index in 0..41 {
        symlink(format!("made-{index}"), root.path(format!("link-{index}"))).expect("a link");
    }
    // No lookup of the kernel meets more than one of them: each leads to a directory that is made before the next.
    let path = |links| (0..links).map(|index| format!("/link-{index}/..")).collect::<String>() + "/end";
    let mkdir = |path: &str| Step::Mkdir { path: string(path), mode: 0o755 };
    assert_eq!(failure(&Plan::within(&root).step(mkdir(&path(41)))), (Act::Create, libc::ELOOP));
    assert!(!root.path("end").exists());
    for index in 0..40 {
        fs::remove_dir(root.path(format!("made-{index}"))).expect("a directory");
    }
    assert_eq!(Plan::within(&root).step(mkdir(&path(40))).run(0), 0);
    assert!(root.path("made-39").is_dir() && root.path("end").is_dir());
}

#[test]
fn links_are_made_and_replaced() {
    let root = Temp::root(&["dev/full"]);
    symlink("old", root.path("dev/old")).expect("a link");
    let link = |path, replace| Step::Symlink { path: string(path), target: c"/proc/self/fd", replace };
    let plan = Plan::within(&root).steps([link("/dev/fd", 0), link("/dev/old", 0), link("new/place", 0)]);
    assert_eq!(plan.run(0), 0);
    let target = |path| fs::read_link(root.path(path)).expect("a link").into_os_string();
    assert_eq!([target("dev/fd"), target("dev/old"), target("new/place")], ["/proc/self/fd", "old", "/proc/self/fd"]);
    assert_eq!(Plan::within(&root).step(link("/dev/old", 1)).run(0), 0);
    assert_eq!(target("dev/old"), "/proc/self/fd");
    assert_eq!(failure(&Plan::within(&root).step(link("/dev/full", 1))), (Act::Create, libc::EISDIR));
    assert_eq!(failure(&Plan::within(&root).step(link("/dev/..", 1))), (Act::Create, libc::EINVAL));
}

#[test]
fn devices_are_made_or_must_be_the_same() {
    let root = Temp::root(&["dev"]);
    symlink("/dev/null", root.path("dev/link")).expect("a link");
    fs::write(root.path("dev/file"), "").expect("a file");
    let null = (1, 3);
    let plan = Plan::within(&root).steps([
        device("/dev/null", libc::S_IFCHR | 0o666, null, (0, 0)),
        device("/dev/null", libc::S_IFCHR | 0o600, null, (0, 0)),
        device("/dev/mine/owned", libc::S_IFCHR | 0o620, (136, 300), (7, 8)),
        device("dev/pipe", libc::S_IFIFO | 0o622, (0, 0), (0, 0)),
        device("dev/disk", libc::S_IFBLK | 0o660, (7, 1), (0, 0)),
    ]);
    assert_eq!(plan.run(0), 0);
    let status = |path| fs::metadata(root.path(path)).expect("a device");
    assert_eq!((status("dev/null").mode(), status("dev/null").rdev()), (libc::S_IFCHR | 0o666, libc::makedev(1, 3)));
    let owned = status("dev/mine/owned");
    assert_eq!((owned.uid(), owned.gid(), owned.rdev()), (7, 8, libc::makedev(136, 300)));
    assert!(status("dev/pipe").file_type().is_fifo());
    assert!(status("dev/disk").file_type().is_block_device());
    for path in ["/dev/link", "/dev/file", "/dev/disk", "/bin"] {
        let plan = Plan::within(&root).step(device(path, libc::S_IFCHR | 0o666, null, (0, 0)));
        assert_eq!(failure(&plan).0, Act::WrongDevice, "{path}");
    }
}
