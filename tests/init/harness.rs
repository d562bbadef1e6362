// SPDX-License-Identifier: Apache-2.0
//! What the tests share: plans, a started init and the conversation with it, directories that vanish.

use std::ffi::{CString, c_void};
use std::fs;
use std::io::{IoSlice, IoSliceMut, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::gate::Gate;
use brig_wire::{Act, GATE, Header, Message, NO_FAULT, STATE, Step, Strings, attach, kind};
use nix::cmsg_space;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::socket::sockopt::{ReceiveTimeout, SendTimeout};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, setsockopt,
    socketpair,
};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The program under test.
pub const INIT: &[u8] = include_bytes!(env!("BRIG_INIT"));

/// A static program for inside a container.
pub const BUSYBOX: &str = "/bin/busybox";

/// Longer than any answer takes, in seconds, on a busy machine too.
const PATIENCE: i64 = 60;

/// Strings of a step, which live as long as the test run.
pub fn strings(list: &[&str]) -> Strings<'static> {
    Strings::pack(list.iter().map(|text| string(text)), Box::leak(Box::default()))
}

/// A string of a step, which lives as long as the test run.
pub fn string(text: impl AsRef<Path>) -> &'static std::ffi::CStr {
    let bytes = text.as_ref().as_os_str().as_encoded_bytes();
    Box::leak(CString::new(bytes).expect("no NUL").into_boxed_c_str())
}

/// A directory that is removed again.
pub struct Temp(PathBuf);

impl Temp {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brig-init-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a fresh directory");
        Self(path)
    }

    /// A root filesystem with these directories, and busybox in `bin`.
    pub fn root(directories: &[&str]) -> Self {
        let root = Self::new();
        for directory in directories.iter().chain(&["bin"]) {
            fs::create_dir_all(root.path(directory)).expect("directories");
        }
        // Not by fs::copy: what another thread starts meanwhile would hold the file open for writing, and execve(2) refuse it.
        let copied = Command::new("cp").arg(BUSYBOX).arg(root.path("bin/busybox")).status();
        assert!(copied.expect("cp").success(), "busybox");
        root
    }

    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A plan in the making.
#[derive(Clone)]
pub struct Plan {
    steps: Vec<u8>,
    count: u32,
    pub fail_at: u32,
    /// Descriptors that init shall have.
    fds: Vec<RawFd>,
}

impl Plan {
    pub fn new() -> Self {
        Self { steps: Vec::new(), count: 0, fail_at: NO_FAULT, fds: Vec::new() }
    }

    /// Starts with `root` as the root of a private mount namespace.
    pub fn within(root: &Temp) -> Self {
        Self::new()
            .step(Step::RootPropagation { propagation: libc::MS_PRIVATE as u32, recursive: 1 })
            .step(Step::CloneTree { path: string(root.path("")), recursive: 1 })
            .step(Step::SetRoot {})
    }

    pub fn step(mut self, step: Step) -> Self {
        step.encode(&mut self.steps);
        self.count += 1;
        self
    }

    /// Goes on with the steps of another plan.
    pub fn then(mut self, other: &Self) -> Self {
        self.steps.extend_from_slice(&other.steps);
        self.fds.extend_from_slice(&other.fds);
        self.count += other.count;
        self
    }

    pub fn steps<'s>(self, steps: impl IntoIterator<Item = Step<'s>>) -> Self {
        steps.into_iter().fold(self, Self::step)
    }

    /// A new filesystem of this type.
    pub fn mount(self, fstype: &str, options: &[&str], target: &str) -> Self {
        let (fstype, source) = (string(fstype), string(fstype));
        self.step(Step::NewMount { fstype, source, options: strings(options), attrs: 0 })
            .step(Step::Attach { target: string(target), flags: 0 })
    }

    /// The usual procfs.
    pub fn proc(self) -> Self {
        self.step(Step::NewMount { fstype: c"proc", source: c"proc", options: strings(&[]), attrs: 0 })
            .step(Step::Attach { target: c"/proc", flags: attach::NO_SYMLINKS })
    }

    pub fn pivot(self) -> Self {
        self.step(Step::Pivot { slave: 0 })
    }

    pub fn sync(self, point: u32) -> Self {
        self.step(Step::Sync { point })
    }

    /// Executes a shell script in the container.
    pub fn shell(self, script: &str) -> Self {
        self.exec("/bin/busybox", &["sh", "-c", script])
    }

    pub fn exec(self, program: &str, args: &[&str]) -> Self {
        let candidates = strings(&[program]);
        self.step(Step::Exec { candidates, args: strings(args), env: strings(&["PATH=/bin"]) })
    }

    /// Lets init have this descriptor; its number in the plan.
    pub fn fd(&mut self, fd: &impl AsRawFd) -> u32 {
        self.fds.push(fd.as_raw_fd());
        fd.as_raw_fd() as u32
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn encode(&self) -> Vec<u8> {
        let length = (Header::SIZE + self.steps.len()) as u32;
        let mut bytes = Header { steps: self.count, length, fail_at: self.fail_at }.encode().to_vec();
        bytes.extend_from_slice(&self.steps);
        bytes
    }

    /// Starts init in new namespaces, always a mount namespace among them.
    pub fn start(&self, namespaces: i32) -> Session {
        Session::start(&self.encode(), &self.fds, namespaces | libc::CLONE_NEWNS)
    }

    /// Starts init and waits for its end, in which it must have said nothing.
    pub fn run(&self, namespaces: i32) -> i32 {
        let mut session = self.start(namespaces);
        if let Some((message, text, _)) = session.receive() {
            panic!("{message:?} {:?} {text:?}", Act::from_code(message.act));
        }
        session.exit_code()
    }

    /// Starts init, which must fail; the message and its text.
    pub fn fail(&self, namespaces: i32) -> (Act, Message, String) {
        let mut session = self.start(namespaces);
        let (message, text, _) = session.receive().expect("a message");
        assert_eq!(message.kind, kind::FAILED, "{message:?}");
        assert_ne!(session.exit_code(), 0);
        (Act::from_code(message.act).expect("an act"), message, text)
    }
}

/// The answer of a step that must fail: the act and the errno.
pub fn failure(plan: &Plan) -> (Act, i32) {
    let (act, message, _) = plan.fail(0);
    (act, message.errno)
}

/// Bytes in a memfd, sealed as the library seals them.
pub fn memfd(bytes: &[u8]) -> OwnedFd {
    let fd = memfd_create(c"brig-test", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).expect("a memfd");
    fs::File::from(fd.try_clone().expect("a descriptor")).write_all(bytes).expect("room");
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: takes no memory.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    fd
}

/// A pair of connected packet sockets.
pub fn pair() -> (OwnedFd, OwnedFd) {
    let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).expect("sockets");
    let patience = TimeVal::new(PATIENCE, 0);
    setsockopt(&pair.0, ReceiveTimeout, &patience).expect("a timeout");
    setsockopt(&pair.0, SendTimeout, &patience).expect("a timeout");
    pair
}

/// A message, the text behind it, the descriptor with it; `None` at the end of the connection.
pub fn receive(socket: &impl AsRawFd) -> Option<(Message, String, Option<OwnedFd>)> {
    let (mut bytes, mut space) = ([0; 1024], cmsg_space!([RawFd; 1]));
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let packet = loop {
        // A socket with a timeout is interrupted by much.
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            // The second is told once, before all that is queued: the peer has ended with something of ours unread.
            Err(nix::Error::EINTR | nix::Error::ECONNRESET) => {}
            packet => break packet.expect("a message in time"),
        }
    };
    let fd = packet.cmsgs().expect("control messages").find_map(|message| match message {
        // SAFETY: the descriptor is new and nobody else's.
        ControlMessageOwned::ScmRights(fds) => Some(unsafe { OwnedFd::from_raw_fd(fds[0]) }),
        _ => None,
    });
    let count = packet.bytes;
    let (message, text) = Message::decode(bytes.get(..count)?)?;
    Some((message, String::from_utf8_lossy(text).into_owned(), fd))
}

/// Sends a message of this kind; a descriptor with a reply is the hook state.
pub fn send(socket: &impl AsRawFd, kind: u32, fd: Option<&OwnedFd>) -> nix::Result<usize> {
    let fds: Vec<_> = fd.into_iter().map(AsRawFd::as_raw_fd).collect();
    send_files(socket, kind, if fds.is_empty() { 0 } else { STATE }, &fds)
}

/// Sends a message of this kind and value with descriptors.
pub fn send_files(socket: &impl AsRawFd, kind: u32, value: i64, fds: &[RawFd]) -> nix::Result<usize> {
    let bytes = Message { kind, value, ..Message::default() }.encode();
    let rights = [ControlMessage::ScmRights(fds)];
    let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], rights, MsgFlags::MSG_NOSIGNAL, None)
}

/// A running init.
pub struct Session {
    pub pid: Pid,
    /// Our end of the control socket.
    pub socket: Option<OwnedFd>,
    reaped: bool,
}

/// What the child of the clone needs, which shares our memory until it executes.
struct Launch<'l> {
    program: RawFd,
    arguments: [*const libc::c_char; 4],
    inherited: &'l [RawFd],
}

extern "C" fn launch(argument: *mut c_void) -> i32 {
    // SAFETY: the parent waits for us, and with it `Launch`.
    let launch = unsafe { &*argument.cast::<Launch>() };
    for fd in launch.inherited {
        // SAFETY: takes no memory.
        unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) };
    }
    let environment = [std::ptr::null::<libc::c_char>()];
    // SAFETY: NUL-terminated strings in NULL-terminated arrays.
    unsafe {
        let (arguments, environment) = (launch.arguments.as_ptr(), environment.as_ptr());
        libc::syscall(libc::SYS_execveat, launch.program, c"".as_ptr(), arguments, environment, libc::AT_EMPTY_PATH);
    }
    99
}

impl Session {
    /// Starts init as the library does: a vfork that shares memory, and all signals blocked.
    pub fn start(plan: &[u8], fds: &[RawFd], namespaces: i32) -> Self {
        let program = memfd(INIT);
        Self::start_program(&program, plan, fds, namespaces)
    }

    pub fn start_program(program: &OwnedFd, plan: &[u8], fds: &[RawFd], namespaces: i32) -> Self {
        let (plan, (ours, theirs)) = (memfd(plan), pair());
        let numbers = [&plan, &theirs].map(|fd| CString::new(fd.as_raw_fd().to_string()).expect("digits"));
        let inherited = [fds, &[plan.as_raw_fd(), theirs.as_raw_fd()]].concat();
        let [plan_number, control_number] = numbers.each_ref().map(|number| number.as_ptr());
        let arguments = [c"brig-init".as_ptr(), plan_number, control_number, std::ptr::null()];
        let pid = spawn(&Launch { program: program.as_raw_fd(), arguments, inherited: &inherited }, namespaces);
        Self { pid, socket: Some(ours), reaped: false }
    }

    /// The child of which this FORKED message tells, after the end of the one that sent it.
    pub fn forked(mut self, message: &Message) -> Self {
        assert_eq!(message.kind, kind::FORKED, "{message:?}");
        assert_eq!(self.exit_code(), 0);
        Self { pid: Pid::from_raw(message.value as i32), socket: self.socket.take(), reaped: false }
    }

    pub fn receive(&self) -> Option<(Message, String, Option<OwnedFd>)> {
        receive(self.socket.as_ref().expect("the socket"))
    }

    /// Waits until init has come to `point`.
    pub fn reached(&self, point: u32) -> Message {
        let (message, text, _) = self.receive().expect("init to live");
        assert_eq!(
            (message.kind, message.value),
            (kind::REACHED, point.into()),
            "{message:?} {:?} {text}",
            Act::from_code(message.act)
        );
        message
    }

    pub fn reply(&self, fd: Option<&OwnedFd>) {
        send(self.socket.as_ref().expect("the socket"), kind::REPLY, fd).expect("init to live");
    }

    /// Answers with the start gate.
    pub fn give_gate(&self, gate: &Gate) {
        let socket = self.socket.as_ref().expect("the socket");
        send_files(socket, kind::REPLY, GATE, &[gate.listener.as_raw_fd()]).expect("init to live");
    }

    pub fn wait(&mut self) -> WaitStatus {
        for _ in 0..PATIENCE * 100 {
            match waitpid(self.pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)).expect("a child") {
                WaitStatus::StillAlive => std::thread::sleep(Duration::from_millis(10)),
                status => {
                    self.reaped = true;
                    return status;
                }
            }
        }
        panic!("init did not end");
    }

    pub fn exit_code(&mut self) -> i32 {
        match self.wait() {
            WaitStatus::Exited(_, code) => code,
            status => panic!("{status:?}"),
        }
    }

    /// A path as the process sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/{}", self.pid, path.trim_start_matches('/')))
    }

    /// A file of the process in procfs.
    pub fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid)).expect("a file of the process")
    }

    /// A line of its status file.
    pub fn status(&self, key: &str) -> String {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.expect("a line").trim().to_owned()
    }

    /// The options of the topmost mount at `target`, as mountinfo has them: of the mount, then of the filesystem.
    pub fn mount(&self, target: &str) -> Option<String> {
        let table = self.proc("mountinfo");
        table.lines().rfind(|line| line.split(' ').nth(4) == Some(target)).map(str::to_owned)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, Some(WaitPidFlag::__WALL));
        }
    }
}

fn spawn(launch_data: &Launch, namespaces: i32) -> Pid {
    let mut stack = vec![0u8; 64 << 10];
    let (all, mut before) = (SigSet::all(), SigSet::empty());
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before)).expect("a mask");
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | namespaces;
    let argument = std::ptr::from_ref(launch_data).cast_mut().cast();
    // SAFETY: the child has a stack of its own, and does nothing but system calls until it executes.
    let pid = unsafe { libc::clone(launch, stack.as_mut_ptr_range().end.cast(), flags, argument) };
    let error = std::io::Error::last_os_error();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).expect("a mask");
    assert!(pid > 0, "{error}");
    Pid::from_raw(pid)
}
