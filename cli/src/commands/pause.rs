// SPDX-License-Identifier: Apache-2.0
//! `brig pause`

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;

#[derive(Args)]
pub struct Pause {
    /// The container
    id: String,
}

impl super::Run for Pause {
    const NAME: &'static str = "pause";
    const ABOUT: &'static str = "Freeze all processes of a container";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        globals.runtime()?.container(&self.id)?.pause()?;
        Ok(ExitCode::SUCCESS)
    }
}
