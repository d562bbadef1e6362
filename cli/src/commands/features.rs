// SPDX-License-Identifier: Apache-2.0
//! `brig features`

use clap::Args;

use super::{pretty, print};
use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::ffi;
use crate::log::Log;

#[derive(Args)]
pub struct Features {}

impl super::Run for Features {
    const NAME: &'static str = "features";
    const ABOUT: &'static str = "Print what this brig can do here as JSON";

    fn run(self, _: &Globals, _: &Log) -> Result<ExitCode> {
        print(&pretty(&ffi::features()?)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
