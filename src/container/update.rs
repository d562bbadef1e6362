// SPDX-License-Identifier: Apache-2.0
//! The cgroups of a container that is there: changing its limits, and handing its directories out.

use std::os::fd::OwnedFd;

use super::{Container, Status, status, stopped};
use crate::error::{Error, Kind, Result};
use crate::spec;

impl Container {
    /// Changes limits, all or none: `resources` is `linux.resources` as JSON, `rdt` is `linux.intelRdt`. Errors have
    /// pointers relative to the object that they are about.
    pub fn update(&self, resources: Option<&[u8]>, rdt: Option<&[u8]>) -> Result<()> {
        let resources = resources.map(spec::load_resources).transpose()?.unwrap_or_default();
        let rdt = rdt.map(spec::load_rdt).transpose()?;
        let _lock = self.lock()?;
        let record = self.record()?;
        match status::of(&record, &self.directory()) {
            Status::Creating | Status::Stopped => return Err(stopped()),
            Status::Created | Status::Running | Status::Paused => {}
        }
        let former = match (&rdt, &record.rdt) {
            (None, _) => None,
            (Some(rdt), Some(class)) => Some(class.update(rdt).map_err(spec::relative_to_rdt)?),
            (Some(_), None) => {
                let message =
                    "the container was created without linux.intelRdt, and has no class of service of its own";
                return Err(Error::new(Kind::Unsupported, message));
            }
        };
        record.cgroup.update(&resources).map_err(|error| {
            let error = spec::relative_to_resources(error);
            match former {
                Some(former) => former.put_back(error),
                None => error,
            }
        })
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
