// SPDX-License-Identifier: Apache-2.0
//! `brig create`

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::launch::{self, Mode};
use crate::log::Log;
use crate::signals::Signals;

#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    launch: launch::Flags,
}

impl super::Run for Create {
    const NAME: &'static str = "create";
    const ABOUT: &'static str = "Set a container up; its program waits for start";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        self.launch.create(globals, Mode::Detached, &Signals::block()?)?.keep();
        Ok(ExitCode::SUCCESS)
    }
}
