// SPDX-License-Identifier: Apache-2.0
//! `brig kill`

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;
use crate::signal_name;

#[derive(Args)]
pub struct Kill {
    /// To all processes, not only the first
    #[arg(short, long)]
    all: bool,
    /// The container
    id: String,
    /// The signal's name or number
    #[arg(default_value = "TERM", allow_hyphen_values = true)]
    signal: String,
}

impl super::Run for Kill {
    const NAME: &'static str = "kill";
    const ABOUT: &'static str = "Send a signal to a container";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let signal = signal_name::parse(&self.signal)?;
        globals.runtime()?.container(&self.id)?.signal(signal, self.all)?;
        Ok(ExitCode::SUCCESS)
    }
}
