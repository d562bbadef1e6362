// SPDX-License-Identifier: Apache-2.0
//! Finding the program, waiting at the gate, executing.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use brig_wire::{Act, LastWord, Message, POINT_COMMIT, Step, kind};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::sys::uio::pread;
use nix::unistd::ftruncate;

use crate::harness::{Plan, Session, Temp, failure, receive, send, strings};

/// A start gate as the library makes it.
pub struct Gate {
    pub listener: OwnedFd,
    address: UnixAddr,
    _directory: Temp,
}

impl Gate {
    pub fn new() -> Self {
        let directory = Temp::new();
        let address = UnixAddr::new(&directory.path("gate")).expect("a short path");
        let listener = packets();
        bind(listener.as_raw_fd(), &address).expect("an address");
        listen(&listener, Backlog::new(8).expect("a number")).expect("a listener");
        Self { listener, address, _directory: directory }
    }

    pub fn connect(&self) -> OwnedFd {
        let connection = packets();
        connect(connection.as_raw_fd(), &self.address).expect("a gate");
        connection
    }
}

/// Lets the waiting init go on.
pub fn begin(connection: &OwnedFd) {
    send(connection, kind::START, None).expect("the gate");
    let (message, ..) = receive(connection).expect("an answer");
    assert_eq!(message.kind, kind::STARTED);
}

fn packets() -> OwnedFd {
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(20, 0)).expect("a timeout");
    socket
}

/// Waits at the gate, then does the rest of the plan.
fn at_gate(gate: &Gate, rest: impl FnOnce(Plan) -> Plan) -> Session {
    let session = rest(Plan::new().sync(POINT_COMMIT).step(Step::Gate {})).start(0);
    session.reached(POINT_COMMIT);
    session.give_gate(gate);
    assert!(session.receive().is_none(), "the control socket closes");
    session
}

#[test]
fn start_executes_the_program() {
    let gate = Gate::new();
    let mut session = at_gate(&gate, |plan| plan.shell("exit 5"));
    let connection = gate.connect();
    begin(&connection);
    assert!(receive(&connection).is_none(), "success is the end of the connection");
    assert_eq!(session.exit_code(), 5);
}

#[test]
fn who_does_not_say_start_is_sent_away() {
    let gate = Gate::new();
    let mut session = at_gate(&gate, |plan| plan.shell("exit 6"));
    drop(gate.connect());
    let garbage = gate.connect();
    nix::sys::socket::send(garbage.as_raw_fd(), b"x", nix::sys::socket::MsgFlags::empty()).expect("the gate");
    assert!(receive(&garbage).is_none());
    let wrong = gate.connect();
    send(&wrong, kind::REPLY, None).expect("the gate");
    assert!(receive(&wrong).is_none());
    sleep(Duration::from_millis(20));
    let connection = gate.connect();
    begin(&connection);
    assert!(receive(&connection).is_none());
    assert_eq!(session.exit_code(), 6);
}

#[test]
fn a_failure_after_the_gate_goes_to_the_starter() {
    let gate = Gate::new();
    let cases: [(&str, Act, i32, i32); 3] = [
        ("/no/such/program", Act::NotFound, libc::ENOENT, 127),
        ("/etc/passwd", Act::NotExecutable, libc::EACCES, 126),
        ("/etc", Act::NotExecutable, libc::EACCES, 126),
    ];
    for (program, act, errno, code) in cases {
        let mut session = at_gate(&gate, |plan| plan.exec(program, &["x"]));
        let connection = gate.connect();
        begin(&connection);
        let (message, ..) = receive(&connection).expect("a message");
        assert_eq!((message.kind, message.step, message.errno), (kind::FAILED, 2, errno));
        assert_eq!(Act::from_code(message.act), Some(act));
        assert_eq!(session.exit_code(), code);
    }
    let mut session = at_gate(&gate, |mut plan| {
        plan.fail_at = 2;
        plan.shell("exit 0")
    });
    let connection = gate.connect();
    begin(&connection);
    let (message, ..) = receive(&connection).expect("a message");
    assert_eq!(Act::from_code(message.act), Some(Act::Fault));
    assert_eq!(session.exit_code(), 1);
}

/// Zeros for the last word.
fn memory() -> OwnedFd {
    let memory = memfd_create(c"brig-test", MFdFlags::MFD_CLOEXEC).expect("a memfd");
    ftruncate(&memory, LastWord::SIZE as i64).expect("room");
    memory
}

fn last_word(memory: &OwnedFd) -> Option<Message> {
    let mut bytes = [0; LastWord::USED];
    assert_eq!(pread(memory, &mut bytes, 0), Ok(LastWord::USED));
    LastWord::read(&bytes).map(|(message, _)| message)
}

#[test]
fn the_last_word_is_left_in_memory() {
    // Not even sendmsg.
    let denied: Vec<u8> =
        [(0x20, 0, 0, 0), (0x15, 0, 1, libc::SYS_sendmsg as u32), (0x06, 0, 0, 0x0005_0001), (0x06, 0, 0, 0x7fff_0000)]
            .into_iter()
            .flat_map(|(code, yes, no, k): (u16, u8, u8, u32)| {
                let ([a, b], [c, d, e, f]) = (code.to_ne_bytes(), k.to_ne_bytes());
                [a, b, yes, no, c, d, e, f]
            })
            .collect();
    let filtered = |plan: Plan| {
        plan.step(Step::NoNewPrivileges {}).step(Step::Seccomp { flags: 0, program: Box::leak(denied.clone().into()) })
    };
    for (program, expected, code) in [
        ("/no/such/program", (kind::FAILED, 4, libc::ENOENT), 127),
        ("/etc/passwd", (kind::FAILED, 4, libc::EACCES), 126),
        ("/bin/busybox", (kind::EXECUTING, 0, 0), 0),
    ] {
        let gate = Gate::new();
        let mut session = at_gate(&gate, |plan| filtered(plan).exec(program, &["true"]));
        let (connection, memory) = (gate.connect(), memory());
        send(&connection, kind::START, Some(&memory)).expect("the gate");
        assert_eq!(receive(&connection).expect("an answer").0.kind, kind::STARTED);
        assert!(receive(&connection).is_none());
        let said = last_word(&memory).expect("a last word");
        assert_eq!((said.kind, said.step, said.errno), expected, "{program}");
        assert_eq!(session.exit_code(), code);

        // The same for a plan without a gate.
        let (mut plan, memory) = (Plan::new(), self::memory());
        let fd = plan.fd(&memory);
        assert_eq!(filtered(plan.step(Step::LastWord { fd })).exec(program, &["true"]).run(0), code);
        let said = last_word(&memory).expect("a last word");
        assert_eq!((said.kind, said.errno), (expected.0, expected.2), "{program}");
    }
    // One that is killed has said nothing.
    let gate = Gate::new();
    let mut session = at_gate(&gate, |plan| plan.step(Step::Sync { point: POINT_COMMIT }).shell("exit 0"));
    let (connection, memory) = (gate.connect(), memory());
    send(&connection, kind::START, Some(&memory)).expect("the gate");
    assert_eq!(receive(&connection).expect("an answer").0.kind, kind::STARTED);
    assert_eq!(receive(&connection).expect("a question").0.kind, kind::REACHED);
    drop(connection);
    assert_eq!(session.exit_code(), 1);
    assert_eq!(last_word(&memory), None);
}

#[test]
fn the_program_is_the_first_that_can_be_executed() {
    let temp = Temp::new();
    let path = |name: &str| temp.path(name).to_str().expect("text").to_owned();
    let write = |name: &str, text: &str, mode| {
        fs::write(temp.path(name), text).expect("a file");
        fs::set_permissions(temp.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    write("plain", "", 0o644);
    write("no-interpreter", "#!/no/such/interpreter\n", 0o755);
    write("third", "#!/bin/busybox sh\nexit 33\n", 0o755);
    fs::create_dir(temp.path("directory")).expect("a directory");
    let run = |names: &[&str]| {
        let paths: Vec<String> = names.iter().map(|name| path(name)).collect();
        let candidates = strings(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        Plan::new().step(Step::FindProgram { candidates }).step(Step::Exec {
            candidates,
            args: strings(&["x"]),
            env: strings(&[]),
        })
    };
    assert_eq!(run(&["none", "plain", "directory", "third"]).run(0), 33);
    assert_eq!(failure(&run(&["none", "plain/x"])), (Act::NotFound, libc::ENOENT));
    assert_eq!(failure(&run(&["none", "directory"])), (Act::NotExecutable, libc::EACCES));
    assert_eq!(failure(&run(&["plain", "none"])), (Act::NotExecutable, libc::EACCES));
    assert_eq!(failure(&run(&[])), (Act::NotFound, libc::ENOENT));
    assert_eq!(failure(&run(&["no-interpreter"])), (Act::NotFound, libc::ENOENT));
}

#[test]
fn arguments_and_environment_arrive() {
    let temp = Temp::new();
    let long = "v".repeat(100_000);
    let many: Vec<String> = (0..3000).map(|index| format!("A{index}={index}")).collect();
    let mut env: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("LONG={long}");
    env.push(&long);
    let out = temp.path("out");
    let script = format!("echo \"$#\" \"$2\" \"${{#LONG}}\" $(env | grep -c ^A) > {}", out.display());
    let step = Step::Exec {
        candidates: strings(&["/bin/busybox"]),
        args: strings(&["sh", "-c", &script, "zero", "one", "two words", ""]),
        env: strings(&env),
    };
    assert_eq!(Plan::new().step(step).run(0), 0);
    assert_eq!(fs::read_to_string(out).expect("output"), "3 two words 100000 3000\n");
}
