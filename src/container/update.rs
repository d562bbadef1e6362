// SPDX-License-Identifier: Apache-2.0
//! The cgroups of a container that is there: changing its limits, and handing its directories out.

use std::os::fd::OwnedFd;

use super::{Container, Status, status, stopped};
use crate::error::{Error, Kind, Result};
use crate::spec;

impl Container {
    /// Changes limits, all or none; `resources` is `linux.resources` as JSON. Errors have pointers relative to it.
    pub fn update(&self, resources: &[u8]) -> Result<()> {
        let resources = spec::load_resources(resources)?;
        let _lock = self.lock()?;
        let record = self.record()?;
        match status::of(&record, &self.directory()) {
            Status::Creating | Status::Stopped => Err(stopped()),
            Status::Created | Status::Running | Status::Paused => {
                record.cgroup.update(&resources).map_err(spec::relative_to_resources)
            }
        }
    }

    /// The container's cgroup in the unified hierarchy, or where this controller is.
    pub fn cgroup(&self, controller: Option<&str>) -> Result<OwnedFd> {
        let cgroup = self.record()?.cgroup;
        let (found, what) = match controller {
            Some(name) => (cgroup.directory_with(name)?, format!("{name} cgroup controller")),
            None => (cgroup.directory()?, "unified cgroup hierarchy".to_owned()),
        };
        found.ok_or_else(|| Error::new(Kind::Unsupported, format!("this host has no {what}")))
    }
}
