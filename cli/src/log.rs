// SPDX-License-Identifier: Apache-2.0
//! Where failures are told: a line in the log, and always something on stderr.
//!
//! Callers read this file by machine. podman takes the whole of it as one JSON object and containerd
//! shows the last line with level "error", so a failed command writes exactly one line.

use std::fs::{File, OpenOptions};
use std::io::{Write, stderr};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use crate::error::{Context, Result};
use crate::ffi::{self, LogFormat, LogLevel};

/// The log of this command and of the library under it.
pub struct Log {
    /// `None` is stderr.
    file: Option<File>,
    format: LogFormat,
}

impl Log {
    /// Opens the log, and points the library to it.
    pub fn open(path: Option<&Path>, format: LogFormat, debug: bool) -> Result<Self> {
        let file = path.map(open).transpose()?;
        let level = if debug { LogLevel::Debug } else { LogLevel::Warning };
        match &file {
            Some(file) => ffi::log_to(file.as_fd(), level, format)?,
            None => ffi::log_to(stderr().as_fd(), level, format)?,
        }
        Ok(Self { file, format })
    }

    /// The log for when there is none yet, or it cannot be had.
    pub fn stderr() -> Self {
        Self { file: None, format: LogFormat::Text }
    }

    /// Says why the command failed.
    pub fn error(&self, message: &str) {
        self.line("error", message);
        if self.file.is_some() {
            // For people, and for conmon, which hands stderr on to its caller.
            let _ = writeln!(stderr(), "{message}");
        }
    }

    /// Says what went wrong without the command failing for it.
    pub fn warning(&self, message: &str) {
        self.line("warning", message);
    }

    /// Writes a line with one write(2), so that those of several processes do not mix. Where even that fails there
    /// is nobody left to tell.
    fn line(&self, level: &str, message: &str) {
        let line = format(self.format, &Timestamp::now().to_string(), level, message);
        let _ = match &self.file {
            Some(file) => { file }.write_all(line.as_bytes()),
            None => stderr().write_all(line.as_bytes()),
        };
    }
}

fn open(path: &Path) -> Result<File> {
    (OpenOptions::new().create(true).append(true).mode(0o644).open(path))
        .context(|| format!("cannot open the log {}", path.display()))
}

fn format(format: LogFormat, time: &str, level: &str, message: &str) -> String {
    match format {
        LogFormat::Text => format!("time=\"{time}\" level={level} msg={}\n", json!(message)),
        LogFormat::Json => format!("{}\n", json!({ "level": level, "msg": message, "time": time })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(
            format(LogFormat::Text, "T", "error", "cannot \"run\"\nthis"),
            "time=\"T\" level=error msg=\"cannot \\\"run\\\"\\nthis\"\n"
        );
        assert_eq!(
            format(LogFormat::Json, "T", "error", "cannot \"run\"\nthis"),
            "{\"level\":\"error\",\"msg\":\"cannot \\\"run\\\"\\nthis\",\"time\":\"T\"}\n"
        );
    }
}
