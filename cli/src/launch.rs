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
use crate::arguments::Globals;
use crate::error::{Error, Result};
use crate::ffi::{Container, CreateOptions};
use crate::log::Log;
use crate::notify::{self, Proxy};
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
    /// Leave it our session keyring instead of a new one
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
    pub fn create(&self, globals: &Globals, mode: Mode, signals: &Signals) -> Result<New> {
        let runtime = globals.runtime()?;
        let activation = Activation::received();
        let notify = match notify::is_wanted() {
            true => Some(notify::directory(&runtime.root()?, &self.id)),
            false => None,
        };
        let additions = Additions { activation, notify: notify.as_deref() };
        let config = match mode {
            Mode::Attached if additions.are_none() && !self.handover.has_receivers() => None,
            _ => Config::read(&self.bundle, &additions),
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
            no_new_keyring: self.no_new_keyring,
            systemd_cgroup: globals.systemd_cgroup,
            rootless: globals.rootless,
            cancel: Some(signals.as_fd()),
        };
        let new = match additions.notify {
            Some(directory) if notify::prepare(directory)? => Some(directory),
            _ => None,
        };
        let container = runtime.create(&self.id, &options).inspect_err(|_| new.into_iter().for_each(notify::clear))?;
        let container = New { container, notify, keep: false };
        // The library may have been too busy to look.
        if signals.next().is_some() {
            return Err(Error::refused("canceled by a signal"));
        }
        let handover = early.map_or_else(|| self.handover.connect(), Ok)?;
        handover.announce(&container.init()?)?;
        Ok(container)
    }
}

/// What the container gets that is not in its config.json.
struct Additions<'a> {
    activation: Activation,
    /// The directory with the socket for READY=1.
    notify: Option<&'a Path>,
}

impl Additions<'_> {
    fn are_none(&self) -> bool {
        self.activation.count == 0 && self.notify.is_none()
    }

    /// Adds them; what is no list is left to the library, which says so better.
    fn add_to(&self, spec: &mut Value) {
        let Some(process) = spec.get_mut("process") else { return };
        self.activation.tell(process);
        if let Some(directory) = self.notify {
            environment::set(process, &[notify::variable()]);
            if spec.get("mounts").is_none_or(Value::is_array) {
                environment::list(spec, "/mounts").push(notify::mount(directory));
            }
        }
    }
}

/// config.json, as far as it concerns us.
struct Config {
    text: String,
    terminal: bool,
}

impl Config {
    /// `None` if it cannot be read or makes no sense: the library will say why, and better. With
    /// `additions`.
    fn read(bundle: &Path, additions: &Additions<'_>) -> Option<Self> {
        let text = fs::read_to_string(bundle.join("config.json")).ok()?;
        let Terminal { process } = serde_json::from_str(&text).ok()?;
        let terminal = process.and_then(|process| process.terminal).unwrap_or_default();
        if additions.are_none() {
            return Some(Self { text, terminal });
        }
        let mut spec: Value = serde_json::from_str(&text).ok()?;
        additions.add_to(&mut spec);
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
    notify: Option<PathBuf>,
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
        self.remove()
    }

    fn remove(&self) -> Result<()> {
        Ok(self.container.delete(true)?)
    }

    /// Listens for its READY=1, if somebody waits for that.
    pub fn proxy<'a>(&self, log: &'a Log) -> Result<Option<Proxy<'a>>> {
        let Some(directory) = &self.notify else { return Ok(None) };
        Proxy::open(directory, self.container.init()?.pid()?, log)
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
            let _ = self.remove();
        }
    }
}
