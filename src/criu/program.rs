// SPDX-License-Identifier: Apache-2.0
//! Which CRIU there is, and what it can do on this kernel: asked once per process, since each question starts it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::rpc::Features;
use super::session::Session;
use crate::error::{Error, Kind, Result};

/// What brig needs of any CRIU: external pid namespaces, the freezer of cgroup version 2, labels by RPC.
const NEEDED: u32 = 3_17_00;

/// Kernels from the first one on need this version; older ones of CRIU stop over what they do not know there. Linux 6.13
/// split the vDSO's data pages.
const NEEDED_SINCE: [((u32, u32), u32); 1] = [((6, 13), 4_01_00)];

/// Where Debian and others put it, which is not in the PATH of every user.
const MORE: &str = "/usr/local/sbin:/usr/sbin";

/// What is known of a program.
#[derive(Clone, Copy, Debug)]
struct Facts {
    version: u32,
    features: Option<Features>,
}

static KNOWN: Mutex<Vec<(PathBuf, Facts)>> = Mutex::new(Vec::new());

/// A CRIU that works here.
pub struct Program {
    path: PathBuf,
    version: u32,
}

impl Program {
    /// Finds the one in PATH; `start` starts it, to be asked for its version.
    pub fn find<S: AsRef<Session>>(start: impl FnOnce(&Path) -> Result<S>) -> Result<Self> {
        let path = in_path("criu").ok_or_else(|| {
            let needed = name(needed(kernel()));
            Error::new(Kind::Unsupported, format!("criu: not found in $PATH; version {needed} or newer is needed"))
        })?;
        let version = match known(&path) {
            Some(facts) => facts.version,
            None => {
                let version = start(&path)?.as_ref().version()?;
                learn(&path, Facts { version, features: None });
                version
            }
        };
        check(&path, version, kernel())?;
        Ok(Self { path, version })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses what needs a feature that is not there. `start` starts it once more, to be asked for all of them.
    pub fn require<S: AsRef<Session>>(&self, feature: Feature, start: impl FnOnce(&Path) -> Result<S>) -> Result<()> {
        let features = match known(&self.path).and_then(|facts| facts.features) {
            Some(features) => features,
            None => {
                let features = start(&self.path)?.as_ref().features()?;
                learn(&self.path, Facts { version: self.version, features: Some(features) });
                features
            }
        };
        let (there, text) = match feature {
            Feature::MemoryTracking => (
                features.mem_track,
                "pre-dump: this kernel does not track changes of memory (soft-dirty bits, CONFIG_MEM_SOFT_DIRTY)",
            ),
            Feature::LazyPages => (
                features.lazy_pages,
                "lazy pages: this kernel, or this criu, does not hand page faults to a program (userfaultfd with \
                 non-cooperative events)",
            ),
        };
        if there == Some(true) { Ok(()) } else { Err(Error::new(Kind::Unsupported, text)) }
    }
}

/// What not every kernel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Which pages were written to since the last dump.
    MemoryTracking,
    /// Memory that arrives when it is touched.
    LazyPages,
}

/// The program of this name that PATH leads to.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(env::split_paths(MORE));
    let executable =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    directories.filter(|directory| directory.is_absolute()).map(|directory| directory.join(name)).find(executable)
}

fn known(path: &Path) -> Option<Facts> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().find(|(known, _)| known == path).map(|(_, facts)| *facts)
}

fn learn(path: &Path, facts: Facts) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|(known, _)| known != path);
    known.push((path.to_owned(), facts));
}

/// This kernel's version.
fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn needed(kernel: (u32, u32)) -> u32 {
    let of_kernel = NEEDED_SINCE.iter().filter(|(since, _)| kernel >= *since).map(|(_, version)| *version);
    of_kernel.chain([NEEDED]).max().unwrap_or(NEEDED)
}

fn check(path: &Path, version: u32, kernel: (u32, u32)) -> Result<()> {
    let needed = needed(kernel);
    if version >= needed {
        return Ok(());
    }
    let (major, minor) = kernel;
    let text = format!(
        "criu: {} is version {}, but Linux {major}.{minor} needs {} or newer",
        path.display(),
        name(version),
        name(needed)
    );
    Err(Error::new(Kind::Unsupported, text))
}

/// A version as people write it.
fn name(version: u32) -> String {
    let (major, minor, sublevel) = (version / 10000, version / 100 % 100, version % 100);
    if sublevel == 0 { format!("{major}.{minor}") } else { format!("{major}.{minor}.{sublevel}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kernel_has_the_version_that_it_needs() {
        let refusal = |version, kernel| {
            check(Path::new("/usr/sbin/criu"), version, kernel).map_err(|error| error.message).err().unwrap_or_default()
        };
        assert_eq!(
            refusal(3_17_01, (6, 18)),
            "criu: /usr/sbin/criu is version 3.17.1, but Linux 6.18 needs 4.1 or newer"
        );
        assert_eq!(refusal(3_17_01, (6, 1)), "");
        assert_eq!(refusal(4_01_01, (6, 18)), "");
        assert_eq!(
            refusal(3_16_00, (5, 14)),
            "criu: /usr/sbin/criu is version 3.16, but Linux 5.14 needs 3.17 or newer"
        );
        assert_eq!(refusal(4_00_00, (7, 0)), "criu: /usr/sbin/criu is version 4.0, but Linux 7.0 needs 4.1 or newer");
    }
}
