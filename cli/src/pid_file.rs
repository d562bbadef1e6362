// SPDX-License-Identifier: Apache-2.0
//! The file that tells a manager the pid of a container's init.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// Writes `pid` in decimal, without a newline. The file appears complete or not at all: it is written
/// under a name with a dot beside it, and renamed.
pub fn write(path: &Path, pid: i32) -> Result<()> {
    let hidden = hidden(path)?;
    replace(path, &hidden, pid)
        .inspect_err(|_| drop(fs::remove_file(&hidden)))
        .context(|| format!("cannot write the pid file {}", path.display()))
}

fn hidden(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::refused(format!("{}: is not a file's name", path.display())))?;
    let mut dotted = OsString::from(".");
    dotted.push(name);
    Ok(path.with_file_name(dotted))
}

fn replace(path: &Path, hidden: &Path, pid: i32) -> io::Result<()> {
    // What an earlier crash left is overwritten, but a symbolic link is not followed.
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).custom_flags(flags).open(hidden)?;
    write!(file, "{pid}")?;
    fs::rename(hidden, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_number_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("init.pid");
        write(&path, 4321).unwrap();
        write(&path, 98).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "98");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let taken = directory.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let text = write(&taken, 1).unwrap_err().to_string();
        assert!(text.starts_with("cannot write the pid file ") && text.ends_with(": Is a directory"), "{text}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(write(Path::new("/"), 1).is_err());
        assert!(write(&directory.path().join("none/init.pid"), 1).is_err());
    }
}
