// SPDX-License-Identifier: Apache-2.0
//! What a container finds around it, as its config.json asks for it.

mod devices;
mod mounts;
mod namespaces;
mod process;
mod root;
mod terminal;
mod users;

/// A line of /proc/self/mountinfo.
pub struct Mount {
    root: String,
    point: String,
    /// Those of the mount.
    pub options: String,
    /// The optional fields.
    pub propagation: String,
    fstype: String,
    /// The options of the superblock.
    pub superblock: String,
}

/// The mounts in the text of a mountinfo (proc_pid_mountinfo(5)).
pub fn mountinfo(text: &str) -> Vec<Mount> {
    let parse = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let left: Vec<_> = left.split(' ').collect();
        let right: Vec<_> = right.split(' ').collect();
        Some(Mount {
            root: left[3].into(),
            point: left[4].into(),
            options: left[5].into(),
            propagation: left[6..].join(" "),
            fstype: right[0].into(),
            superblock: right[2].into(),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The last one at this place.
#[track_caller]
pub fn at<'m>(mounts: &'m [Mount], point: &str) -> &'m Mount {
    let found = mounts.iter().rev().find(|mount| mount.point == point);
    found.unwrap_or_else(|| panic!("nothing is mounted at {point}"))
}
