// SPDX-License-Identifier: Apache-2.0
//! The directory of a checkpoint's images: CRIU's own, and two small files beside them.
//!
//! `descriptors.json` is runc's, so that either can restore what the other has dumped: what the container's stdio was.
//! `brig.json` says what a restore has to provide, so that a directory of another container is refused before anything
//! is touched.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, statat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use serde::{Deserialize, Serialize};

use super::{Stopped, pages};
use crate::error::{Context, Error, Kind, Result};

const DESCRIPTORS: &str = "descriptors.json";
const CONTENT: &str = "brig.json";
/// What CRIU writes last.
const INVENTORY: &str = "inventory.img";
/// What a pre-dump does not write.
const PROCESSES: &str = "pstree.img";
/// Its first four bytes; the next four are the length of the rest.
const MAGIC: u32 = 0x5831_3116;

/// Errors that say nothing of the cause.
const UNTELLING: [&str; 3] = ["Dumping FAILED", "Restoring FAILED", "RLIMIT_NOFILE for self"];

/// How much of CRIU's log is looked at: it may be very long.
const TAIL: u64 = 64 * 1024;
/// How many lines of CRIU's log an error has.
const LINES: usize = 3;

/// Where the caller wants images to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// As a path.
    pub path: Option<&'a Path>,
    /// As an open directory, instead.
    pub fd: Option<BorrowedFd<'a>>,
    /// Where CRIU works, and writes its log; else it is the directory of images.
    pub work: Option<&'a Path>,
}

/// The directory of images and that of work, open.
pub struct Images {
    directory: OwnedFd,
    work: OwnedFd,
    work_path: PathBuf,
}

/// What the images are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The container's id.
    pub id: String,
    /// Its namespaces, as CLONE_NEW*.
    pub namespaces: u64,
    /// What the host's mounts in it are called.
    pub mounts: Vec<PathBuf>,
    /// What those of descriptors 0 to 2 are called that are files of the host.
    #[serde(default)]
    pub files: [Option<String>; 3],
}

impl Images {
    /// Opens the directories for a checkpoint, and makes what is missing.
    pub fn make(place: &Place<'_>) -> Result<Self> {
        for path in [place.path.filter(|_| place.fd.is_none()), place.work].into_iter().flatten() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.context(|| format!("cannot make {}", path.display()))?;
        }
        Self::open(place)
    }

    /// Opens the directories.
    fn open(place: &Place<'_>) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &Path, name: &str| -> Result<OwnedFd> {
            let opened =
                openat(CWD, path, flags, Mode::empty()).context(|| format!("{name}: cannot open {}", path.display()));
            opened.map_err(|error| error.kind(Kind::Invalid))
        };
        let directory = match (place.fd, place.path) {
            (Some(fd), _) => openat(fd, ".", flags, Mode::empty())
                .context(|| "image_fd: cannot open the directory")
                .map_err(|error| error.kind(Kind::Invalid))?,
            (None, Some(path)) => open(path, "image directory")?,
            (None, None) => return Err(Error::new(Kind::Invalid, "options: neither image_dir nor image_fd is given")),
        };
        let (work, work_path) = match place.work {
            Some(path) => (open(path, "work directory")?, path.to_owned()),
            None => {
                let work = directory.try_clone().context(|| "cannot duplicate a file descriptor")?;
                (work, place.path.map_or_else(|| "image_fd".into(), Path::to_owned))
            }
        };
        Ok(Self { directory, work, work_path: std::path::absolute(&work_path).unwrap_or(work_path) })
    }

    /// Opens the directories for a restore: what is in there must be a checkpoint, as far as can be told by a look.
    pub fn find(place: &Place<'_>) -> Result<Self> {
        let images = Self::open(place)?;
        let refuse = |why: String| Err(Error::new(Kind::Invalid, format!("image directory: {why}")));
        match images.file(INVENTORY, OFlags::RDONLY) {
            Err(Errno::NOENT) => return refuse(format!("it has no {INVENTORY}: it is not that of a whole checkpoint")),
            file => {
                let file = file.context(|| format!("image directory: cannot open {INVENTORY}"))?;
                if !is_whole(&mut File::from(file)).unwrap_or(false) {
                    return refuse(format!("{INVENTORY} is truncated, or not CRIU's"));
                }
            }
        }
        if statat(&images.directory, PROCESSES, AtFlags::empty()).is_err() {
            return refuse(format!("it has no {PROCESSES}: it is that of a pre-dump, or not whole"));
        }
        images.check_pages()?;
        Ok(images)
    }

    /// Refuses images of memory that are shorter than what they should hold: CRIU would read there for ever.
    fn check_pages(&self) -> Result<()> {
        let what = || "cannot read the image directory";
        for entry in Dir::read_from(&self.directory).context(what)? {
            let name = entry.context(what)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with("pagemap-") {
                continue;
            }
            let file = self.file(&name, OFlags::RDONLY).context(what)?;
            let mut content = Vec::new();
            File::from(file).read_to_end(&mut content).context(what)?;
            let truncated =
                |name: &str| Error::new(Kind::Invalid, format!("image directory: {name} is truncated, or not CRIU's"));
            let map = pages::Map::read(&content).ok_or_else(|| truncated(&name))?;
            let pages = format!("pages-{}.img", map.file);
            let length = statat(&self.directory, pages.as_str(), AtFlags::empty()).map_or(0, |stat| stat.st_size);
            if (length as u64) < map.bytes {
                return Err(truncated(&pages));
            }
        }
        Ok(())
    }

    /// Lets root of a user namespace into the directory: CRIU looks for images as that, and as root of the host without
    /// its privileges. The images themselves stay the host's.
    pub fn let_in(&self, uid: u32, gid: u32) -> Result<()> {
        let what = || "cannot give the image directory to root of the user namespace";
        fchown(&self.directory, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).context(what)?;
        fchmod(&self.directory, Mode::from_bits_retain(0o711)).context(what)
    }

    /// The directory of images, by the number that CRIU can find it by.
    pub fn number(&self) -> RawFd {
        self.directory.as_raw_fd()
    }

    /// That of work.
    pub fn work_number(&self) -> RawFd {
        self.work.as_raw_fd()
    }

    /// A clone of the mount that the directory of work is on, from there on, to be attached elsewhere.
    pub fn clone_work(&self) -> Result<OwnedFd> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(&self.work, "", flags).context(|| "cannot clone the work directory")
    }

    /// Refuses the directory of earlier images if it is not there. It is relative, since the images keep a link to it.
    pub fn check_parent(&self, parent: &Path) -> Result<()> {
        let refuse = |why: String| Err(Error::new(Kind::Invalid, format!("parent path: {}: {why}", parent.display())));
        if parent.is_absolute() {
            return refuse("it must be relative to the image directory".into());
        }
        match statat(&self.directory, parent, AtFlags::empty()) {
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => Ok(()),
            Ok(_) => refuse("it is not a directory".into()),
            Err(errno) => refuse(crate::error::describe(&errno.into())),
        }
    }

    /// Writes what the container's stdio is, and what it needs.
    pub fn describe(&self, descriptors: &[String; 3], content: &Content) -> Result<()> {
        self.write(DESCRIPTORS, descriptors)?;
        self.write(CONTENT, content)
    }

    /// What the container's stdio was. None if nobody wrote it.
    pub fn descriptors(&self) -> Result<Vec<String>> {
        Ok(self.read(DESCRIPTORS)?.unwrap_or_default())
    }

    /// What the container needs; `None` if the images are another runtime's.
    pub fn content(&self) -> Result<Option<Content>> {
        self.read(CONTENT)
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let what = || format!("cannot write {name} to the image directory");
        let text = serde_json::to_vec(value).map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
        let file = self.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC).context(what)?;
        File::from(file).write_all(&text).context(what)
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let what = || format!("image directory: cannot read {name}");
        let file = match self.file(name, OFlags::RDONLY) {
            Err(Errno::NOENT) => return Ok(None),
            file => file.context(what)?,
        };
        let mut text = Vec::new();
        File::from(file).read_to_end(&mut text).context(what)?;
        let value = serde_json::from_slice(&text);
        value.map(Some).map_err(|error| Error::new(Kind::Invalid, format!("{}: {error}", what())))
    }

    fn file(&self, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        openat(&self.directory, name, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::RUSR | Mode::WUSR)
    }

    /// A failure of CRIU's, with what its log ends with, and where that is.
    pub fn explain(&self, what: &str, stopped: Stopped, log: &str) -> Error {
        let error = match stopped {
            Stopped::ByUs(error) => return error,
            Stopped::ByItself(error) => error,
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut text = Vec::new();
        if let Ok(file) = openat(&self.work, log, flags, Mode::empty()) {
            let mut file = File::from(file);
            let length = file.metadata().map_or(0, |file| file.len());
            // What can be read of it.
            let _ = file.seek(SeekFrom::Start(length.saturating_sub(TAIL)));
            let _ = file.take(TAIL).read_to_end(&mut text);
        }
        let text = String::from_utf8_lossy(&text);
        let lines = last_errors(&text);
        // It says more than the sentence that comes with the failure.
        let why = if lines.is_empty() { error.message } else { lines.join("; ") };
        let path = self.work_path.join(log);
        Error { message: format!("{what}: {why}; see {}", path.display()), ..error }
    }
}

/// Whether an inventory has all that its start tells of.
fn is_whole(file: &mut File) -> std::io::Result<bool> {
    let mut word = || {
        let mut word = [0; 4];
        file.read_exact(&mut word).map(|()| u32::from_le_bytes(word))
    };
    let (magic, length) = (word()?, word()?);
    Ok(magic == MAGIC && file.metadata()?.len() >= 8 + u64::from(length))
}

/// The last lines of a log that tell of errors, without their times.
fn last_errors(log: &str) -> Vec<&str> {
    let errors = log.lines().filter_map(|line| line.split_once("Error ").map(|(_, rest)| rest.trim()));
    let errors: Vec<_> = errors.filter(|rest| rest.starts_with('(')).collect();
    // Others follow from the cause, or are of no importance: for its own descriptors CRIU raises a limit if it can.
    let told = |line: &&str| !UNTELLING.iter().any(|text| line.contains(text));
    let telling: Vec<_> = errors.iter().copied().filter(told).collect();
    let lines = if telling.is_empty() { errors } else { telling };
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_errors_are_told() {
        let log = "(00.01) Error (a.c:1): first\n(00.02) Warn  (b.c:2): odd\n(00.03)      1: Error (c.c:3): second\n\
                   (00.04) Error (d.c:4): third\n(00.05) Error (e.c:5): fourth\n\
                   (00.06) Error (criu/cr-dump.c:2111): Dumping FAILED.\n";
        assert_eq!(last_errors(log), ["(c.c:3): second", "(d.c:4): third", "(e.c:5): fourth"]);
        assert_eq!(last_errors("(00.06) Error (criu/cr-dump.c:2111): Dumping FAILED.\n").len(), 1);
        assert!(last_errors("nothing").is_empty());
    }
}
