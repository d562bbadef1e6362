// SPDX-License-Identifier: Apache-2.0
//! `brig delete`

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;

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
        match globals.runtime()?.container(&self.id).and_then(|container| container.delete(self.force)) {
            Err(error) if self.force && error.is_not_found() => Ok(ExitCode::SUCCESS),
            result => Ok(result.map(|()| ExitCode::SUCCESS)?),
        }
    }
}
