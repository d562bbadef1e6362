// SPDX-License-Identifier: Apache-2.0
//! `brig plan`

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::ffi::CreateOptions;
use crate::log::Log;

#[derive(Args)]
pub struct Plan {
    /// The bundle: a directory with a config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// What the container would be called
    #[arg(default_value = "plan")]
    id: String,
}

impl super::Run for Plan {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str = "Print what create would do, step by step";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let Globals { systemd_cgroup, rootless, .. } = *globals;
        let bundle = Some(self.bundle.as_path());
        let options = CreateOptions { bundle, systemd_cgroup, rootless, ..CreateOptions::default() };
        let mut plan = globals.runtime()?.plan(&self.id, &options)?;
        if !plan.ends_with('\n') {
            plan.push('\n');
        }
        print(&plan)?;
        Ok(ExitCode::SUCCESS)
    }
}
