// SPDX-License-Identifier: Apache-2.0
//! What create and run share: their flags, and a container that is gone again if anything fails.

use std::ffi::c_int;
use std::fs;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::ffi::{self, Container, CreateOptions, Runtime};
use crate::signals::Signals;
use crate::{pid_file, socket};

/// The flags of create and run.
#[derive(Args)]
pub struct Flags {
    /// The bundle: a directory with a config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Send the terminal's master to this socket
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// Send a pidfd of the container's init to this socket
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// Write the pid of the container's init to this file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Change the root without pivot_root(2), for a root that is an initramfs; less safe
    #[arg(long)]
    no_pivot: bool,
    /// Accepted for compatibility: no session keyring is made
    #[arg(long)]
    no_new_keyring: bool,
    /// Pass on this many open files, from 3 on
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u16,
    /// What the container is to be called
    id: String,
}

/// Whether this program stays with the container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does not.
    Detached,
    /// It does, and is the container's terminal.
    Attached,
}

impl Flags {
    /// Creates the container, and tells about it whoever wants to know. A signal that would end this program makes it
    /// give up, so that nothing is left half-made.
    pub fn create(&self, runtime: &Runtime, mode: Mode, signals: &Signals) -> Result<New> {
        let config = match mode {
            Mode::Detached => Config::read(&self.bundle),
            Mode::Attached => None,
        };
        self.check_terminal(mode, config.as_ref())?;
        let options = CreateOptions {
            bundle: Some(&self.bundle),
            spec: config.as_ref().map(|config| config.text.as_str()),
            fds: &self.preserved()?,
            no_pivot: self.no_pivot,
            cancel: Some(signals.as_fd()),
        };
        let container = New { container: runtime.create(&self.id, &options)?, keep: false };
        // The library may have been too busy to look.
        if signals.next().is_some() {
            return Err(Error::refused("canceled by a signal"));
        }
        self.announce(&container)?;
        Ok(container)
    }

    /// A terminal whose master nobody holds hangs up, so someone must be there to take it.
    fn check_terminal(&self, mode: Mode, config: Option<&Config>) -> Result<()> {
        let terminal = match (mode, config) {
            (Mode::Attached, _) => false,
            (Mode::Detached, Some(config)) => config.terminal,
            (Mode::Detached, None) => return Ok(()),
        };
        match (terminal, &self.console_socket) {
            (true, None) => {
                Err(Error::refused("cannot allocate tty if brig will detach without setting console socket"))
            }
            (false, Some(_)) => {
                Err(Error::refused("cannot use console socket if brig will not detach or allocate tty"))
            }
            _ => Ok(()),
        }
    }

    /// The files for `--preserve-fds`. One that the caller did not pass would be one of our own.
    fn preserved(&self) -> Result<Vec<c_int>> {
        let wanted = 3..3 + c_int::from(self.preserve_fds);
        match wanted.clone().find(|&fd| !ffi::is_inherited(fd)) {
            Some(fd) => Err(Error::refused(format!("--preserve-fds {}: file {fd} is not open", self.preserve_fds))),
            None => Ok(wanted.collect()),
        }
    }

    fn announce(&self, container: &Container) -> Result<()> {
        if let Some(path) = &self.console_socket {
            let master = container.console()?.ok_or_else(|| Error::refused("the container has no terminal"))?;
            socket::send(path, master.as_fd(), "/dev/ptmx")?;
        }
        if let Some(path) = &self.pidfd_socket {
            socket::send(path, container.init()?.pidfd()?.as_fd(), "pidfd")?;
        }
        if let Some(path) = &self.pid_file {
            pid_file::write(path, container.init()?.pid()?)?;
        }
        Ok(())
    }
}

/// config.json, as far as it concerns us.
struct Config {
    text: String,
    terminal: bool,
}

impl Config {
    /// `None` if it cannot be read or makes no sense: the library will say why, and better.
    fn read(bundle: &Path) -> Option<Self> {
        let text = fs::read_to_string(bundle.join("config.json")).ok()?;
        let spec: Spec = serde_json::from_str(&text).ok()?;
        let terminal = spec.process.and_then(|process| process.terminal).unwrap_or_default();
        Some(Self { text, terminal })
    }
}

#[derive(Deserialize)]
struct Spec {
    process: Option<Process>,
}

#[derive(Deserialize)]
struct Process {
    terminal: Option<bool>,
}

/// A container that was just created. Dropped before it is kept, it is deleted.
pub struct New {
    container: Container,
    keep: bool,
}

impl New {
    /// Leaves it to others.
    pub fn keep(mut self) {
        self.keep = true;
    }

    /// Deletes it, whatever it is doing.
    pub fn delete(mut self) -> Result<()> {
        self.keep = true;
        Ok(self.container.delete(true)?)
    }
}

impl Deref for New {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.keep {
            // Something failed already, and that is what the user will read.
            let _ = self.container.delete(true);
        }
    }
}
