// SPDX-License-Identifier: Apache-2.0
//! `brig state`

use clap::Args;

use super::{pretty, print};
use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;

#[derive(Args)]
pub struct State {
    /// The container
    id: String,
}

impl super::Run for State {
    const NAME: &'static str = "state";
    const ABOUT: &'static str = "Print a container's state as JSON";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        print(&pretty(&globals.runtime()?.container(&self.id)?.state()?)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
