// SPDX-License-Identifier: Apache-2.0
//! What the files of a cgroup had before an update, to be put back when one of its values is refused.

use std::path::{Path, PathBuf};

use super::super::dir;
use crate::error::Error;

/// The files with a line for each key, and what puts a key back that had no line: the kernel then takes it out again.
#[rustfmt::skip]
const KEYED: &[(&str, &str)] = &[
    ("blkio.throttle.read_bps_device",   "0"),
    ("blkio.throttle.write_bps_device",  "0"),
    ("blkio.throttle.read_iops_device",  "0"),
    ("blkio.throttle.write_iops_device", "0"),
    ("blkio.weight_device",              "default"),
    ("blkio.leaf_weight_device",         "default"),
    ("blkio.bfq.weight_device",          "default"),
    ("io.max",                           "rbps=max wbps=max riops=max wiops=max"),
    ("io.weight",                        "default"),
    ("io.bfq.weight",                    "default"),
    ("io.latency",                       "target=0"),
    ("net_prio.ifpriomap",               "0"),
    ("rdma.max",                         "hca_handle=max hca_object=max"),
    ("misc.max",                         "max"),
    ("dmem.max",                         "max"),
    ("dmem.min",                         "0"),
    ("dmem.low",                         "0"),
];

/// The old values, in the order in which they were overwritten.
#[derive(Default)]
pub(super) struct Before(Vec<Old>);

/// One of them.
pub(super) struct Old {
    file: PathBuf,
    /// Which line it is, in a file that has several.
    key: Option<String>,
    value: String,
}

impl Before {
    /// Remembers what a write has changed. Of several to the same place, what counts was there before the first.
    pub(super) fn remember(&mut self, overwritten: Vec<Old>) {
        for old in overwritten {
            if !self.0.iter().any(|first| first.file == old.file && first.key == old.key) {
                self.0.push(old);
            }
        }
    }

    /// Puts everything back, as `error` prevents the rest.
    pub(super) fn put_back(self, mut error: Error) -> Error {
        // Values that bound one another are refused before the other one is back: then again after that.
        let mut left: Vec<Old> = self.0.into_iter().rev().collect();
        let mut count = usize::MAX;
        while left.len() < count {
            count = left.len();
            left.retain(|old| dir::write(&old.file, &old.value).is_err());
        }
        for Old { file, value, .. } in left {
            error.message += &format!("; and {} could not be put back to {:?}", file.display(), value.trim());
        }
        error
    }
}

impl Old {
    /// What a write of `value` to a file of `cgroup` will change. What cannot be read has no value that stays.
    pub(super) fn read(cgroup: &Path, file: &str, value: &str) -> Vec<Self> {
        let Ok(text) = dir::read_whole(cgroup.join(file)) else { return Vec::new() };
        let text = String::from_utf8_lossy(&text);
        let (key, value) = match KEYED.iter().find(|(name, _)| *name == file) {
            Some((_, reset)) => {
                // "500" alone is the weight of all devices without one of their own.
                let key = value.split_once(' ').map_or("default", |(key, _)| key);
                let line = text.lines().find(|line| line.split(' ').next() == Some(key));
                (Some(key.to_owned()), line.map_or_else(|| format!("{key} {reset}"), str::to_owned))
            }
            None => (None, single(file, &text).to_owned()),
        };
        let mut all = Vec::new();
        if file == "cpu.idle" && value == "0" {
            // To be idle takes the weight away.
            all.extend(["cpu.shares", "cpu.weight"].iter().flat_map(|weight| Self::read(cgroup, weight, "")));
        }
        all.push(Self { file: cgroup.join(file), key, value });
        all
    }
}

/// What to write to a file so that it says `text` again.
fn single<'a>(file: &str, text: &'a str) -> &'a str {
    let text = text.trim();
    match file {
        // "oom_kill_disable 0", and then statistics.
        "memory.oom_control" => text.split_ascii_whitespace().nth(1).unwrap_or_default(),
        // "root invalid (why)".
        "cpuset.cpus.partition" => text.split(' ').next().unwrap_or_default(),
        // An empty write would never reach the kernel's file.
        _ if text.is_empty() => "\n",
        _ => text,
    }
}
