// SPDX-License-Identifier: Apache-2.0
//! `brig start`

use std::process::ExitCode;

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::log::Log;

#[derive(Args)]
pub struct Start {
    /// The container
    id: String,
}

impl super::Run for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str = "Let a created container run its program";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        globals.runtime()?.container(&self.id)?.start()?;
        Ok(ExitCode::SUCCESS)
    }
}
