// SPDX-License-Identifier: Apache-2.0
//! What goes to and fro between a process of a container and whoever called this program: its terminal, its pid, its
//! files. The same for create, run and exec.

use std::ffi::c_int;
use std::os::fd::AsFd;
use std::path::PathBuf;

use clap::Args;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::ffi::{self, Process};
use crate::pid_file;
use crate::socket::Receiver;

/// The flags for it.
#[derive(Args)]
#[group(skip)]
pub struct Flags {
    /// Send the terminal's master to this socket
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// Send a pidfd of the process to this socket
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// Write the pid of the process to this file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Pass on this many open files, from 3 on
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u16,
}

impl Flags {
    /// A terminal whose master nobody holds hangs up, so someone must be there to take it.
    pub fn check_terminal(&self, detached: bool, terminal: bool) -> Result<()> {
        match (detached && terminal, &self.console_socket) {
            (true, None) => {
                Err(Error::refused("cannot allocate tty if brig will detach without setting console socket"))
            }
            (false, Some(_)) => {
                Err(Error::refused("cannot use console socket if brig will not detach or allocate tty"))
            }
            _ => Ok(()),
        }
    }

    /// The files to pass on: those of a socket activation, then those for `--preserve-fds`. One that the caller did not
    /// pass would be one of our own.
    pub fn files(&self, activation: Activation) -> Result<Vec<c_int>> {
        let preserved = 3 + c_int::from(activation.count);
        let end = preserved + c_int::from(self.preserve_fds);
        match (3..end).find(|&fd| !ffi::is_inherited(fd)) {
            Some(fd) if fd < preserved => {
                Err(Error::refused(format!("LISTEN_FDS={}: file {fd} is not open", activation.count)))
            }
            Some(fd) => Err(Error::refused(format!("--preserve-fds {}: file {fd} is not open", self.preserve_fds))),
            None => Ok((3..end).collect()),
        }
    }

    /// Whether somebody is to be told over a socket.
    pub fn has_receivers(&self) -> bool {
        self.console_socket.is_some() || self.pidfd_socket.is_some()
    }

    /// Finds those who are to be told, before there is something to tell.
    pub fn connect(&self) -> Result<Handover<'_>> {
        let console = self.console_socket.as_ref().map(|path| Receiver::connect(path, "/dev/ptmx")).transpose()?;
        let pidfd = self.pidfd_socket.as_ref().map(|path| Receiver::connect(path, "pidfd")).transpose()?;
        Ok(Handover { console, pidfd, pid_file: self.pid_file.as_ref() })
    }
}

/// Those who want to know of a process.
pub struct Handover<'a> {
    console: Option<Receiver<'a>>,
    pidfd: Option<Receiver<'a>>,
    pid_file: Option<&'a PathBuf>,
}

impl Handover<'_> {
    /// Tells them.
    pub fn announce(self, process: &Process) -> Result<()> {
        if let Some(receiver) = self.console {
            let master = process.console()?.ok_or_else(|| Error::refused("the process has no terminal"))?;
            receiver.send(master.as_fd())?;
        }
        if let Some(receiver) = self.pidfd {
            receiver.send(process.pidfd()?.as_fd())?;
        }
        if let Some(path) = self.pid_file {
            pid_file::write(path, process.pid()?)?;
        }
        Ok(())
    }
}
