// SPDX-License-Identifier: Apache-2.0
//! Every step of a long plan made to fail in turn, before the gate and after it.

use std::fs::File;
use std::os::fd::AsRawFd;

use brig_wire::{Act, Message, Numbers, POINT_COMMIT, POINT_HOOKS, Step, fd, kind};

use crate::gate::{Gate, begin};
use crate::harness::{BUSYBOX, Plan, Session, Temp, memfd, receive, send_files, string, strings};

const NEWPID: i32 = libc::CLONE_NEWPID;

/// A plan with a step of nearly every kind.
fn long(root: &Temp, files: &[File; 2]) -> Plan {
    let mut plan = Plan::new();
    let [state, namespace] = files.each_ref().map(|file| plan.fd(file));
    let list = Numbers::pack([fd::TTY; 3], Box::leak(Box::default()));
    let nothing = Numbers::pack([], Box::leak(Box::default()));
    let candidates = strings(&["/bin/busybox"]);
    let null = Step::Device { path: c"/dev/null", mode: libc::S_IFCHR | 0o666, major: 1, minor: 3, uid: 0, gid: 0 };
    let uts = libc::CLONE_NEWUTS;
    plan.steps([
        Step::JoinNamespace { fd: namespace, kind: libc::CLONE_NEWIPC as u32 },
        Step::Unshare { flags: uts as u32 },
        Step::JoinCgroups {},
        Step::Fork { flags: NEWPID as u64 },
        Step::Undumpable {},
        Step::Hostname { name: c"name" },
        Step::Domainname { name: c"name" },
        Step::OpenProc {},
        Step::ProcSelf { path: c"oom_score_adj", value: c"0" },
        Step::HookState { fd: state },
    ])
    .then(&Plan::within(root))
    .proc()
    .mount("devpts", &["newinstance", "ptmxmode=0666"], "/dev/pts")
    .step(null)
    .steps([
        Step::Mkdir { path: c"/made", mode: 0o755 },
        Step::Symlink { path: c"/dev/fd", target: c"/proc/self/fd", replace: 1 },
        Step::Console { rows: 1, columns: 1, uid: 0 },
        Step::AttachConsole {},
        Step::RootAttr { set: 2, clear: 0, propagation: 0, recursive: 0 },
        Step::Sync { point: POINT_HOOKS },
        Step::Mask { path: c"/proc/acpi" },
        Step::ReadOnly { path: c"/proc/sys" },
        Step::RunHook { path: string(BUSYBOX), args: strings(&["true"]), env: strings(&[]), timeout_ms: 9000 },
        Step::Pivot { slave: 1 },
        Step::Setsid {},
        Step::ListenPid {},
        Step::Fds { list },
        Step::ControllingTty {},
        Step::Rlimit { resource: libc::RLIMIT_CORE, soft: 0, hard: 0 },
        Step::Cwd { path: c"/made" },
        Step::BoundingSet { keep: 1 },
        Step::KeepCaps {},
        Step::Groups { list: nothing },
        Step::User { uid: 1, gid: 1 },
        Step::Capabilities { effective: 1, permitted: 1, inheritable: 0 },
        Step::Ambient { raise: 0 },
        Step::Umask { mask: 0o22 },
        Step::FindProgram { candidates },
        Step::Sync { point: POINT_COMMIT },
        Step::Gate {},
        Step::NoNewPrivileges {},
        Step::Seccomp { flags: 0, program: &[6, 0, 0, 0, 0, 0, 0xff, 0x7f] },
        Step::Exec { candidates, args: strings(&["sh", "-c", "exit 77"]), env: strings(&[]) },
    ])
}

/// Plays the host to the end, with `tasks` as the file of a cgroup; the failure, or the exit status.
fn converse(plan: &Plan, gate: &Gate, tasks: &File) -> Result<i32, Message> {
    let mut session = plan.start(0);
    // Unasked, so that one whose first step fails is gone already.
    let _ = send_files(session.socket.as_ref().expect("the socket"), kind::CGROUPS, 0, &[tasks.as_raw_fd()]);
    let mut kept = Vec::new();
    loop {
        let Some((message, _, fd)) = session.receive() else {
            let connection = gate.connect();
            begin(&connection);
            return match receive(&connection) {
                None => Ok(session.exit_code()),
                Some((message, ..)) => fail(&mut session, message),
            };
        };
        kept.extend(fd);
        match message.kind {
            kind::FAILED => return fail(&mut session, message),
            kind::REACHED if message.value == POINT_COMMIT.into() => session.give_gate(gate),
            kind::REACHED => session.reply(None),
            kind::FORKED => session = session.forked(&message),
            _ => {}
        }
    }
}

fn fail(session: &mut Session, message: Message) -> Result<i32, Message> {
    assert_eq!(message.kind, kind::FAILED);
    assert_eq!(session.exit_code(), 1);
    Err(message)
}

#[test]
fn every_step_fails_in_turn() {
    let (root, temp, gate) = (Temp::root(&["proc", "dev"]), Temp::new(), Gate::new());
    let tasks = File::create(temp.path("tasks")).expect("a file");
    let files = [File::from(memfd(b"{}")), File::open("/proc/self/ns/ipc").expect("a namespace")];
    let mut plan = long(&root, &files);
    assert_eq!(converse(&plan, &gate, &tasks), Ok(77));
    for step in 0..plan.count() {
        plan.fail_at = step;
        // What the listener of the last round did not accept is gone with it: each round starts anew.
        let message = converse(&plan, &gate, &tasks).expect_err("the fault");
        assert_eq!((message.step, message.errno), (step, libc::EIO));
        assert_eq!(Act::from_code(message.act), Some(Act::Fault));
    }
}
