// SPDX-License-Identifier: Apache-2.0
//! What libbrig and its sealed init say to each other: the plan and the messages.
//!
//! The library compiles a `config.json` into a *plan*, a flat run of bytes with no pointers in it;
//! init maps the plan and executes it step by step. This crate is the only thing both sides share.
//! It is `no_std`, allocates only on the encoding side (feature `alloc`), and holds no policy.

#![no_std]
#![forbid(unsafe_code)]
// Two steps, messages or acts with one number.
#![deny(unreachable_patterns)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod codec;
mod message;
mod show;
mod step;

pub use codec::{Field, Numbers, Reader, Strings};
pub use message::{
    Act, Ended, FILES_MAX, GATE, LastWord, Message, POINT_COMMIT, POINT_HOOKS, POINT_LIMITS, POINT_MAPS, STATE,
    TEXT_MAX, kind,
};
pub use show::Style;
pub use step::{Step, attach, fd, like};

#[cfg(feature = "alloc")]
pub use codec::Sink;

/// The first eight bytes of every plan.
pub const MAGIC: u64 = u64::from_le_bytes(*b"brigplan");

/// Raised whenever a step, a message or the header changes; both sides are built together, so a
/// mismatch can only be a build error and is refused.
pub const VERSION: u32 = 1;

/// No step is to fail: see [`Header::fail_at`].
pub const NO_FAULT: u32 = u32::MAX;

/// The start of a plan; the steps follow it back to back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many steps follow.
    pub steps: u32,
    /// Bytes of the plan, this header included.
    pub length: u32,
    /// Index of a step that init reports as failed without doing it; [`NO_FAULT`] for none. This is
    /// how the undo tests make every step fail in turn.
    pub fail_at: u32,
}

impl Header {
    /// Encoded size in bytes.
    pub const SIZE: usize = 24;

    /// The header as bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        for (slot, value) in bytes[8..].chunks_exact_mut(4).zip([VERSION, self.steps, self.length, self.fail_at]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// Reads a header; `None` if the bytes are not a plan of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if u64::get(&mut reader)? != MAGIC || u32::get(&mut reader)? != VERSION {
            return None;
        }
        Some(Self { steps: u32::get(&mut reader)?, length: u32::get(&mut reader)?, fail_at: u32::get(&mut reader)? })
    }
}

/// Walks the steps of a plan, in order, with their index.
///
/// Ends early if the bytes are malformed; the caller compares the count with [`Header::steps`].
pub fn steps(plan: &[u8]) -> impl Iterator<Item = (u32, Step<'_>)> {
    let mut reader = Reader::new(plan.get(Header::SIZE..).unwrap_or_default());
    let mut index = 0;
    core::iter::from_fn(move || {
        let step = Step::decode(&mut reader)?;
        index += 1;
        Some((index - 1, step))
    })
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn a_step_comes_back_as_it_went() {
        let (mut strings, mut numbers, mut plan) = (Sink::new(), Sink::new(), Sink::new());
        let steps_in = [
            Step::Undumpable {},
            Step::NewMount {
                fstype: c"tmpfs",
                source: c"",
                options: Strings::pack([c"mode=755", c"size=1k"], &mut strings),
                attrs: 7,
            },
            Step::Groups { list: Numbers::pack([1, u32::MAX], &mut numbers) },
            Step::Seccomp { flags: 1, program: &[1, 2, 3] },
        ];
        plan.extend_from_slice(&Header { steps: 4, length: 0, fail_at: NO_FAULT }.encode());
        for step in &steps_in {
            step.encode(&mut plan);
        }
        assert_eq!(Header::decode(&plan).map(|header| header.steps), Some(4));
        assert!(steps(&plan).map(|(_, step)| step).eq(steps_in));
    }

    #[test]
    fn truncated_plans_end_early() {
        let mut plan = Sink::new();
        plan.extend_from_slice(&Header { steps: 1, length: 0, fail_at: NO_FAULT }.encode());
        Step::Hostname { name: c"brig" }.encode(&mut plan);
        for end in 0..plan.len() {
            assert_eq!(steps(&plan[..end]).count(), 0);
        }
    }

    #[test]
    fn messages_round_trip() {
        let message = Message { kind: kind::FAILED, step: 9, errno: 13, act: Act::MoveMount as u32, value: -1 };
        let mut bytes = message.encode().to_vec();
        bytes.extend_from_slice(b"why");
        assert_eq!(Message::decode(&bytes), Some((message, &b"why"[..])));
        assert_eq!(Act::from_code(message.act), Some(Act::MoveMount));
        let mut memory = [0; LastWord::SIZE];
        assert_eq!(LastWord::read(&memory), None);
        for text in [&b"why"[..], b"", &[b'x'; TEXT_MAX]] {
            LastWord::write(&mut memory, &message, text);
            assert_eq!(LastWord::read(&memory[..LastWord::USED]), Some((message, text)));
        }
        LastWord::write(&mut memory, &message, &[b'x'; 2 * TEXT_MAX]);
        assert_eq!(LastWord::read(&memory).map(|(_, text)| text.len()), Some(TEXT_MAX));
        memory[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(LastWord::read(&memory), None);
        let ended = Ended { pid: 7, status: 0x100 };
        assert_eq!(Ended::decode(&ended.encode()), Some(ended));
        assert_eq!(Ended::decode(&ended.encode()[1..]), None);
    }
}
