// SPDX-License-Identifier: Apache-2.0
//! Namespaces: joining, making, forking into them, and what is set inside.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::harness::{Plan, Session, Temp, failure, send_files, string};
use brig_wire::{Act, POINT_COMMIT, POINT_MAPS, Step, kind};

const NEWPID: i32 = libc::CLONE_NEWPID;
const NEWNET: i32 = libc::CLONE_NEWNET;
const NEWUTS: i32 = libc::CLONE_NEWUTS;
const NEWIPC: i32 = libc::CLONE_NEWIPC;
const NEWUSER: i32 = libc::CLONE_NEWUSER;
const NEWTIME: i32 = 0x80;

fn namespace(session: &Session, name: &str) -> std::path::PathBuf {
    fs::read_link(format!("/proc/{}/ns/{name}", session.pid)).expect("a namespace")
}

#[test]
fn names_are_set() {
    let root = Temp::root(&["proc"]);
    let (output, end) = nix::unistd::pipe().expect("a pipe");
    let mut plan = Plan::within(&root);
    let (zero, one) = (0, plan.fd(&end));
    let list = brig_wire::Numbers::pack([zero, one, one], Box::leak(Box::default()));
    let plan = plan
        .proc()
        .pivot()
        .step(Step::Hostname { name: c"brig-host" })
        .step(Step::Domainname { name: c"brig.domain" })
        .step(Step::Fds { list })
        .shell("hostname; cat /proc/sys/kernel/domainname");
    assert_eq!(plan.run(NEWUTS | NEWPID), 0);
    drop(end);
    let text = std::io::read_to_string(File::from(output)).expect("output");
    assert_eq!(text, "brig-host\nbrig.domain\n");
}

#[test]
fn loopback_and_sysctls_are_of_the_new_namespaces() {
    let session = Plan::new()
        .step(Step::LoopbackUp {})
        .step(Step::OpenProc {})
        .step(Step::Sysctl { path: c"sys/kernel/shm_rmid_forced", value: c"1" })
        .step(Step::Sysctl { path: c"sys/net/core/somaxconn", value: c"77" })
        .sync(POINT_COMMIT)
        .start(NEWNET | NEWIPC | NEWPID);
    session.reached(POINT_COMMIT);
    let device = session.proc("net/dev_mcast");
    let routes = session.proc("net/fib_trie");
    assert!(routes.contains("127.0.0.1"), "{device} {routes}");
    let own = fs::read_to_string("/proc/sys/net/core/somaxconn").expect("a number");
    assert_ne!(own.trim(), "77");
}

#[test]
fn sysctls_do_not_leave_procfs() {
    let sysctl = |path| Plan::new().step(Step::OpenProc {}).step(Step::Sysctl { path: string(path), value: c"0" });
    assert_eq!(failure(&sysctl("sys/kernel/none")), (Act::Open, libc::ENOENT));
    assert_eq!(failure(&sysctl("../tmp/x")), (Act::Open, libc::EXDEV));
    assert_eq!(failure(&sysctl("/proc/sys/kernel/sysrq")), (Act::Open, libc::EXDEV));
    assert_eq!(failure(&sysctl("self/oom_score_adj")), (Act::Open, libc::ELOOP));
    let wrong = Step::Sysctl { path: c"sys/kernel/shm_rmid_forced", value: c"many" };
    assert_eq!(failure(&Plan::new().step(Step::OpenProc {}).step(wrong)), (Act::Write, libc::EINVAL));
    assert_eq!(failure(&Plan::new().step(wrong)), (Act::Step, libc::EBADF));
}

#[test]
fn files_of_the_process_are_its_own() {
    // Also where the process is another number in its procfs than in its own namespace.
    for namespaces in [0, NEWPID] {
        let session = Plan::new()
            .step(Step::OpenProc {})
            .step(Step::ProcSelf { path: c"oom_score_adj", value: c"123" })
            .step(Step::ProcSelf { path: c"comm", value: c"renamed" })
            .sync(POINT_COMMIT)
            .start(namespaces);
        session.reached(POINT_COMMIT);
        assert_eq!((session.proc("oom_score_adj").trim(), session.proc("comm").trim()), ("123", "renamed"));
    }
}

#[test]
fn namespaces_are_made_and_joined() {
    let holder = Plan::new().step(Step::Unshare { flags: (NEWUTS | NEWIPC) as u32 }).sync(POINT_COMMIT).start(NEWNET);
    holder.reached(POINT_COMMIT);
    let kinds = [("uts", NEWUTS), ("ipc", NEWIPC), ("net", NEWNET), ("mnt", libc::CLONE_NEWNS)];
    let files = kinds.map(|(name, _)| File::open(format!("/proc/{}/ns/{name}", holder.pid)).expect("a namespace"));
    let mut plan = Plan::new();
    for (file, (_, kind)) in files.iter().zip(kinds) {
        let fd = plan.fd(file);
        plan = plan.step(Step::JoinNamespace { fd, kind: kind as u32 });
    }
    let session = plan.step(Step::Mkdir { path: c"/tmp", mode: 0o777 }).sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    for (name, _) in kinds {
        assert_eq!(namespace(&session, name), namespace(&holder, name));
        assert_ne!(fs::read_link(format!("/proc/self/ns/{name}")).expect("ours"), namespace(&holder, name));
    }
    let mut plan = Plan::new();
    let fd = plan.fd(&files[0]);
    let wrong = plan.step(Step::JoinNamespace { fd, kind: NEWIPC as u32 });
    assert_eq!(failure(&wrong), (Act::Step, libc::EINVAL));
}

/// By a pidfd all at once. The time namespace is then one's own, unlike by unshare(2); only the pid namespace waits for a
/// child.
#[test]
fn namespaces_of_a_process_are_joined() {
    let flags = NEWUTS | NEWIPC | NEWPID | NEWTIME;
    let made =
        Plan::new().step(Step::Unshare { flags: NEWTIME as u32 }).step(Step::Fork { flags: 0 }).sync(POINT_COMMIT);
    let (holder, pidfd) = forked(made.start(NEWUTS | NEWIPC), 1);
    holder.reached(POINT_COMMIT);
    let mut plan = Plan::new();
    let fd = plan.fd(&pidfd);
    let first = plan
        .step(Step::JoinNamespace { fd, kind: (flags | libc::CLONE_NEWNS) as u32 })
        .step(Step::Mkdir { path: c"/tmp", mode: 0o777 })
        .sync(POINT_COMMIT)
        .step(Step::Fork { flags: 0 })
        .sync(POINT_COMMIT)
        .start(0);
    first.reached(POINT_COMMIT);
    for name in ["uts", "ipc", "time", "mnt"] {
        assert_eq!(namespace(&first, name), namespace(&holder, name));
    }
    assert_eq!(namespace(&first, "pid"), fs::read_link("/proc/self/ns/pid").expect("ours"));
    first.reply(None);
    let (second, _) = forked(first, 3);
    second.reached(POINT_COMMIT);
    assert_eq!(namespace(&second, "pid"), namespace(&holder, "pid"));

    drop(holder);
    let mut plan = Plan::new();
    let fd = plan.fd(&pidfd);
    let gone = plan.step(Step::JoinNamespace { fd, kind: NEWUTS as u32 });
    assert_eq!(failure(&gone), (Act::Step, libc::ESRCH));
}

/// Waits for a FORKED message, and takes over the child.
fn forked(parent: Session, step: u32) -> (Session, OwnedFd) {
    let (message, _, pidfd) = parent.receive().expect("a message");
    assert_eq!((message.kind, message.step), (kind::FORKED, step), "it comes before all that the child says");
    (parent.forked(&message), pidfd.expect("a pidfd"))
}

#[test]
fn the_child_of_a_fork_is_ours() {
    let flags = (NEWPID | NEWUTS) as u64;
    let first = Plan::new()
        .step(Step::Undumpable {})
        .step(Step::Fork { flags })
        .sync(POINT_COMMIT)
        .shell("test $$ = 1 && exit 9")
        .start(0);
    let (mut child, pidfd) = forked(first, 1);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).expect("a pidfd");
    assert!(info.contains(&format!("Pid:\t{}\n", child.pid)), "{info}");
    child.reached(POINT_COMMIT);
    assert_eq!(child.status("PPid"), std::process::id().to_string());
    assert_eq!(child.status("NSpid"), format!("{}\t1", child.pid));
    child.reply(None);
    assert_eq!(child.exit_code(), 9);
    let early = Plan::new().step(Step::Fork { flags: 0 }).step(Step::Hostname { name: string("x".repeat(99)) });
    let (mut child, _) = forked(early.start(NEWUTS), 0);
    let (message, ..) = child.receive().expect("a message");
    assert_eq!((message.kind, message.step, message.errno), (kind::FAILED, 1, libc::EINVAL));
    assert_eq!(child.exit_code(), 1);
}

#[test]
fn time_is_offset_for_the_children() {
    let first = Plan::new()
        .step(Step::Unshare { flags: NEWTIME as u32 })
        .step(Step::OpenProc {})
        .step(Step::TimeOffsets { text: c"boottime 1000000 0\n" })
        .step(Step::Fork { flags: 0 })
        .sync(POINT_COMMIT)
        .start(0);
    let (child, _) = forked(first, 3);
    child.reached(POINT_COMMIT);
    assert!(child.proc("timens_offsets").contains("1000000"));
    assert_ne!(namespace(&child, "time"), fs::read_link("/proc/self/ns/time").expect("ours"));
}

#[test]
fn a_user_namespace_is_mapped_by_the_host() {
    // Not by the clone that starts init: its exec would drop the capabilities of a user without a name yet.
    let session = Plan::new()
        .step(Step::Unshare { flags: (NEWUSER | NEWUTS) as u32 })
        .sync(POINT_MAPS)
        .step(Step::BecomeRoot { keep_groups: 0 })
        .step(Step::Hostname { name: c"inside" })
        .sync(POINT_COMMIT)
        .start(0);
    session.reached(POINT_MAPS);
    for (file, text) in [("setgroups", "deny"), ("uid_map", "0 100000 1000"), ("gid_map", "0 200000 1000")] {
        fs::write(format!("/proc/{}/{file}", session.pid), text).expect("a map");
    }
    session.reply(None);
    session.reached(POINT_COMMIT);
    assert_eq!(session.status("Uid"), "100000\t100000\t100000\t100000");
    assert_eq!(session.status("Gid"), "200000\t200000\t200000\t200000");
}

#[test]
fn cgroups_are_joined_by_their_tasks_files() {
    // Not real ones: the machine's cgroups are not ours to change.
    let temp = Temp::new();
    let paths = ["cpu", "memory"].map(|name| temp.path(name));
    let join = |files: &[File]| {
        let session = Plan::new().step(Step::JoinCgroups {}).start(0);
        let files: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
        send_files(session.socket.as_ref().expect("the socket"), kind::CGROUPS, 0, &files).expect("init to live");
        session
    };
    assert_eq!(join(&paths.each_ref().map(|path| File::create(path).expect("a file"))).exit_code(), 0);
    assert_eq!(paths.each_ref().map(|path| fs::read_to_string(path).expect("a file")), ["0", "0"]);
    let mut session = join(&[File::open(&paths[0]).expect("a file that cannot be written")]);
    let (message, ..) = session.receive().expect("a message");
    assert_eq!((message.kind, message.act, message.errno), (kind::FAILED, Act::Step as u32, libc::EBADF));
    assert_eq!(session.exit_code(), 1);
}
