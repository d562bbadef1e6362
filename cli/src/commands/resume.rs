// SPDX-License-Identifier: Apache-2.0
//! `brig resume`

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;

#[derive(Args)]
pub struct Resume {
    /// The container
    id: String,
}

impl super::Run for Resume {
    const NAME: &'static str = "resume";
    const ABOUT: &'static str = "Let the processes of a paused container go on";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        globals.runtime()?.container(&self.id)?.resume()?;
        Ok(ExitCode::SUCCESS)
    }
}
