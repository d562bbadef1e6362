// SPDX-License-Identifier: Apache-2.0
//! `brig spec`

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{pretty, print};
use crate::arguments::Globals;
use crate::error::{Context, Error, Result};
use crate::exit_code::ExitCode;
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
    /// Instead, print all that is wrong with this config.json, one mistake a line; "-" is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bundle", "rootless"])]
    check: Option<PathBuf>,
}

impl super::Run for Spec {
    const NAME: &'static str = "spec";
    const ABOUT: &'static str = "Make a config.json to start from, or check one";

    fn run(self, _: &Globals, _: &Log) -> Result<ExitCode> {
        if let Some(path) = &self.check {
            return check(path);
        }
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

/// The mistakes go to stdout: they are what was asked for.
fn check(path: &Path) -> Result<ExitCode> {
    let text = read(path).context(|| format!("cannot read {}", path.display()))?;
    // The library takes text that ends there.
    let mistakes = match text.iter().position(|&byte| byte == 0) {
        Some(at) => vec![format!("config.json: byte {at} is NUL, which is not JSON")],
        None => ffi::mistakes(&text)?,
    };
    mistakes.iter().try_for_each(|mistake| print(&format!("{mistake}\n")))?;
    Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    Ok(text)
}
