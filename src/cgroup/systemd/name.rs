// SPDX-License-Identifier: Apache-2.0
//! `linux.cgroupsPath` as the systemd driver reads it, `slice:prefix:name`, and where systemd puts that.
//!
//! | part | if empty | what it is |
//! |---|---|---|
//! | slice | `system.slice`; `user.slice` with the manager of a user | a slice, its parents told by its name's dashes |
//! | prefix | the scope is `name.scope` | the scope is `prefix-name.scope` |
//! | name | refused | the rest of the scope's name |
//!
//! Without a cgroupsPath it is `:brig:ID`.

use std::path::{Path, PathBuf};

use super::super::path::POINTER;
use crate::error::{Error, Kind, Result};

/// The longest name of a unit (UNIT_NAME_MAX).
const LONGEST: usize = 255;

/// The scope of a container, and the slice it is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Such as "machine.slice".
    pub(super) slice: String,
    /// Such as "libpod-abc.scope".
    pub(super) scope: String,
}

impl Name {
    /// Reads the path of config.json; without one the container's id serves.
    pub(super) fn new(cgroups_path: Option<&Path>, id: &str, user: bool) -> Result<Self> {
        let refuse = |why: String| Error::config(POINTER, why);
        let default = format!(":brig:{id}");
        let path = match cgroups_path.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => path.to_str().ok_or_else(|| refuse("it is not UTF-8".to_owned()))?,
            None => &default,
        };
        let parts: Vec<&str> = path.split(':').collect();
        let [slice, prefix, name] = parts.as_slice() else {
            return Err(refuse(format!("{path:?} is not slice:prefix:name, as the systemd driver wants it")));
        };
        let slice = match (*slice, user) {
            ("", true) => "user.slice",
            ("", false) => "system.slice",
            (slice, _) => slice,
        };
        check_slice(slice).map_err(|why| refuse(format!("{slice:?} is no slice: {why}")))?;
        if name.is_empty() {
            return Err(refuse(format!("{path:?} has no name after the second colon")));
        }
        if name.ends_with(".slice") {
            return Err(refuse(format!("{name:?} is a slice, which holds other units and no processes")));
        }
        let scope = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
        match check_characters(&scope) {
            Ok(()) => Ok(Self { slice: slice.to_owned(), scope }),
            Err(why) if cgroups_path.is_none() => {
                Err(Error::new(Kind::Invalid, format!("container id {id:?} cannot name a systemd unit: {why}")))
            }
            Err(why) => Err(refuse(format!("{scope:?} is no name of a unit: {why}"))),
        }
    }

    /// Where the scope's cgroup is, below that of the manager: a slice `a-b.slice` is in `a.slice` (systemd.slice(5)).
    pub(super) fn path(&self) -> PathBuf {
        let mut path = PathBuf::new();
        let stem = self.slice.strip_suffix(".slice").unwrap_or_default();
        if stem != "-" {
            let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
            path.extend(ends.filter_map(|end| stem.get(..end)).map(|ancestor| format!("{ancestor}.slice")));
        }
        path.join(&self.scope)
    }
}

fn check_slice(slice: &str) -> std::result::Result<(), &'static str> {
    match slice.strip_suffix(".slice") {
        None => Err("it does not end in \".slice\""),
        Some("-") => Ok(()),
        Some(stem) if stem.is_empty() || stem.starts_with('-') || stem.ends_with('-') || stem.contains("--") => {
            Err("a part between dashes is empty")
        }
        Some(_) => check_characters(slice),
    }
}

/// What systemd takes as a name (systemd.unit(5)).
fn check_characters(name: &str) -> std::result::Result<(), &'static str> {
    if name.len() > LONGEST {
        return Err("it is longer than 255 bytes");
    }
    match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\".contains(&byte)) {
        true => Ok(()),
        false => Err("units have only letters, digits and : - _ . \\ in their names"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(cgroups_path: &str, user: bool) -> std::result::Result<String, String> {
        let name = Name::new(Some(Path::new(cgroups_path)), "id", user).map_err(|error| error.message)?;
        Ok(name.path().to_string_lossy().into_owned())
    }

    #[test]
    fn a_scope_is_in_its_slices() {
        for (given, expected) in [
            ("", "system.slice/brig-id.scope"),
            (":brig:one", "system.slice/brig-one.scope"),
            ("machine.slice:libpod:abc", "machine.slice/libpod-abc.scope"),
            ("a-b-c.slice::one", "a.slice/a-b.slice/a-b-c.slice/one.scope"),
            ("-.slice:x:one", "x-one.scope"),
        ] {
            assert_eq!(path(given, false).as_deref(), Ok(expected), "{given}");
        }
        assert_eq!(path("", true).as_deref(), Ok("user.slice/brig-id.scope"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (given, why) in [
            ("/a/b", "is not slice:prefix:name"),
            ("a.slice:b", "is not slice:prefix:name"),
            ("a.slice:b:c:d", "is not slice:prefix:name"),
            ("a.scope:b:c", "does not end in"),
            ("a--b.slice:b:c", "is empty"),
            ("-a.slice:b:c", "is empty"),
            (".slice:b:c", "is empty"),
            ("a/b.slice:b:c", "letters, digits"),
            ("../a.slice:b:c", "letters, digits"),
            ("a.slice:b:", "no name"),
            ("a.slice:b:c.slice", "is a slice"),
            ("a.slice:b:c+d", "letters, digits"),
            ("a.slice:b:../c", "letters, digits"),
        ] {
            let error = path(given, false).unwrap_err();
            assert!(error.contains(why), "{given}: {error}");
        }
    }
}
