// SPDX-License-Identifier: Apache-2.0
//! What hostile images and programs try. Each test names the advisories whose attack it repeats; docs/security.md is the
//! table of them.

mod images;
mod programs;

use std::fs;
use std::path::PathBuf;

use crate::common::Lab;

/// A directory of the host that no container has anything to do with.
struct Canary {
    path: PathBuf,
}

impl Canary {
    fn new(lab: &Lab) -> Self {
        let path = lab.path.join("canary");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("bird"), "alive").unwrap();
        Self { path }
    }

    /// Links from the image to it: absolute as the image would have it, upwards beyond the root, and by /proc.
    fn links(&self) -> [PathBuf; 3] {
        let absolute = self.path.clone();
        let upwards = PathBuf::from(format!("../../../../../../../..{}", absolute.display()));
        let by_proc = PathBuf::from(format!("/proc/self/root{}", absolute.display()));
        [absolute, upwards, by_proc]
    }

    /// Nothing was made, mounted or changed in it.
    #[track_caller]
    fn assert_alive(&self, after: &str) {
        let names: Vec<_> = fs::read_dir(&self.path).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["bird"], "after {after}");
        assert_eq!(fs::read_to_string(self.path.join("bird")).unwrap(), "alive", "after {after}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.path.to_str().unwrap()), "after {after}");
    }
}
