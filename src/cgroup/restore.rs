// SPDX-License-Identifier: Apache-2.0
//! What CRIU has to know of a container's cgroups.

use std::path::Path;

use super::{Cgroup, Version};

impl Cgroup {
    /// Where a container is to be restored: of each hierarchy its controllers, as /proc/PID/cgroup has them, and the
    /// path from its root. `None` is all there are.
    pub(crate) fn roots(&self) -> Vec<(Option<String>, String)> {
        let only_unified = self.places.iter().all(|place| place.version == Version::V2);
        let root = |place: &super::Place| {
            let path = place.path.strip_prefix(&place.mount_point).unwrap_or(&place.path);
            let controllers = if place.version == Version::V2 { "" } else { place.controllers.as_str() };
            // One entry a controller: that of a hierarchy is found by any of its names.
            let names: Vec<_> = match only_unified {
                true => vec![None],
                false => controllers.split(',').map(|name| Some(name.to_owned())).collect(),
            };
            let path = format!("/{}", path.display());
            names.into_iter().map(move |name| (name, path.clone())).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(root).collect()
    }

    /// The directory by which CRIU freezes the container: it looks for version 1 first, and for version 2 only where that
    /// is alone.
    pub(crate) fn criu_freezer(&self) -> Option<&Path> {
        let v1 = self.places.iter().find(|place| place.version == Version::V1 && place.has("freezer"));
        let only_unified = self.places.iter().all(|place| place.version == Version::V2);
        let unified = || self.freezer().filter(|_| only_unified);
        v1.or_else(unified).map(|place| place.path.as_path())
    }
}
