// SPDX-License-Identifier: Apache-2.0
//! The steps about mounts, where nobody is hostile.

use std::fs;
use std::os::unix::fs::MetadataExt;

use brig_wire::{Act, POINT_COMMIT, Step, attach};

use crate::harness::{Plan, Session, Temp, failure, string, strings};

const RDONLY: u64 = 1;
const NOSUID: u64 = 2;

fn stand(plan: Plan) -> Session {
    let session = plan.sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    session
}

#[test]
fn new_filesystems_are_attached_and_targets_made() {
    let root = Temp::root(&["proc"]);
    let session = stand(
        Plan::within(&root)
            .proc()
            .mount("tmpfs", &["mode=711", "size=64k"], "/a/./b//c")
            .step(Step::CloneTree { path: c"/dev/zero", recursive: 0 })
            .step(Step::Attach { target: c"x/y/file", flags: 0 })
            .pivot(),
    );
    assert_eq!(fs::metadata(session.path("/a/b/c")).expect("the tmpfs").mode() & 0o7777, 0o711);
    assert!(session.mount("/a/b/c").expect("a mount").contains("size=64k"));
    assert_eq!(fs::metadata(session.path("/x/y/file")).expect("the device").rdev(), libc::makedev(1, 5));
    assert_eq!(fs::metadata(root.path("x/y/file")).expect("the target").mode(), libc::S_IFREG | 0o644);
    assert_eq!(fs::metadata(root.path("x/y")).expect("its parent").mode() & 0o7777, 0o755);
    assert!(session.path("/proc/self").exists());
    assert_eq!(session.proc("mountinfo").lines().count(), 4, "the old root is gone");
}

#[test]
fn a_refused_option_is_told() {
    let mount = |options| {
        Plan::new().step(Step::NewMount { fstype: c"tmpfs", source: c"x", options: strings(options), attrs: 0 })
    };
    let (act, message, text) = mount(&["mode=755", "size=many"]).fail(0);
    assert_eq!((act, message.value, message.errno), (Act::FsConfig, 1, libc::EINVAL));
    assert_eq!(text, "tmpfs: Bad value for 'size'");
    let (act, message, text) = mount(&["nonsense"]).fail(0);
    assert_eq!((act, message.value), (Act::FsConfig, 0));
    assert_eq!(text, "tmpfs: Unknown parameter 'nonsense'");
    let long = format!("{}=1", "k".repeat(300));
    assert_eq!(mount(&[&long]).fail(0).0, Act::FsConfig);
    let unknown = Step::NewMount { fstype: c"nofs", source: c"", options: strings(&[]), attrs: 0 };
    assert_eq!(failure(&Plan::new().step(unknown)), (Act::FsOpen, libc::ENODEV));
}

#[test]
fn attributes_are_set_before_and_after() {
    let (root, volume) = (Temp::root(&["a"]), Temp::new());
    let session = stand(
        Plan::within(&root)
            .step(Step::CloneTree { path: string(volume.path("")), recursive: 1 })
            .step(Step::MountAttr { set: RDONLY | NOSUID, clear: 0, propagation: libc::MS_SLAVE as u32, recursive: 1 })
            .step(Step::Attach { target: c"/a", flags: 0 })
            .step(Step::RootAttr { set: RDONLY, clear: 0, propagation: 0, recursive: 0 })
            .pivot(),
    );
    assert!(session.mount("/a").expect("a mount").contains(" ro,nosuid,"));
    assert!(session.mount("/").expect("the root").contains(" ro,"));
    assert!(fs::write(session.path("/new"), "").is_err());
}

#[test]
fn paths_are_masked_and_made_read_only() {
    let root = Temp::root(&["proc", "sys/a", "sys/b", "sys/w"]);
    fs::write(root.path("sys/file"), "secret").expect("a file");
    fs::write(root.path("sys/a/inner"), "secret").expect("a file");
    let masks = ["/sys/a", "/sys/file", "/sys/b", "/sys/none", "/sys/file/none", "/proc/filesystems"];
    let session = stand(
        Plan::within(&root)
            .proc()
            .mount("tmpfs", &[], "/sys/w/deep")
            .steps(masks.map(|path| Step::Mask { path: string(path) }))
            .steps(["/proc/sys", "/sys/w", "/none"].map(|path| Step::ReadOnly { path: string(path) }))
            .pivot(),
    );
    for directory in ["/sys/a", "/sys/b"] {
        assert_eq!(fs::read_dir(session.path(directory)).expect("a directory").count(), 0);
        assert!(session.mount(directory).expect("a mount").contains(" ro,nosuid,nodev,noexec"));
    }
    for file in ["/sys/file", "/proc/filesystems"] {
        assert_eq!(fs::metadata(session.path(file)).expect("a file").rdev(), libc::makedev(1, 3));
    }
    for directory in ["/proc/sys", "/sys/w", "/sys/w/deep"] {
        assert!(session.mount(directory).expect("a mount").contains(" ro,"), "{directory}");
    }
    assert!(fs::write(session.path("/sys/w/deep/x"), "").is_err());
    assert!(!root.path("sys/none").exists());
}

#[test]
fn clones_come_from_the_host_by_path_and_by_descriptor() {
    let (root, volume) = (Temp::root(&["a", "b"]), Temp::new());
    fs::write(volume.path("mark"), "").expect("a file");
    let path = string(volume.path(""));
    let tree = open_tree(path);
    let mut plan = Plan::within(&root);
    let fd = plan.fd(&tree);
    let session = stand(
        plan.step(Step::CloneFd { fd })
            .step(Step::Attach { target: c"/a", flags: 0 })
            .step(Step::CloneTree { path, recursive: 0 })
            .step(Step::Attach { target: c"/b/again", flags: 0 })
            .pivot(),
    );
    for place in ["/a/mark", "/b/again/mark"] {
        assert!(session.path(place).exists(), "{place}");
    }
    let missing = Plan::new().step(Step::CloneTree { path: c"/no/such", recursive: 0 });
    assert_eq!(failure(&missing), (Act::CloneTree, libc::ENOENT));
}

/// A detached clone, as the library makes for volumes of another mount namespace.
fn open_tree(path: &std::ffi::CStr) -> std::os::fd::OwnedFd {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(rustix::fs::CWD, path, flags).expect("a clone")
}

#[test]
fn nothing_is_mounted_inside_procfs() {
    let root = Temp::root(&["proc"]);
    let over = |flags| {
        Plan::within(&root)
            .proc()
            .step(Step::CloneTree { path: c"/dev/null", recursive: 0 })
            .step(Step::Attach { target: c"/proc/self/attr/../../meminfo", flags })
    };
    assert_eq!(failure(&over(0)).0, Act::InsideProc);
    assert_eq!(over(attach::INSIDE_PROC).run(0), 0);
    let on_it = Plan::within(&root).proc().mount("tmpfs", &[], "/proc");
    assert_eq!(failure(&on_it).0, Act::InsideProc);
}

#[test]
fn the_root_is_pivoted_or_changed() {
    let root = Temp::root(&["proc"]);
    for last in [Step::Pivot { slave: 0 }, Step::Pivot { slave: 1 }, Step::Chroot {}] {
        let session = stand(Plan::within(&root).step(last));
        assert!(session.path("/bin/busybox").exists());
        assert_eq!(fs::read_link(format!("/proc/{}/cwd", session.pid)).expect("a directory"), root_of(&session));
        assert_eq!(session.proc("mountinfo").lines().count(), 1);
    }
}

fn root_of(session: &Session) -> std::path::PathBuf {
    fs::read_link(format!("/proc/{}/root", session.pid)).expect("a root")
}

#[test]
fn an_unmount_of_the_old_root_stays_inside() {
    let (root, shared) = (Temp::root(&["proc"]), Temp::new());
    // A namespace of its own plays the host, with a shared mount that must survive the container in it.
    let outer = Plan::new()
        .step(Step::RootPropagation { propagation: libc::MS_PRIVATE as u32, recursive: 1 })
        .step(Step::CloneTree { path: c"/", recursive: 1 })
        .step(Step::SetRoot {})
        .mount("tmpfs", &[], shared.path("").to_str().expect("text"))
        .pivot()
        .step(Step::RootPropagation { propagation: libc::MS_SHARED as u32, recursive: 1 })
        .sync(POINT_COMMIT)
        .start(0);
    outer.reached(POINT_COMMIT);
    let before = outer.proc("mountinfo");
    let namespace = fs::File::open(format!("/proc/{}/ns/mnt", outer.pid)).expect("a namespace");
    let mut plan = Plan::new();
    let fd = plan.fd(&namespace);
    let session = stand(
        plan.step(Step::JoinNamespace { fd, kind: libc::CLONE_NEWNS as u32 })
            .step(Step::Unshare { flags: libc::CLONE_NEWNS as u32 })
            .step(Step::RootPropagation { propagation: libc::MS_PRIVATE as u32, recursive: 0 })
            .step(Step::CloneTree { path: string(root.path("")), recursive: 1 })
            .step(Step::SetRoot {})
            .step(Step::Pivot { slave: 1 }),
    );
    assert_eq!(session.proc("mountinfo").lines().count(), 1);
    assert_eq!(outer.proc("mountinfo"), before);
}
