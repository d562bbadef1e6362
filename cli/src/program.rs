// SPDX-License-Identifier: Apache-2.0
//! The `process` object of an exec: from a file, or the container's own as the flags change it.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use rustix::termios::Winsize;
use serde_json::{Value, json};

use crate::activation::Activation;
use crate::environment::{self, list};
use crate::error::{Context, Error, Result};
use crate::ffi::Container;

/// The flags for it.
#[derive(Args)]
#[group(skip)]
pub struct Flags {
    /// The process as JSON, in place of all that follows
    #[arg(short, long, value_name = "FILE", conflicts_with_all = OTHERS)]
    process: Option<PathBuf>,
    /// The working directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// A variable of the environment; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Make a new terminal for it
    #[arg(short, long)]
    tty: bool,
    /// The user, and perhaps the group
    #[arg(short, long, value_name = "UID[:GID]", value_parser = User::parse)]
    user: Option<User>,
    /// One more group; may be repeated
    #[arg(short = 'g', long, value_name = "GID", value_parser = id)]
    additional_gids: Vec<u32>,
    /// The SELinux label
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// The AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// Let it gain no privileges
    #[arg(long)]
    no_new_privs: bool,
    /// One more capability; may be repeated
    #[arg(short, long, value_name = "CAP")]
    cap: Vec<String>,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

const OTHERS: [&str; 9] =
    ["cwd", "env", "user", "additional_gids", "process_label", "apparmor", "no_new_privs", "cap", "command"];

/// A process for the library.
pub struct Program {
    /// The text of it.
    pub json: String,
    /// Whether it asks for a terminal.
    pub terminal: bool,
}

impl Flags {
    /// The process that these flags ask for, which is told of the `activation`. If its terminal is to be shown on `ours`,
    /// it is of that size from the start: nobody waits until we have seen it.
    pub fn read(&self, container: &Container, ours: Option<Winsize>, activation: Activation) -> Result<Program> {
        match &self.process {
            Some(path) => {
                let text = fs::read_to_string(path).context(|| format!("cannot read {}", path.display()))?;
                Ok(self.complete(text, ours, activation))
            }
            None if self.command.is_empty() => Err(Error::refused("missing argument: <COMMAND>")),
            None => {
                let own = container.process_spec()?;
                let mut process = serde_json::from_str(&own).context(|| "cannot read the library's JSON")?;
                self.change(&mut process);
                activation.tell(&mut process);
                resize(&mut process, ours);
                Ok(Program { json: process.to_string(), terminal: self.tty })
            }
        }
    }

    /// What is not JSON is left to the library, which says so better.
    fn complete(&self, json: String, ours: Option<Winsize>, activation: Activation) -> Program {
        let mut process: Value = serde_json::from_str(&json).unwrap_or_default();
        if !process.is_object() {
            return Program { json, terminal: false };
        }
        if self.tty {
            process["terminal"] = json!(true);
        }
        activation.tell(&mut process);
        resize(&mut process, ours);
        Program { json: process.to_string(), terminal: process["terminal"] == true }
    }

    fn change(&self, process: &mut Value) {
        process["args"] = json!(self.command);
        process["terminal"] = json!(self.tty);
        if let Some(directory) = &self.cwd {
            process["cwd"] = json!(directory);
        }
        if let Some(label) = &self.process_label {
            process["selinuxLabel"] = json!(label);
        }
        if let Some(profile) = &self.apparmor {
            process["apparmorProfile"] = json!(profile);
        }
        if self.no_new_privs {
            process["noNewPrivileges"] = json!(true);
        }
        environment::set(process, &self.env);
        if let Some(User { uid, gid }) = self.user {
            process["user"]["uid"] = json!(uid);
            if let Some(gid) = gid {
                process["user"]["gid"] = json!(gid);
            }
        }
        let groups = self.additional_gids.iter().map(|group| json!(group));
        list(process, "/user/additionalGids").extend(groups);
        // Never inheritable nor ambient: the program of an ordinary user would have them (CVE-2022-29162).
        for set in ["bounding", "effective", "permitted"].iter().filter(|_| !self.cap.is_empty()) {
            let known = list(process, &format!("/capabilities/{set}"));
            known.extend(self.cap.iter().map(|capability| json!(capability)));
        }
    }
}

fn resize(process: &mut Value, ours: Option<Winsize>) {
    if let Some(Winsize { ws_row, ws_col, .. }) = ours.filter(|_| process["terminal"] == true) {
        process["consoleSize"] = json!({ "height": ws_row, "width": ws_col });
    }
}

/// `UID` or `UID:GID`; without a GID the group stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: Option<u32>,
}

impl User {
    /// Of what is not exactly that, nothing may be guessed: root would be the guess (CVE-2026-30892).
    fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
        Ok(Self { uid: id(uid)?, gid: gid.map(id).transpose()? })
    }
}

/// The number of a user or group; the largest one means "unchanged" to the kernel.
fn id(text: &str) -> std::result::Result<u32, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&id| digits && id != u32::MAX).ok_or("not a number from 0 to 4294967294")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        for (text, expected) in [
            ("1", Some((1, None))),
            ("0", Some((0, None))),
            ("1:2", Some((1, Some(2)))),
            ("4294967294:0", Some((4_294_967_294, Some(0)))),
            ("", None),
            (":", None),
            ("1:", None),
            (":2", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("0x1", None),
            ("4294967295", None),
            ("4294967296", None),
            ("1:2:3", None),
            ("1:-2", None),
            ("a", None),
            ("root", None),
        ] {
            let expected = expected.map(|(uid, gid)| User { uid, gid });
            assert_eq!(User::parse(text).ok(), expected, "{text:?}");
        }
    }
}
