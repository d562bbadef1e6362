// SPDX-License-Identifier: Apache-2.0
//! What create and run share: their flags, and a container that is gone again if anything fails.

use std::fs;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::ffi::{Container, CreateOptions, Runtime};
use crate::signals::Signals;
use crate::{environment, handover};

/// The flags of create and run.
#[derive(Args)]
pub struct Flags {
    /// The bundle: a directory with a config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Change the root without pivot_root(2), for a root that is an initramfs; less safe
    #[arg(long)]
    no_pivot: bool,
    /// Accepted for compatibility: no session keyring is made
    #[arg(long)]
    no_new_keyring: bool,
    #[command(flatten)]
    handover: handover::Flags,
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
        let activation = Activation::received();
        let variables = activation.for_init();
        let config = match mode {
            Mode::Attached if variables.is_empty() && !self.handover.has_receivers() => None,
            _ => Config::read(&self.bundle, &variables),
        };
        match &config {
            Some(config) => self.handover.check_terminal(mode == Mode::Detached, config.terminal)?,
            None if mode == Mode::Attached => self.handover.check_terminal(false, false)?,
            None => {}
        }
        let fds = self.handover.files(activation)?;
        // Of a config.json that makes no sense the library tells, so that must not be hidden by a socket that is not there.
        let early = config.is_some().then(|| self.handover.connect()).transpose()?;
        let options = CreateOptions {
            bundle: Some(&self.bundle),
            spec: config.as_ref().map(|config| config.text.as_str()),
            fds: &fds,
            no_pivot: self.no_pivot,
            cancel: Some(signals.as_fd()),
        };
        let container = New { container: runtime.create(&self.id, &options)?, keep: false };
        // The library may have been too busy to look.
        if signals.next().is_some() {
            return Err(Error::refused("canceled by a signal"));
        }
        let handover = early.map_or_else(|| self.handover.connect(), Ok)?;
        handover.announce(&container.init()?)?;
        Ok(container)
    }
}

/// config.json, as far as it concerns us.
struct Config {
    text: String,
    terminal: bool,
}

impl Config {
    /// `None` if it cannot be read or makes no sense: the library will say why, and better. Its process gets more
    /// `variables`.
    fn read(bundle: &Path, variables: &[String]) -> Option<Self> {
        let text = fs::read_to_string(bundle.join("config.json")).ok()?;
        let Terminal { process } = serde_json::from_str(&text).ok()?;
        let terminal = process.and_then(|process| process.terminal).unwrap_or_default();
        if variables.is_empty() {
            return Some(Self { text, terminal });
        }
        let mut spec: Value = serde_json::from_str(&text).ok()?;
        environment::set(spec.get_mut("process")?, variables);
        Some(Self { text: spec.to_string(), terminal })
    }
}

/// The field of it that we decide by.
#[derive(Deserialize)]
struct Terminal {
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
