// SPDX-License-Identifier: Apache-2.0
//! `brig start`

use std::os::fd::AsFd;

use clap::Args;

use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log::Log;
use crate::notify::{self, Proxy};

#[derive(Args)]
pub struct Start {
    /// The container
    id: String,
}

impl super::Run for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str = "Let a created container run its program";

    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        let runtime = globals.runtime()?;
        let container = runtime.container(&self.id)?;
        if !notify::is_wanted() {
            container.start()?;
            return Ok(ExitCode::SUCCESS);
        }
        let init = container.init()?;
        let directory = notify::directory(&runtime.root()?, &self.id);
        let proxy = Proxy::open(&directory, init.pid()?, log)?;
        container.start()?;
        if let Some(proxy) = proxy {
            proxy.wait(init.pidfd()?.as_fd(), None)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
