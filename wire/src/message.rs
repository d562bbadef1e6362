// SPDX-License-Identifier: Apache-2.0
//! Messages over the control socket (a `SOCK_SEQPACKET` pair: one message, one packet) and over the
//! connection to the start gate.

use crate::codec::{Field, Reader};

macro_rules! kinds {
    ($($(#[$doc:meta])* $code:literal $name:ident)*) => {
        /// The kinds of messages.
        pub mod kind {
            $($(#[$doc])* pub const $name: u32 = $code;)*
        }

        // The compiler refuses two kinds with one number: the second arm could not be reached.
        const _: () = match 0u32 {
            $($code => {})*
            _ => {}
        };
    };
}

kinds! {
    /// init → host: a [`Sync`](crate::Step::Sync) step was reached; `value` is its point. init waits
    /// for a [`REPLY`].
    1 REACHED
    /// host → init: go on. `value` says which descriptors come with it, in this order: [`STATE`](super::STATE),
    /// [`GATE`](super::GATE).
    2 REPLY
    /// init → host: a [`Fork`](crate::Step::Fork) was done; `value` is the pid of the child in the
    /// namespace of the one that forked, and its pidfd is attached. The sender exits.
    3 FORKED
    /// init → host: the attached file is the master of the new terminal.
    4 CONSOLE
    /// init → host, or over the start connection: step `step` failed. init then exits.
    5 FAILED
    /// starter → init over the start connection: run the program. Perhaps with memory for a [`LastWord`](super::LastWord).
    6 START
    /// init → host: a [`RunHook`](crate::Step::RunHook) ended well. Only sent where the plan ends
    /// with it, that is, where init only supervises a hook of the runtime namespace.
    7 HOOK_DONE
    /// host → init: with it come the `tasks` files of the version 1 cgroups, up to [`FILES_MAX`](super::FILES_MAX).
    8 CGROUPS
    /// init → starter over the start connection: START was heard, by an init that lives. The end of the connection
    /// behind this is the success of execve(2); without this, it is the end of an init that was never started.
    9 STARTED
    /// init → host: a [`Supervise`](crate::Step::Supervise) was done; `value` is the pid of the child, and its pidfd is
    /// attached. The sender stays, says no more, and waits for the child's end.
    10 SUPERVISED
    /// init → host: the attached file is a socket for the devices of init's network namespace; init waits for a
    /// [`REPLY`].
    11 NETWORK
    /// init → host, or over the start connection: the attached file is the listener of the filter that was just loaded.
    /// init waits for a [`REPLY`], since with execve(2) it loses its own copy.
    12 LISTENER
    /// init → host or starter, as a last word: the plan is done but for execve(2) itself.
    40 EXECUTING
    /// init → host: the attached file is the directory that a [`ShowDirectory`](crate::Step::ShowDirectory) names.
    70 DIRECTORY
}

/// In the value of a reply: a file with the hook state.
pub const STATE: i64 = 1;
/// In the value of a reply: the listening socket of the start gate.
pub const GATE: i64 = 2;

/// Most descriptors that come with one message: there are not half as many version 1 hierarchies.
pub const FILES_MAX: usize = 32;

/// [`Sync`](crate::Step::Sync): the host writes the id maps of the new user namespace.
pub const POINT_MAPS: u32 = 1;
/// [`Sync`](crate::Step::Sync): the environment stands; the host runs `prestart` and `createRuntime`.
pub const POINT_HOOKS: u32 = 2;
/// [`Sync`](crate::Step::Sync): everything is done; the host records the container. Should the host
/// die before it answers, init ends, and nothing but an unfinished record is left.
pub const POINT_COMMIT: u32 = 3;
/// [`Sync`](crate::Step::Sync): what comes next is measured by the limits of the cgroups; the host has set them.
pub const POINT_LIMITS: u32 = 4;

/// How a process ended: one record of the file that a supervisor writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its pid, as the supervisor's pid namespace has it.
    pub pid: i32,
    /// Its status, as of wait(2).
    pub status: i32,
}

impl Ended {
    /// Encoded size in bytes.
    pub const SIZE: usize = 8;

    /// The record as bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.pid.to_le_bytes());
        bytes[4..].copy_from_slice(&self.status.to_le_bytes());
        bytes
    }

    /// Reads a record; `None` if it is not whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self { pid: i32::get(&mut reader)?, status: i32::get(&mut reader)? })
    }
}

/// Most bytes of text that may follow a message.
pub const TEXT_MAX: usize = 512;

/// Init's last word: a file of memory that it shares with whoever waits for the end of its connection. It is written
/// without a system call, so that init can say why it ends whatever its filter denies. Zeros are no word.
///
/// Bytes: how many follow, as a 32-bit number; a message; its text.
#[derive(Clone, Copy, Debug)]
pub struct LastWord;

impl LastWord {
    /// Size of the file: a page.
    pub const SIZE: usize = 4096;
    /// So many bytes of it are used at most.
    pub const USED: usize = 4 + Message::SIZE + TEXT_MAX;

    /// Writes a word in place of the one before.
    pub fn write(memory: &mut [u8], message: &Message, text: &[u8]) {
        let text = text.get(..TEXT_MAX).unwrap_or(text);
        let length = (Message::SIZE + text.len()) as u32;
        let bytes = length.to_le_bytes().into_iter().chain(message.encode()).chain(text.iter().copied());
        for (slot, byte) in memory.iter_mut().zip(bytes) {
            *slot = byte;
        }
    }

    /// Reads it; `None` if there is none, or it is malformed.
    pub fn read(bytes: &[u8]) -> Option<(Message, &[u8])> {
        let mut reader = Reader::new(bytes);
        let length = u32::get(&mut reader)?;
        Message::decode(reader.take(length as usize)?)
    }
}

macro_rules! acts {
    ($($(#[$doc:meta])* $code:literal $name:ident $text:literal)*) => {
        /// What a step was doing when it failed: one system call, or the check between two.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Act {
            $(#[doc = $text] $name = $code,)*
        }

        impl Act {
            /// The act with this number.
            pub fn from_code(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The act in words, as the object of "cannot".
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

acts! {
    0 Step "do this"
    1 Open "open it"
    2 Create "create it"
    3 OpenTarget "open the mount target"
    4 CreateTarget "create the mount target"
    5 OpenSource "open the mount source"
    6 FsOpen "open the filesystem type"
    7 FsConfig "set a filesystem option"
    8 FsCreate "create the filesystem"
    9 FsMount "make a mount of the filesystem"
    10 CloneTree "clone the mount source"
    11 SetAttr "set the mount attributes"
    12 MoveMount "attach the mount"
    13 Write "write the value"
    14 NotOrdinary "mount here: the target must be an ordinary directory, not a symbolic link"
    15 InsideProc "mount inside procfs"
    16 WrongDevice "use it: it is not the device that it should be"
    17 Outside "use it: it is outside the container's root"
    18 HookExec "execute the hook"
    19 HookExit "accept the hook's exit status"
    20 HookSignal "accept that the hook was killed by a signal"
    21 HookTimeout "wait longer for the hook"
    22 NotFound "find the program"
    23 NotExecutable "execute the program"
    24 PivotRoot "change the root"
    25 Unmount "unmount the old root"
    26 Chdir "change the directory"
    27 Fork "start a process"
    28 Fault "pass the injected fault"
    29 SetGroups "set the groups"
    30 SetGid "set the group id"
    31 SetUid "set the user id"
    32 Malformed "read the plan"
    33 Wait "wait"
    34 WrongFs "use it: it is not on the filesystem that it should be"
    40 OnFile "mount a directory on a file"
    41 OnDirectory "mount a file on a directory"
    42 Copy "copy what is there"
    43 FsReconfigure "change the filesystem"
    44 Label "set the SELinux label"
    45 Keyring "make the session keyring"
    50 MemoryPolicy "set it"
}

/// One message. On the wire: these 24 bytes, then up to [`TEXT_MAX`] bytes of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// One of [`kind`].
    pub kind: u32,
    /// The step it is about.
    pub step: u32,
    /// `FAILED`: the errno(3) value, or 0.
    pub errno: i32,
    /// `FAILED`: an [`Act`].
    pub act: u32,
    /// Depends on the kind: a pid, a point, a hook's exit code or signal, the index of a filesystem
    /// option.
    pub value: i64,
}

impl Message {
    /// Encoded size in bytes, without text.
    pub const SIZE: usize = 24;

    /// The message as bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.step.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.errno.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.act.to_le_bytes());
        bytes[16..].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    /// Reads a message and the text behind it.
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader::new(bytes);
        let message = Self {
            kind: u32::get(&mut reader)?,
            step: u32::get(&mut reader)?,
            errno: i32::get(&mut reader)?,
            act: u32::get(&mut reader)?,
            value: i64::get(&mut reader)?,
        };
        Some((message, bytes.get(Self::SIZE..)?))
    }
}
