// SPDX-License-Identifier: Apache-2.0
//! Images that want out: links to the host, and a neighbour that swaps directories for links while init
//! works. Outside the root lies a canary directory that must stay as it is.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use brig_wire::{Act, POINT_COMMIT, Step, attach, kind};

use crate::harness::{Plan, Session, Temp, failure, string, strings};

/// How long a race runs.
const RACE: Duration = Duration::from_millis(1500);

/// A root and, outside it, a canary that links of the image point at.
struct Scene {
    root: Temp,
    canary: Temp,
}

impl Scene {
    fn new(directories: &[&str]) -> Self {
        Self { root: Temp::root(directories), canary: Temp::new() }
    }

    /// Makes `path` a link to the canary, as root-relative climbing and as an absolute path.
    fn links(&self) -> [String; 2] {
        let canary = self.canary.path("");
        let canary = canary.to_str().expect("text").trim_end_matches('/');
        [canary.to_owned(), format!("../../../../../../../..{canary}")]
    }

    fn assert_untouched(&self) {
        let entries: Vec<_> = fs::read_dir(self.canary.path("")).expect("the canary").collect();
        assert!(entries.is_empty(), "{entries:?}");
    }
}

fn makers(below: &str) -> Vec<(&'static str, Plan)> {
    let path = |name: &str| string(format!("{below}/{name}"));
    let plan = Plan::new;
    let null =
        |name| Step::Device { path: path(name), mode: libc::S_IFCHR | 0o666, major: 1, minor: 3, uid: 0, gid: 0 };
    let file = plan().step(Step::CloneTree { path: c"/dev/null", recursive: 0 });
    vec![
        ("device", plan().step(null("null"))),
        ("directory", plan().step(Step::Mkdir { path: path("made/deep"), mode: 0o755 })),
        ("link", plan().step(Step::Symlink { path: path("link"), target: c"x", replace: 1 })),
        ("mount", plan().mount("tmpfs", &[], &format!("{below}/mount"))),
        ("file", file.step(Step::Attach { target: path("file"), flags: 0 })),
    ]
}

#[test]
fn links_to_the_host_lead_inside() {
    // CVE-2026-41579 and its kin: /dev of the image is a link out of it.
    for (name, maker) in makers("/dev") {
        let scene = Scene::new(&["proc"]);
        for link in scene.links() {
            let _ = fs::remove_file(scene.root.path("dev"));
            symlink(&link, scene.root.path("dev")).expect("a link");
            let plan = Plan::within(&scene.root).then(&maker).sync(POINT_COMMIT);
            let session = plan.start(0);
            session.reached(POINT_COMMIT);
            scene.assert_untouched();
            let inside = scene.root.path(scene.canary.path("").strip_prefix("/").expect("an absolute path"));
            assert!(inside.is_dir(), "{name}: {}", inside.display());
        }
    }
}

#[test]
fn what_the_host_has_is_not_replaced() {
    let scene = Scene::new(&["proc", "dev"]);
    fs::write(scene.canary.path("file"), "secret").expect("a file");
    let [canary, _] = scene.links();
    symlink(format!("{canary}/file"), scene.root.path("dev/null")).expect("a link");
    symlink("/proc/self/root/etc", scene.root.path("magic")).expect("a link");
    let null = Step::Device { path: c"/dev/null", mode: libc::S_IFCHR | 0o666, major: 1, minor: 3, uid: 9, gid: 9 };
    assert_eq!(failure(&Plan::within(&scene.root).step(null)).0, Act::WrongDevice);
    let magic = Plan::within(&scene.root).proc().step(Step::Mkdir { path: c"/magic/x", mode: 0o755 });
    assert_eq!(failure(&magic), (Act::Create, libc::ELOOP));
    let masked = Plan::within(&scene.root).step(Step::Mask { path: c"/dev/null" }).sync(POINT_COMMIT).start(0);
    masked.reached(POINT_COMMIT);
    assert_eq!(fs::read_to_string(scene.canary.path("file")).expect("a file"), "secret");
}

#[test]
fn procfs_is_mounted_on_ordinary_directories_only() {
    // CVE-2019-19921: /proc of the image is a link.
    for (make, errno) in [("link", libc::ELOOP), ("dangling", libc::ELOOP), ("file", libc::ENOTDIR)] {
        let scene = Scene::new(&["elsewhere"]);
        let place = scene.root.path("proc");
        match make {
            "link" => symlink("elsewhere", &place).expect("a link"),
            "dangling" => symlink("/none", &place).expect("a link"),
            _ => fs::write(&place, "").expect("a file"),
        }
        assert_eq!(failure(&Plan::within(&scene.root).proc()), (Act::NotOrdinary, errno), "{make}");
        assert!(!scene.root.path("none").exists());
    }
    let scene = Scene::new(&["dir/proc"]);
    symlink("dir", scene.root.path("way")).expect("a link");
    let mount = Step::NewMount { fstype: c"proc", source: c"proc", options: strings(&[]), attrs: 0 };
    let plan = Plan::within(&scene.root).step(mount);
    let plan = plan.step(Step::Attach { target: c"/way/proc", flags: attach::NO_SYMLINKS });
    assert_eq!(failure(&plan), (Act::NotOrdinary, libc::ELOOP));
}

/// A neighbour that swaps two names as fast as can be, until it is dropped.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Neighbour {
    fn new(one: &Path, other: &Path) -> Self {
        let paths = [one, other].map(|path| CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = spawn(move || {
            let [one, other] = paths.each_ref().map(|path| path.as_ptr());
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                // SAFETY: NUL-terminated strings.
                let result =
                    unsafe { libc::renameat2(libc::AT_FDCWD, one, libc::AT_FDCWD, other, libc::RENAME_EXCHANGE) };
                assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
                count += 1;
            }
            count
        });
        Self { stop, thread: Some(thread) }
    }

    /// How often it did.
    fn stop(&mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().expect("the neighbour"))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The mounts that are not below the mount of the root, beyond those that were there before.
fn outside(session: &Session) -> usize {
    let table = session.proc("mountinfo");
    let fields = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        Some((fields.next()?, fields.next()?, fields.nth(2)?))
    };
    let mounts: Vec<_> = table.lines().filter_map(fields).collect();
    let mut inside: Vec<&String> =
        mounts.iter().rev().find(|mount| mount.2 == "/").iter().map(|mount| &mount.0).collect();
    // A mount comes after its parent in the table.
    for (id, parent, _) in &mounts {
        if inside.contains(&parent) {
            inside.push(id);
        }
    }
    mounts.len() - inside.len()
}

#[test]
fn a_neighbour_that_swaps_wins_nothing() {
    // CVE-2021-30465, CVE-2024-45310: a directory on the way becomes a link to the host and back. The steps of
    // a plan try often; each round has a new place, since what was made is in the way.
    let scene = Scene::new(&["proc", "volume"]);
    let volume = scene.root.path("volume");
    fs::create_dir(volume.join("dir")).expect("a directory");
    symlink(&scene.links()[1], volume.join("link")).expect("a link");
    let before = Plan::within(&scene.root).sync(POINT_COMMIT).start(0);
    before.reached(POINT_COMMIT);
    let before = outside(&before);
    let (mut plans, mut steps, mut refused) = (0u32, 0u32, 0u32);
    let mut neighbour = Neighbour::new(&volume.join("dir"), &volume.join("link"));
    let begin = Instant::now();
    for round in 0.. {
        if begin.elapsed() > RACE {
            break;
        }
        for (name, maker) in makers(&format!("/volume/dir/{round}")) {
            let plan = (0..20).fold(Plan::within(&scene.root), |plan, _| plan.then(&maker)).sync(POINT_COMMIT);
            let session = plan.start(0);
            let (message, text, _) = session.receive().expect("init to live");
            plans += 1;
            if message.kind == kind::REACHED {
                steps += plan.count();
                assert_eq!(outside(&session), before, "{name}");
            } else {
                // A refusal is as good, if it is one that a lost race explains.
                let expected = [libc::ENOENT, libc::EAGAIN, libc::EEXIST, libc::ENOTDIR];
                assert!(expected.contains(&message.errno), "{name}: {message:?} {text}");
                refused += 1;
                steps += message.step;
            }
            scene.assert_untouched();
        }
    }
    let swaps = neighbour.stop();
    scene.assert_untouched();
    println!("{swaps} swaps against {steps} steps in {plans} plans, {refused} of them refused");
    assert!(swaps > 1000 && steps > 100);
}

#[test]
fn a_swapped_file_hides_and_shows_nothing() {
    // CVE-2025-31133, CVE-2025-52565: the target is swapped for a link to a file of procfs while it is mounted on.
    let scene = Scene::new(&["proc", "dev"]);
    fs::write(scene.root.path("dev/console"), "").expect("a file");
    symlink("/proc/sys/kernel/core_pattern", scene.root.path("dev/link")).expect("a link");
    let mut neighbour = Neighbour::new(&scene.root.path("dev/console"), &scene.root.path("dev/link"));
    let (mut attempts, mut refused) = (0, 0);
    let begin = Instant::now();
    while begin.elapsed() < RACE / 2 {
        let plan = Plan::within(&scene.root)
            .proc()
            .step(Step::CloneTree { path: c"/dev/zero", recursive: 0 })
            .step(Step::Attach { target: c"/dev/console", flags: 0 })
            .sync(POINT_COMMIT);
        let session = plan.start(libc::CLONE_NEWPID);
        let (message, ..) = session.receive().expect("init to live");
        attempts += 1;
        if message.kind == kind::REACHED {
            assert!(!session.proc("mountinfo").contains("core_pattern"));
        } else {
            assert_eq!(Act::from_code(message.act), Some(Act::InsideProc), "{message:?}");
            refused += 1;
        }
    }
    let swaps = neighbour.stop();
    println!("{swaps} swaps against {attempts} attachments, {refused} of them refused");
    assert!(swaps > 1000 && attempts > 10);
}
