// SPDX-License-Identifier: Apache-2.0
//! Where the library's log goes: nowhere, until the host names a file.
//!
//! The other rooms log through the macros of the `log` crate. A host in Rust that has a logger of its own keeps it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use log::{LevelFilter, Log, Metadata, Record};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr, write};
use serde_json::json;

use crate::error::{Context, Result};
use crate::time::rfc3339;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `time="…" level=error msg="…"`
    Text,
    /// An object with "level", "msg" and "time".
    Json,
}

/// Sends the log to a duplicate of `file` from now on; `None` turns it off.
pub fn to_fd(file: Option<BorrowedFd<'_>>, level: LevelFilter, format: Format) -> Result<()> {
    let target = match file {
        // Not below 3: there it would be taken for stdin, stdout or stderr where the host has these closed.
        Some(file) => {
            Some(Target { file: fcntl_dupfd_cloexec(file, 3).context(|| "cannot keep the log's file")?, format })
        }
        None => None,
    };
    if is_installed() {
        log::set_max_level(if target.is_some() { level } else { LevelFilter::Off });
        *TARGET.write().unwrap_or_else(PoisonError::into_inner) = target;
    }
    Ok(())
}

/// Whether the `log` crate is ours to set up. The first logger of a process is its only one.
fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| log::set_logger(&Lines).is_ok())
}

static TARGET: RwLock<Option<Target>> = RwLock::new(None);

struct Target {
    file: OwnedFd,
    format: Format,
}

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(target) = &*TARGET.read().unwrap_or_else(PoisonError::into_inner) {
            let level = level(record.level());
            let line = line(target.format, &rfc3339(SystemTime::now()), level, &record.args().to_string());
            // One write, so that the lines of threads and processes do not mix. A log that cannot be written must
            // not break what it tells of.
            let _ = retry_on_intr(|| write(&target.file, line.as_bytes()));
        }
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warning",
        log::Level::Info => "info",
        log::Level::Debug | log::Level::Trace => "debug",
    }
}

/// JSON's rules of quoting keep a text on its line in both formats.
fn line(format: Format, time: &str, level: &str, message: &str) -> String {
    match format {
        Format::Text => format!("time=\"{time}\" level={level} msg={}\n", json!(message)),
        Format::Json => format!("{}\n", json!({ "level": level, "msg": message, "time": time })),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::AsFd;

    use super::*;

    /// The lines of this test: others may run in this process at the same time, and log.
    fn own(mut file: impl Read) -> Vec<String> {
        let mut all = String::new();
        // That there is an end says that no duplicate was left open.
        file.read_to_string(&mut all).unwrap();
        all.lines().filter(|line| line.contains("own:")).map(String::from).collect()
    }

    #[test]
    fn lines_follow_what_is_asked_for() {
        let (from_text, text) = pipe().unwrap();
        let (from_json, json) = pipe().unwrap();
        to_fd(Some(text.as_fd()), LevelFilter::Warn, Format::Text).unwrap();
        drop(text);
        log::warn!("own: a \"quoted\"\nword");
        log::info!("own: not asked for");
        to_fd(Some(json.as_fd()), LevelFilter::Debug, Format::Json).unwrap();
        drop(json);
        log::debug!("own: here");
        to_fd(None, LevelFilter::Debug, Format::Text).unwrap();
        log::error!("own: nowhere");

        let lines = own(from_text);
        let (time, rest) = lines[0].strip_prefix("time=\"").and_then(|rest| rest.split_once('"')).unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert_eq!(rest, " level=warning msg=\"own: a \\\"quoted\\\"\\nword\"");
        assert_eq!(lines.len(), 1);

        let lines = own(from_json);
        let object: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&object["level"], &object["msg"]), (&json!("debug"), &json!("own: here")));
        assert_eq!(lines.len(), 1);
    }
}
