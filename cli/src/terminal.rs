// SPDX-License-Identifier: Apache-2.0
//! The container's terminal, shown on ours: what is typed goes in, what is printed comes out.
//!
//! Nothing is lost at the end, however much it is and however slowly it is read, and nothing that waits
//! for the other side keeps signals from being handled.

use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::error::{Context, Result};
use crate::foreground::Ready;
use crate::guard::Guard;

/// Both terminals, and what is on its way between them.
pub struct Terminal {
    master: OwnedFd,
    /// The modes of our own terminal, to be restored, and who does it if we cannot; `None` if stdin is not one.
    ours: Option<(Termios, Guard)>,
    input: Flow,
    output: Flow,
    /// Nobody has the container's terminal open. While the container lives, somebody may open it again.
    hung_up: bool,
}

/// So much can be written to a pipe without waiting, once it is writable at all.
const CHUNK: usize = 4096;

/// How often to see whether somebody opened the container's terminal again: poll(2) cannot tell.
const HANGUP_CHECK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The size of our terminal, if we have one.
pub fn size() -> Option<Winsize> {
    tcgetwinsize(stdin()).or_else(|_| tcgetwinsize(stdout())).ok()
}

impl Terminal {
    /// Makes our terminal a mere window to the one of `master`.
    pub fn attach(master: OwnedFd) -> Result<Self> {
        let what = || "cannot prepare the terminal";
        // It is ours alone, unlike stdin and stdout, where others would feel this.
        let flags = fcntl_getfl(&master).context(what)?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).context(what)?;
        let mut terminal = Self { master, ours: None, input: Flow::new(), output: Flow::new(), hung_up: false };
        if let Ok(modes) = tcgetattr(stdin()) {
            let mut raw = modes.clone();
            raw.make_raw();
            let guard = Guard::start(&modes, &raw)?;
            terminal.ours = Some((modes, guard));
            tcsetattr(stdin(), OptionalActions::Now, &raw).context(what)?;
        }
        terminal.resize();
        Ok(terminal)
    }

    /// Gives the container's terminal the size of ours, if we have one.
    pub fn resize(&self) {
        if let Some(size) = size() {
            // No more than looks depend on it.
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Whether nothing more comes out: true once the container has ended and all was read and written.
    pub fn is_drained(&self) -> bool {
        self.output.ended && self.output.bytes.is_empty()
    }

    /// Adds the files to wait for, and says how long to wait at most.
    pub fn interest<'a>(&'a self, files: &mut Vec<PollFd<'a>>) -> Option<Timespec> {
        if self.output.wants_more() && !self.hung_up {
            files.push(PollFd::new(&self.master, PollFlags::IN));
        }
        if !self.input.bytes.is_empty() && !self.hung_up {
            files.push(PollFd::new(&self.master, PollFlags::OUT));
        }
        if !self.output.bytes.is_empty() {
            files.push(PollFd::from_borrowed_fd(stdout(), PollFlags::OUT));
        }
        if self.input.wants_more() {
            files.push(PollFd::from_borrowed_fd(stdin(), PollFlags::IN));
        }
        self.hung_up.then_some(HANGUP_CHECK)
    }

    /// Moves what can be moved without waiting.
    pub fn transfer(&mut self, ready: &Ready, running: bool) {
        if self.input.wants_more() && ready.has(stdin()) {
            self.take_input();
        }
        self.input.pour(&self.master);
        if ready.has(stdout()) {
            self.output.pour(stdout());
        }
        if self.output.wants_more() {
            self.take_output(running);
        }
    }

    fn take_input(&mut self) {
        if !matches!(self.input.fill(stdin()), Ok(1..)) {
            self.input.ended = true;
            self.type_end_of_file();
        }
    }

    /// A program that reads lines shall see that there are no more.
    fn type_end_of_file(&mut self) {
        let Ok(modes) = tcgetattr(&self.master) else { return };
        if modes.local_modes.contains(LocalModes::ICANON) {
            // The first may do no more than end a line that was begun.
            self.input.bytes.extend([modes.special_codes[SpecialCodeIndex::VEOF]; 2]);
        }
    }

    fn take_output(&mut self, running: bool) {
        // EAGAIN: for now there is no more; EIO: nobody has the terminal open. Both come only after all that
        // was printed, so that without the container either is the end.
        let result = self.output.fill(&self.master);
        self.hung_up = matches!(result, Ok(0) | Err(Errno::IO));
        self.output.ended = !running && !matches!(result, Ok(1..));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((modes, _)) = &self.ours {
            // If even this fails, our terminal is gone.
            let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
        }
    }
}

/// What is on its way in one direction.
struct Flow {
    bytes: Vec<u8>,
    /// The source has no more.
    ended: bool,
    /// The sink takes no more. It is poured out all the same, so that the source need not wait.
    refused: bool,
}

impl Flow {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(CHUNK), ended: false, refused: false }
    }

    fn wants_more(&self) -> bool {
        self.bytes.is_empty() && !self.ended
    }

    /// Reads once. 0 is the end.
    fn fill(&mut self, source: impl AsFd) -> rustix::io::Result<usize> {
        let count = read(source, spare_capacity(&mut self.bytes))?;
        if self.refused {
            self.bytes.clear();
        }
        Ok(count)
    }

    /// Writes once, if there is something.
    fn pour(&mut self, sink: impl AsFd) {
        if self.bytes.is_empty() {
            return;
        }
        match write(sink, &self.bytes) {
            Ok(count) => drop(self.bytes.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.refused = true;
                self.bytes.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use rustix::fs::{Mode, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::stdio::dup2_stdin;

    use super::*;

    /// A terminal's two ends.
    fn pair() -> (OwnedFd, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let peer = open(ptsname(&master, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        (master, peer)
    }

    #[test]
    fn a_panic_restores_our_terminal() {
        let ((_screen, ours), (master, _peer)) = (pair(), pair());
        dup2_stdin(&ours).unwrap();
        let modes = || tcgetattr(&ours).unwrap().local_modes;
        let before = modes();
        let crash = || {
            let _terminal = Terminal::attach(master).unwrap();
            assert!(modes() != before);
            resume_unwind(Box::new("a bug"));
        };
        assert!(catch_unwind(AssertUnwindSafe(crash)).is_err());
        assert_eq!(modes(), before);
    }
}
