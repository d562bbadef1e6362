// SPDX-License-Identifier: Apache-2.0
//! What the container's process is when it runs.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use brig_wire::{Act, Numbers, POINT_COMMIT, Step, kind};
use nix::unistd::pipe;

use crate::harness::{Plan, Session, Temp, failure, memfd, string};

fn numbers(list: &[u32]) -> Numbers<'static> {
    Numbers::pack(list.iter().copied(), Box::leak(Box::default()))
}

fn stand(steps: &[Step]) -> Session {
    let session = Plan::new().steps(steps.iter().copied()).sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    session
}

const CHOWN: u64 = 1 << libc_cap::CHOWN;
const KILL: u64 = 1 << libc_cap::KILL;
const NET_RAW: u64 = 1 << libc_cap::NET_RAW;

mod libc_cap {
    pub const CHOWN: u32 = 0;
    pub const KILL: u32 = 5;
    pub const NET_RAW: u32 = 13;
}

#[test]
fn capabilities_are_exactly_these() {
    let all = CHOWN | KILL | NET_RAW;
    let session = stand(&[
        Step::BoundingSet { keep: all },
        Step::KeepCaps {},
        Step::Groups { list: numbers(&[5, 6, 1000]) },
        Step::User { uid: 1001, gid: 1002 },
        Step::Capabilities { effective: CHOWN | KILL, permitted: all, inheritable: KILL },
        Step::Ambient { raise: KILL },
        Step::NoNewPrivileges {},
    ]);
    let set = |name| u64::from_str_radix(&session.status(name), 16).expect("a number");
    let sets = ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"].map(set);
    assert_eq!(sets, [all, all, CHOWN | KILL, KILL, KILL]);
    assert_eq!(session.status("Uid"), "1001\t1001\t1001\t1001");
    assert_eq!(session.status("Gid"), "1002\t1002\t1002\t1002");
    assert_eq!(session.status("Groups"), "5 6 1000");
    assert_eq!(session.status("NoNewPrivs"), "1");
}

#[test]
fn no_capability_is_no_capability() {
    let session = stand(&[
        Step::BoundingSet { keep: 0 },
        Step::Capabilities { effective: 0, permitted: 0, inheritable: 0 },
        Step::Ambient { raise: 0 },
        // Without CAP_SETPCAP it is well where nothing is left to drop.
        Step::BoundingSet { keep: 0 },
    ]);
    for set in ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(session.status(set), "0000000000000000", "{set}");
    }
    let denied = Plan::new()
        .step(Step::Capabilities { effective: 0, permitted: 0, inheritable: 0 })
        .step(Step::BoundingSet { keep: CHOWN });
    assert_eq!(failure(&denied), (Act::Step, libc::EPERM));
    let denied = Plan::new().step(Step::User { uid: 1, gid: 1 });
    let denied = denied.step(Step::Groups { list: numbers(&[]) });
    assert_eq!(failure(&denied), (Act::SetGroups, libc::EPERM));
    let denied = Plan::new().step(Step::User { uid: 1, gid: 1 }).step(Step::User { uid: 0, gid: 1 });
    assert_eq!(failure(&denied), (Act::SetUid, libc::EPERM));
}

#[test]
fn limits_umask_and_session_are_set() {
    let session = stand(&[
        Step::Rlimit { resource: libc::RLIMIT_NOFILE, soft: 77, hard: 99 },
        Step::Rlimit { resource: libc::RLIMIT_CORE, soft: 0, hard: 0 },
        Step::Umask { mask: 0o027 },
        Step::Setsid {},
    ]);
    let limits = session.proc("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    assert_eq!(line.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["77", "99"]);
    assert_eq!(session.status("Umask"), "0027");
    assert_eq!(session.status("NSsid"), session.pid.to_string());
    let wrong = Plan::new().step(Step::Rlimit { resource: libc::RLIMIT_NOFILE, soft: 9, hard: 8 });
    assert_eq!(failure(&wrong), (Act::Step, libc::EINVAL));
}

#[test]
fn policies_and_the_execution_domain_are_set() {
    let word = |bits: u64| Box::leak(Box::new(bits.to_le_bytes())).as_slice();
    let batch = |policy| Step::Scheduler { policy, flags: 0, nice: 4, priority: 0, runtime: 0, deadline: 0, period: 0 };
    let steps = [
        Step::Affinity { cpus: word(1) },
        batch(3),
        Step::IoPriority { value: 3 << 13 },
        Step::Personality { value: 0x0004_0008 },
    ];
    let session = stand(&steps);
    assert_eq!(session.status("Cpus_allowed_list"), "0");
    let stat = session.proc("stat");
    let fields: Vec<_> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    assert_eq!([fields[19 - 3], fields[40 - 3], fields[41 - 3]], ["4", "0", "3"]);
    assert_eq!(session.proc("personality").trim(), "00040008");

    let refused = |step| failure(&Plan::new().step(step));
    assert_eq!(refused(batch(4)), (Act::Step, libc::EINVAL));
    assert_eq!(refused(Step::Affinity { cpus: word(0) }), (Act::Step, libc::EINVAL));
    assert_eq!(refused(Step::IoPriority { value: 7 << 13 }), (Act::Step, libc::EINVAL));
    // No such mode; or no such system call, where there is no NUMA.
    let (act, errno) = refused(Step::MemoryPolicy { mode: 0xff, nodes: &[] });
    assert!(act == Act::MemoryPolicy && [libc::EINVAL, libc::ENOSYS].contains(&errno), "{act:?} {errno}");
}

#[test]
fn the_filter_applies_to_the_program() {
    // getppid(2) fails with EDOM, everything else is allowed.
    let filter = |code: u16, jt: u8, jf: u8, k: u32| [&code.to_ne_bytes()[..], &[jt, jf], &k.to_ne_bytes()].concat();
    let program = [
        filter(0x20, 0, 0, 0),
        filter(0x15, 0, 1, libc::SYS_getppid as u32),
        filter(0x06, 0, 0, 0x0005_0000 | libc::EDOM as u32),
        filter(0x06, 0, 0, 0x7fff_0000),
    ]
    .concat();
    let session = stand(&[Step::NoNewPrivileges {}, Step::Seccomp { flags: 0, program: &program }]);
    assert_eq!((session.status("Seccomp"), session.status("Seccomp_filters")), ("2".into(), "1".into()));
    let empty = Plan::new().step(Step::Seccomp { flags: 0, program: &[] });
    assert_eq!(failure(&empty), (Act::Step, libc::EINVAL));
}

#[test]
fn a_listener_is_given_away_before_the_program_runs() {
    // All is allowed but mkdir(2), of which the listener is notified.
    let filter = |code: u16, jt: u8, jf: u8, k: u32| [&code.to_ne_bytes()[..], &[jt, jf], &k.to_ne_bytes()].concat();
    let program = [
        filter(0x20, 0, 0, 0),
        filter(0x15, 0, 1, libc::SYS_mkdirat as u32),
        filter(0x06, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
        filter(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
    .concat();
    let plan = Plan::new()
        .steps([Step::NoNewPrivileges {}, Step::SeccompListener { flags: 0, program: &program }])
        .shell("exit 3");
    let mut session = plan.start(0);
    let (message, _, listener) = session.receive().expect("a listener");
    assert_eq!((message.kind, message.step), (kind::LISTENER, 1));
    let listener = listener.expect("a file");
    let link = format!("/proc/self/fd/{}", listener.as_raw_fd());
    assert_eq!(fs::read_link(link).expect("a link"), Path::new("anon_inode:seccomp notify"));
    // It waits.
    assert_eq!(session.status("Seccomp_filters"), "1");
    session.reply(None);
    assert!(session.receive().is_none());
    assert_eq!(session.exit_code(), 3);

    // Nobody takes it: nothing runs.
    let mut session = plan.start(0);
    session.receive().expect("a listener");
    session.socket = None;
    assert_eq!(session.exit_code(), 1);
}

#[test]
fn the_working_directory_must_be_inside() {
    let root = Temp::root(&["proc", "work"]);
    let outside = File::open("/tmp").expect("a directory of the host");
    let plan = |path: String| {
        let mut plan = Plan::within(&root).proc().pivot();
        plan.fd(&outside);
        plan.step(Step::Cwd { path: string(path) })
    };
    assert_eq!(plan("/work".into()).run(0), 0);
    assert_eq!(failure(&plan("/none".into())), (Act::Chdir, libc::ENOENT));
    assert_eq!(failure(&plan("/bin/busybox".into())), (Act::Chdir, libc::ENOTDIR));
    let leak = format!("/proc/self/fd/{}", outside.as_raw_fd());
    assert_eq!(failure(&plan(leak)), (Act::Outside, libc::ENOENT));
    let session = plan("/work".into()).sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    assert!(fs::read_link(format!("/proc/{}/cwd", session.pid)).expect("a directory").ends_with("work"));
}

/// Runs a program with `list` of files, each holding its own name, and checks what it finds at each number.
fn arranged(order: &[usize], low: bool) {
    let files: Vec<OwnedFd> = (0..order.len()).map(|name| memfd(format!("<{name}>").as_bytes())).collect();
    let (output, end) = pipe().expect("a pipe");
    let mut plan = Plan::new();
    let mut list: Vec<u32> = vec![0, plan.fd(&end)];
    let numbers_of_files: Vec<u32> = files.iter().map(|file| plan.fd(file)).collect();
    list.extend(order.iter().map(|file| numbers_of_files[*file]));
    if low {
        // A first arrangement puts the files at 2 and above, so that the second has to permute them.
        plan = plan.step(Step::Fds { list: numbers(&[&list[..2], &numbers_of_files].concat()) });
        list = [0, 1].into_iter().chain(order.iter().map(|file| 2 + *file as u32)).collect();
    }
    let last = 1 + order.len();
    let script = format!(
        "for n in $(seq 2 {last}); do echo -n $(cat /proc/self/fd/$n); done; \
         for n in /proc/self/fd/*; do n=${{n##*/}}; [ $n -le {last} ] || [ $n -ge 10 ] || [ ! -e /proc/$$/fd/$n ] || echo -n leak $n; done"
    );
    let plan = plan.step(Step::Fds { list: numbers(&list) }).exec("/bin/busybox", &["sh", "-c", &script]);
    assert_eq!(plan.run(0), 0);
    drop(end);
    let expected: String = order.iter().map(|file| format!("<{file}>")).collect();
    assert_eq!(std::io::read_to_string(File::from(output)).expect("output"), expected, "{order:?}");
}

#[test]
fn descriptors_are_arranged_in_any_permutation() {
    let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 0, 0], [1, 1, 0]];
    for order in permutations {
        arranged(&order, false);
        arranged(&order, true);
    }
    arranged(&[5, 4, 3, 2, 1, 0, 7, 6], true);
    assert_eq!(failure(&Plan::new().step(Step::Fds { list: numbers(&[0, 1, 987]) })), (Act::Step, libc::EBADF));
    let tty = Plan::new().step(Step::Fds { list: numbers(&[brig_wire::fd::TTY]) });
    assert_eq!(failure(&tty), (Act::Step, libc::EBADF));
}

#[test]
fn the_conversation_survives_a_long_list() {
    let null = File::open("/dev/null").expect("the device");
    let mut plan = Plan::new().step(Step::OpenProc {});
    let list = vec![plan.fd(&null); 300];
    let session = plan
        .step(Step::Fds { list: numbers(&list) })
        .step(Step::ProcSelf { path: c"comm", value: c"still here" })
        .sync(POINT_COMMIT)
        .start(0);
    session.reached(POINT_COMMIT);
    assert_eq!(session.status("Name"), "still here");
    for number in [0, 1, 2, 150, 299] {
        let link = fs::read_link(format!("/proc/{}/fd/{number}", session.pid)).expect("a descriptor");
        assert_eq!(link.to_str(), Some("/dev/null"));
    }
}
