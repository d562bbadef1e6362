// SPDX-License-Identifier: Apache-2.0
//! `brig delete`

use std::process::ExitCode;

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::log::Log;
use crate::notify;

#[derive(Args)]
pub struct Delete {
    /// Kill it if it still runs; that there is no such container is fine, too
    #[arg(short, long)]
    force: bool,
    /// The container
    id: String,
}

impl super::Run for Delete {
    const NAME: &'static str = "delete";
    const ABOUT: &'static str = "Remove a container that has ended";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        match self.delete(globals) {
            Err(error) if self.force && error.is_not_found() => Ok(ExitCode::SUCCESS),
            result => result.map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Delete {
    fn delete(&self, globals: &Globals) -> Result<()> {
        globals.runtime()?.container(&self.id)?.delete(self.force)?;
        notify::clear(&notify::directory(&globals.state_directory(), &self.id));
        Ok(())
    }
}
