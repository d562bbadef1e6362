// SPDX-License-Identifier: Apache-2.0
//! Containers of an ordinary user: with nothing but its own id, with the ids that /etc/subuid gives it, with a part of the
//! cgroup tree or the systemd manager of its session; and root's containers seen from below.

mod cgroups;
mod groups;
mod lifecycle;
mod nested;
mod refused;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::common::{Lab, User, is_alive, skip, until};

/// How many subordinate ids a user has.
pub const IDS: u32 = 10_000;

/// Held for reading by all users here, and for writing by the test that forbids user namespaces to all of them.
static ALLOWED: RwLock<()> = RwLock::new(());

/// What a user has.
#[derive(Clone, Default)]
pub struct Means {
    /// Subordinate ids, and newuidmap and newgidmap to map them.
    pub ids: bool,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// A part of the cgroup tree.
    pub tree: bool,
}

/// The laboratory of a user that exists only for this test.
pub struct Home {
    lab: Lab,
    /// The user's id, and that of its group.
    pub uid: u32,
    /// The first one of its subordinate ids.
    pub first: u32,
    tree: Option<Tree>,
    /// Given up by a test that forbids user namespaces.
    pub allowed: Option<RwLockReadGuard<'static, ()>>,
}

impl Home {
    /// A new user with these means.
    pub fn new(means: &Means) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let allowed = ALLOWED.read().unwrap_or_else(PoisonError::into_inner);
        let (pid, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let uid = 1_000_000_000 + pid % 1_000_000 * 1000 + number;
        let first = 2_000_000_000 + (pid * 32 + number) % 200_000 * IDS;
        let lab = crate::lab();
        let run = lab.path.join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let tree = means.tree.then(|| Tree::new(uid, number));
        let mut words = vec!["unshare", "--mount", "--propagation", "private", "sh", "-c"];
        let mut script = String::from("set -eu\n");
        if means.ids {
            let etc = lab.path.join("etc");
            fs::create_dir(&etc).unwrap();
            let passwd = fs::read_to_string("/etc/passwd").unwrap();
            fs::write(etc.join("passwd"), format!("{passwd}tester:x:{uid}:{uid}::/:/bin/sh\n")).unwrap();
            for file in ["subuid", "subgid"] {
                fs::write(etc.join(file), format!("tester:{first}:{IDS}\n")).unwrap();
            }
            script += &format!("mount -t overlay -o lowerdir={}:/etc overlay /etc\n", etc.display());
        }
        if let Some(tree) = &tree {
            script += &format!("echo 0 > {}/caller/cgroup.procs\n", tree.0.display());
        }
        script += "exec \"$@\"";
        words.extend([script.as_str(), "sh", "setpriv", "--reuid"]);
        let id = uid.to_string();
        words.extend([id.as_str(), "--regid", id.as_str()]);
        let groups: Vec<_> = means.groups.iter().map(u32::to_string).collect();
        let groups = groups.join(",");
        match groups.is_empty() {
            true => words.push("--clear-groups"),
            false => words.extend(["--groups", groups.as_str()]),
        }
        let run = format!("XDG_RUNTIME_DIR={}", run.display());
        words.extend(["env", run.as_str()]);
        if !means.ids {
            // There are no helpers.
            words.push("PATH=/nonexistent");
        }
        let becomes = words.into_iter().map(str::to_owned).collect();
        let lab = lab.given_to(User { becomes, flags: Vec::new(), uid });
        Self { lab, uid, first, tree, allowed: Some(allowed) }
    }

    /// The user's part of the cgroup tree.
    pub fn tree(&self) -> &Path {
        &self.tree.as_ref().unwrap().0
    }

    /// Maps the user to root, and its subordinate ids to those from 1 on.
    pub fn map(&self, spec: &mut serde_json::Value) {
        let mapping = serde_json::json!([
            { "containerID": 0, "hostID": self.uid, "size": 1 },
            { "containerID": 1, "hostID": self.first, "size": IDS },
        ]);
        spec["linux"]["uidMappings"] = mapping.clone();
        spec["linux"]["gidMappings"] = mapping;
    }

    /// Fails if any process of the user, or of its subordinate ids, is left.
    #[track_caller]
    pub fn assert_nobody(&self) {
        let is_ours = |status: &str| {
            let uid = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap_or_default();
            let uid: u32 = uid.split('\t').next().unwrap_or_default().parse().unwrap_or_default();
            uid == self.uid || (self.first..self.first + IDS).contains(&uid)
        };
        let left = || {
            let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
            let ours = |path: &PathBuf| fs::read_to_string(path.join("status")).is_ok_and(|text| is_ours(&text));
            processes.filter(|path| ours(path) && is_alive(path)).count()
        };
        until("no process of the user is left", || left() == 0);
    }
}

impl Deref for Home {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

/// A cgroup of the unified hierarchy that was given to a user, with all controllers, and one in it for whoever calls.
struct Tree(PathBuf);

impl Tree {
    fn new(uid: u32, number: u32) -> Self {
        let root = unified();
        let path = root.join(format!("brig-tree-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("caller")).unwrap();
        let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap();
        for controller in controllers.split_whitespace() {
            let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        let tree = Self(path);
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "caller", "caller/cgroup.procs"] {
            std::os::unix::fs::chown(tree.0.join(file), Some(uid), Some(uid)).unwrap();
        }
        tree
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Whoever was in there may not be reaped yet.
        for path in [self.0.join("caller"), self.0.clone()] {
            for _ in 0..1000 {
                if fs::remove_dir(&path).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        assert!(std::thread::panicking() || !self.0.exists(), "{} is left", self.0.display());
    }
}

/// Where the unified hierarchy is.
fn unified() -> PathBuf {
    let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
    roots.into_iter().find(|root| root.join("cgroup.controllers").exists()).unwrap()
}

/// The user of the guest who has a session with a systemd manager.
const SESSION: u32 = 1000;

/// A laboratory of that user, if there is one.
pub fn session() -> Option<(Lab, RwLockReadGuard<'static, ()>)> {
    let run = format!("/run/user/{SESSION}");
    if !Path::new("/run/systemd/system").is_dir() {
        skip("systemd is not process 1 here (no /run/systemd/system)");
        return None;
    }
    let allowed = ALLOWED.read().unwrap_or_else(PoisonError::into_inner);
    until("the user's systemd is up", || Path::new(&run).join("bus").exists());
    let id = SESSION.to_string();
    let words = ["setpriv", "--reuid", &id, "--regid", &id, "--init-groups", "env", &format!("XDG_RUNTIME_DIR={run}")];
    let becomes = words.map(str::to_owned).into();
    let user = User { becomes, flags: vec!["--systemd-cgroup".to_owned()], uid: SESSION };
    Some((crate::lab().given_to(user), allowed))
}

/// The same command with another script that prepares the user's view of the machine.
pub fn prepared(lab: &Lab, command: &Command, change: impl Fn(&str) -> String) -> Command {
    let words = words(command).into_iter().map(|word| if word.starts_with("set -eu") { change(&word) } else { word });
    self::command(&words.collect::<Vec<_>>(), lab)
}

/// A command of these words, in a laboratory's bundle.
pub fn command(words: &[String], lab: &Lab) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(lab.bundle()).stdin(std::process::Stdio::null());
    command
}

/// The words of a command.
pub fn words(command: &Command) -> Vec<String> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_str().unwrap().to_owned()).collect()
}
