// SPDX-License-Identifier: Apache-2.0
//! Somebody who answers notifications.

use std::io::Read;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use libseccomp::{ScmpNotifReq, ScmpNotifResp, ScmpNotifRespFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

/// Longer than any container takes.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// What becomes of a call.
pub enum Answer {
    /// This errno.
    Fails(i32),
    /// This value, though nothing was done.
    Returns(i64),
    /// What the kernel makes of it.
    Continues,
}

/// A call that was notified of.
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: [u64; 6],
    /// Who made it, as we know him.
    pub pid: u32,
    listener: i32,
    id: u64,
}

impl Call {
    /// Whether it still waits for an answer.
    pub fn waits(&self) -> bool {
        libseccomp::notify_id_valid(self.listener, self.id).is_ok()
    }
}

/// One process that was to be attended.
pub struct Met {
    /// The container process state.
    pub state: Value,
    /// The names of its calls.
    pub calls: Vec<String>,
}

/// An agent with a socket of its own.
pub struct Agent {
    /// The socket.
    pub path: PathBuf,
    thread: JoinHandle<Vec<Met>>,
}

impl Agent {
    /// Waits for this many processes and answers their calls.
    pub fn start(directory: &Path, processes: usize, answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let path = directory.join("agent.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixListener::bind(&path).unwrap();
        let thread = std::thread::spawn(move || {
            let answer = &answer;
            std::thread::scope(|scope| {
                let attend = |_| {
                    assert!(is_ready(&socket), "nobody came");
                    let (state, listener) = receive(socket.accept().unwrap().0);
                    scope.spawn(move || Met { state, calls: attend(&listener, answer) })
                };
                let threads: Vec<_> = (0..processes).map(attend).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            })
        });
        Self { path, thread }
    }

    /// Waits for the end of all of them.
    #[track_caller]
    pub fn end(self) -> Vec<Met> {
        self.thread.join().unwrap()
    }
}

fn is_ready(file: impl AsFd) -> bool {
    poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&PATIENCE)).unwrap() == 1
}

/// What a runtime sends: JSON, with one file.
fn receive(mut connection: UnixStream) -> (Value, OwnedFd) {
    let mut text = vec![0; 1 << 16];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [std::io::IoSliceMut::new(&mut text)];
    let received = recvmsg(&connection, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let files: Vec<_> = ancillary
        .drain()
        .flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.collect(),
            _ => Vec::new(),
        })
        .collect();
    text.truncate(received.bytes);
    connection.read_to_end(&mut text).unwrap();
    connection.shutdown(Shutdown::Both).unwrap();
    let [file] = <[_; 1]>::try_from(files).expect("one file, with the first bytes");
    (serde_json::from_slice(&text).unwrap(), file)
}

/// Answers until nobody is left who could call.
fn attend(listener: &OwnedFd, answer: &(impl Fn(&Call) -> Answer + Sync)) -> Vec<String> {
    let mut calls = Vec::new();
    loop {
        let mut file = [PollFd::new(listener, PollFlags::IN)];
        assert_eq!(poll(&mut file, Some(&PATIENCE)).unwrap(), 1, "they neither call nor end");
        if !file[0].revents().contains(PollFlags::IN) {
            return calls;
        }
        let listener = listener.as_raw_fd();
        // Whoever called may have been killed.
        let Ok(request) = ScmpNotifReq::receive(listener) else { continue };
        let name = request.data.syscall.get_name().unwrap();
        let call = Call { name, args: request.data.args, pid: request.pid, listener, id: request.id };
        let none = ScmpNotifRespFlags::empty();
        let response = match answer(&call) {
            Answer::Fails(errno) => ScmpNotifResp::new_error(request.id, -errno, none),
            Answer::Returns(value) => ScmpNotifResp::new_val(request.id, value, none),
            Answer::Continues => ScmpNotifResp::new_continue(request.id, none),
        };
        let _ = response.respond(listener);
        calls.push(call.name);
    }
}
