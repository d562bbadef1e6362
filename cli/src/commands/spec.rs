// SPDX-License-Identifier: Apache-2.0
//! `brig spec`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::pretty;
use crate::arguments::Globals;
use crate::error::{Context, Error, Result};
use crate::ffi;
use crate::log::Log;

#[derive(Args)]
pub struct Spec {
    /// The directory to put it into
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// For an ordinary user, in a user namespace
    #[arg(long)]
    rootless: bool,
}

impl super::Run for Spec {
    const NAME: &'static str = "spec";
    const ABOUT: &'static str = "Make a config.json to start from";

    fn run(self, _: &Globals, _: &Log) -> Result<ExitCode> {
        let text = pretty(&ffi::default_spec(self.rootless)?)?;
        write_new(&self.bundle.join("config.json"), &text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the file, and only makes it: a config.json of the user's is never lost.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let write = || OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    match write() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::refused(format!("{} exists: remove it first", path.display())))
        }
        result => result.context(|| format!("cannot write {}", path.display())),
    }
}
