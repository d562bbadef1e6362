// SPDX-License-Identifier: Apache-2.0
//! A client of the message bus, as much of one as systemd's manager needs: connect, call, wait for a signal. Nothing of
//! it waits for longer than until its deadline. It has no thread, and is connected only while it is used.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::value::{Reader, Value, pad};

/// What can go wrong: a text that says it, and the name of the error if it is the other side's.
#[derive(Debug)]
pub(super) struct Failure {
    /// Such as "org.freedesktop.systemd1.NoSuchUnit".
    pub(super) name: Option<String>,
    /// What happened.
    pub(super) text: String,
}

impl Failure {
    /// One of our own.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { name: None, text: text.into() }
    }

    /// Whether it is this error of systemd's.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.as_deref().and_then(|full| full.strip_prefix("org.freedesktop.systemd1.")) == Some(name)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

/// The outcome of anything here.
pub(super) type Result<T> = std::result::Result<T, Failure>;

/// The kinds of messages.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// The codes of header fields.
mod field {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const REPLY_SERIAL: u8 = 5;
    pub(super) const DESTINATION: u8 = 6;
    pub(super) const SIGNATURE: u8 = 8;
}

/// The longest message that is taken: systemd's own are some hundred bytes.
const LONGEST: usize = 1 << 20;

/// Whom a call goes to.
pub(super) struct Target {
    /// A name on the bus.
    pub(super) destination: &'static str,
    /// An object there.
    pub(super) path: &'static str,
    /// An interface of it.
    pub(super) interface: &'static str,
}

const BUS: Target =
    Target { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/// A message that came.
#[derive(Default)]
struct Message {
    kind: u8,
    member: String,
    error: String,
    reply_to: u32,
    body: Vec<Value>,
}

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A message bus.
    Bus,
    /// systemd itself, who sends all of its signals unasked.
    Systemd,
}

/// A connection.
pub(super) struct Bus {
    socket: OwnedFd,
    peer: Peer,
    deadline: Instant,
    serial: u32,
    /// Bytes that came and are no whole message yet.
    input: Vec<u8>,
    /// Signals that came while an answer was waited for.
    signals: VecDeque<Message>,
}

impl Bus {
    /// Connects to whoever is at one of these addresses, separated by semicolons.
    pub(super) fn connect(addresses: &str, peer: Peer, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let mut result = Err(Failure::new(format!("{addresses:?} is no address of a bus on a unix socket")));
        for address in addresses.split(';').filter_map(parse_address) {
            result = connect(&address, patience)
                .map_err(|errno| Failure::new(format!("cannot connect to {addresses}: {errno}")));
            if result.is_ok() {
                break;
            }
        }
        let (input, signals) = (Vec::new(), VecDeque::new());
        let mut bus = Self { socket: result?, peer, deadline, serial: 0, input, signals };
        bus.authenticate()?;
        if peer == Peer::Bus {
            bus.call(&BUS, "Hello", &[])?;
        }
        Ok(bus)
    }

    /// Who we are the bus asks the kernel: an identity of the caller's own making would be wrong in a user namespace.
    fn authenticate(&mut self) -> Result<()> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        for expected in ["DATA", "OK "] {
            let line = self.line()?;
            if !line.starts_with(expected) {
                return Err(Failure::new(format!("the bus does not let us in: {line}")));
            }
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line = self.input.drain(..end + 2).collect::<Vec<u8>>();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.receive()?;
        }
    }

    /// Asks for the signals that the rule describes.
    pub(super) fn subscribe(&mut self, rule: &str) -> Result<()> {
        match self.peer {
            Peer::Bus => self.call(&BUS, "AddMatch", &[Value::text(rule)]).map(drop),
            Peer::Systemd => Ok(()),
        }
    }

    /// Calls a method, and gives what it returns.
    pub(super) fn call(&mut self, target: &Target, member: &str, arguments: &[Value]) -> Result<Vec<Value>> {
        self.serial += 1;
        let message = encode(self.serial, target, member, arguments);
        self.send(&message)?;
        loop {
            let message = self.next()?;
            match message.kind {
                RETURN if message.reply_to == self.serial => return Ok(message.body),
                ERROR if message.reply_to == self.serial => {
                    let text = match message.body.into_iter().next() {
                        Some(Value::Text(text)) => text,
                        _ => message.error.clone(),
                    };
                    return Err(Failure { name: Some(message.error), text });
                }
                SIGNAL => self.signals.push_back(message),
                _ => {}
            }
        }
    }

    /// Waits for the next signal of this name.
    pub(super) fn signal(&mut self, member: &str) -> Result<Vec<Value>> {
        loop {
            let message = match self.signals.pop_front() {
                Some(message) => message,
                None => self.next()?,
            };
            if message.kind == SIGNAL && message.member == member {
                return Ok(message.body);
            }
        }
    }

    fn next(&mut self) -> Result<Message> {
        loop {
            match decode(&self.input) {
                Decoded::Message(message, length) => {
                    self.input.drain(..length);
                    return Ok(message);
                }
                Decoded::Part => self.receive()?,
                Decoded::Nonsense => return Err(Failure::new("the bus sent what is no message")),
            }
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            self.ready(PollFlags::OUT)?;
            match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(Failure::new(format!("cannot send to the bus: {errno}"))),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        self.ready(PollFlags::IN)?;
        let mut part = [0; 4096];
        match rustix::net::recv(&self.socket, &mut part, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Err(Failure::new("the bus hung up")),
            Ok((length, _)) => {
                self.input.extend(part.iter().take(length));
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(errno) => Err(Failure::new(format!("cannot hear from the bus: {errno}"))),
        }
    }

    fn ready(&self, what: PollFlags) -> Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.socket, what)], Some(&left)) {
                Ok(0) => return Err(Failure::new("no answer in time")),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Failure::new(format!("cannot wait for the bus: {errno}"))),
            }
        }
    }
}

/// connect(2) itself waits while the queue of the listener is full: not for longer than sending may.
fn connect(address: &SocketAddrUnix, patience: Duration) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, address))?;
    Ok(socket)
}

/// `unix:path=/run/…` or `unix:abstract=…`, perhaps with more keys.
fn parse_address(address: &str) -> Option<SocketAddrUnix> {
    let keys = address.strip_prefix("unix:")?;
    keys.split(',').filter_map(|key| key.split_once('=')).find_map(|(key, value)| match key {
        "path" => SocketAddrUnix::new(unescape(value).as_ref()).ok(),
        "abstract" => SocketAddrUnix::new_abstract_name(&unescape(value)).ok(),
        _ => None,
    })
}

/// Bytes other than letters, digits and some signs are written as `%` and two hexadecimal digits.
fn unescape(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

fn encode(serial: u32, target: &Target, member: &str, arguments: &[Value]) -> Vec<u8> {
    let mut signature = String::new();
    let mut body = Vec::new();
    for argument in arguments {
        argument.signature(&mut signature);
        argument.write(&mut body);
    }
    let mut fields = vec![
        (field::PATH, Value::Path(target.path.to_owned())),
        (field::INTERFACE, Value::text(target.interface)),
        (field::MEMBER, Value::text(member)),
        (field::DESTINATION, Value::text(target.destination)),
    ];
    if !signature.is_empty() {
        fields.push((field::SIGNATURE, Value::Signature(signature)));
    }
    let field = |(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]);
    let fields = Value::Array("(yv)".to_owned(), fields.into_iter().map(field).collect());

    let endian = if cfg!(target_endian = "little") { b'l' } else { b'B' };
    let mut message = vec![endian, CALL, 0, 1];
    Value::U32(body.len() as u32).write(&mut message);
    Value::U32(serial).write(&mut message);
    fields.write(&mut message);
    pad(&mut message, 8);
    message.extend(body);
    message
}

enum Decoded {
    Message(Message, usize),
    /// More bytes are needed.
    Part,
    Nonsense,
}

fn decode(bytes: &[u8]) -> Decoded {
    let number = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let (Some(body), Some(fields)) = (number(4), number(12)) else { return Decoded::Part };
    let header = (fields as usize).saturating_add(16).next_multiple_of(8);
    let length = header.saturating_add(body as usize);
    if length > LONGEST {
        return Decoded::Nonsense;
    }
    let (Some(head), Some(content)) = (bytes.get(..header), bytes.get(header..length)) else { return Decoded::Part };
    read(head, content).map_or(Decoded::Nonsense, |message| Decoded::Message(message, length))
}

fn read(head: &[u8], content: &[u8]) -> Option<Message> {
    let head = Reader::new(head).all("yyyyuua(yv)")?;
    let [_, Value::Byte(kind), _, _, _, _, Value::Array(_, fields)] = head.as_slice() else { return None };
    let mut message = Message { kind: *kind, ..Message::default() };
    let mut signature = String::new();
    for entry in fields {
        let Value::Struct(entry) = entry else { return None };
        let [Value::Byte(code), Value::Variant(value)] = entry.as_slice() else { return None };
        match (*code, value.as_ref()) {
            (field::MEMBER, Value::Text(text)) => message.member.clone_from(text),
            (field::ERROR_NAME, Value::Text(text)) => message.error.clone_from(text),
            (field::REPLY_SERIAL, Value::U32(serial)) => message.reply_to = *serial,
            (field::SIGNATURE, Value::Signature(text)) => signature.clone_from(text),
            _ => {}
        }
    }
    message.body = Reader::new(content).all(&signature)?;
    Some(message)
}
