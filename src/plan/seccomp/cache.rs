// SPDX-License-Identifier: Apache-2.0
//! Compiled filters by what they were compiled from: the latest in memory, more in a directory.
//!
//! An entry has all of its source in it, which is compared, so that no filter can be taken for another's. A file is trusted
//! only if nobody else could have written it, and its checksum says that it is whole. What is wrong with the cache is
//! never an error: the filter is compiled again.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat, renameat, unlinkat};

use super::compile::{INSTRUCTION_SIZE, INSTRUCTIONS_MAX};
use crate::error::Result;

/// The first bytes of a file; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"brigbpf2";
/// MAGIC, the checksum of what follows, the flags, the length of the source; behind it are source and program.
const HEADER: usize = 8 + 8 + 4 + 4;
/// Longer sources are compiled each time.
const SOURCE_MAX: usize = 1 << 20;
const FILES_MAX: usize = 64;
const IN_MEMORY_MAX: usize = 8;

/// The latest first.
static IN_MEMORY: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// A filter and its source, as they are in a file.
struct Entry {
    bytes: Vec<u8>,
}

/// A filter's flags and program.
pub type Compiled = (u32, Vec<u8>);

impl Entry {
    fn new(source: &[u8], (flags, program): &Compiled) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + source.len() + program.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&(source.len() as u32).to_ne_bytes());
        bytes.extend_from_slice(source);
        bytes.extend_from_slice(program);
        let checksum = checksum(&bytes);
        bytes[8..16].copy_from_slice(&checksum.to_ne_bytes());
        Self { bytes }
    }

    /// `None` if it is damaged.
    fn decode(bytes: Vec<u8>) -> Option<Self> {
        let entry = Self { bytes };
        let program = entry.bytes.get(HEADER..)?.get(entry.number(20) as usize..)?;
        let whole = entry.bytes.starts_with(MAGIC)
            && entry.bytes[8..16] == checksum(&entry.bytes).to_ne_bytes()
            && !program.is_empty()
            && program.len() % INSTRUCTION_SIZE == 0;
        whole.then_some(entry)
    }

    fn number(&self, at: usize) -> u32 {
        self.bytes[at..].first_chunk().copied().map_or(0, u32::from_ne_bytes)
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes[HEADER..].split_at(self.number(20) as usize)
    }

    fn is_of(&self, source: &[u8]) -> bool {
        self.parts().0 == source
    }

    fn compiled(&self) -> Compiled {
        (self.number(16), self.parts().1.to_vec())
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes[16..]);
    hasher.finish()
}

/// What is known for `source`, from memory or from `directory`.
pub fn find(source: &[u8], directory: Option<&Path>) -> Option<Compiled> {
    let mut memory = memory();
    recall(&mut memory, source).or_else(|| {
        let path = directory?;
        let entry = read(&open_directory(path).ok()?, &name(source), source).ok()?;
        Some(remember(&mut memory, entry))
    })
}

/// The filter for `source`: from memory, from `directory`, or else from `compile`, and then kept in both.
pub fn compiled(
    source: &[u8],
    directory: Option<&Path>,
    compile: impl FnOnce() -> Result<Compiled>,
) -> Result<Compiled> {
    // The lock is held while compiling: containers that are created at once mostly have the same profile.
    let mut memory = memory();
    if let Some(known) = recall(&mut memory, source) {
        return Ok(known);
    }
    let compiled = match directory {
        Some(path) if source.len() <= SOURCE_MAX => from_directory(path, source, compile)?,
        _ => compile()?,
    };
    Ok(remember(&mut memory, Entry::new(source, &compiled)))
}

fn memory() -> MutexGuard<'static, Vec<Entry>> {
    IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn recall(memory: &mut [Entry], source: &[u8]) -> Option<Compiled> {
    let at = memory.iter().position(|entry| entry.is_of(source))?;
    memory[..=at].rotate_right(1);
    Some(memory[0].compiled())
}

fn remember(memory: &mut Vec<Entry>, entry: Entry) -> Compiled {
    let compiled = entry.compiled();
    memory.truncate(IN_MEMORY_MAX - 1);
    memory.insert(0, entry);
    compiled
}

/// The filter from the directory; it is written there if it is not.
pub fn from_directory(path: &Path, source: &[u8], compile: impl FnOnce() -> Result<Compiled>) -> Result<Compiled> {
    let directory = match open_directory(path) {
        Ok(directory) => directory,
        Err(error) => {
            log::debug!("seccomp: the cache {} cannot be used: {error}", path.display());
            return compile();
        }
    };
    let name = name(source);
    match read(&directory, &name, source) {
        Ok(entry) => return Ok(entry.compiled()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log::debug!("seccomp: {}/{name} is not used: {error}", path.display()),
    }
    let compiled = compile()?;
    let bytes = Entry::new(source, &compiled).bytes;
    if let Err(error) = write(&directory, &name, &bytes).and_then(|()| remove_oldest(&directory, path)) {
        log::debug!("seccomp: {}/{name} cannot be written: {error}", path.display());
    }
    Ok(compiled)
}

/// The name of the file for a source.
fn name(source: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(source);
    format!("{:016x}", hasher.finish())
}

/// Opens the directory, made if missing, if it is ours alone.
fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = match open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            open(path, flags, Mode::empty())?
        }
        opened => opened?,
    };
    is_ours_alone(&fstat(&directory)?)?;
    Ok(directory)
}

fn is_ours_alone(stat: &Stat) -> io::Result<()> {
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(io::Error::other("others can write to it"));
    }
    Ok(())
}

fn read(directory: &OwnedFd, name: &str, source: &[u8]) -> io::Result<Entry> {
    // A FIFO or a device must not block us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    is_ours_alone(&stat)?;
    let damaged = || io::Error::other("it is damaged");
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(damaged());
    }
    let most = HEADER + SOURCE_MAX + INSTRUCTIONS_MAX * INSTRUCTION_SIZE;
    let mut bytes = Vec::with_capacity(most.min(stat.st_size.max(0) as usize) + 1);
    File::from(file).take(most as u64 + 1).read_to_end(&mut bytes)?;
    let entry = Entry::decode(bytes).ok_or_else(damaged)?;
    match entry.is_of(source) {
        true => Ok(entry),
        false => Err(io::Error::other("it is of another source")),
    }
}

fn write(directory: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    // One writer in this process (the lock), and another name in each process.
    let temporary = format!(".{}-{name}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match openat(directory, &temporary, flags, Mode::RUSR | Mode::WUSR) {
        // Left by a process of this number that died.
        Err(rustix::io::Errno::EXIST) => {
            unlinkat(directory, &temporary, rustix::fs::AtFlags::empty())?;
            openat(directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?
        }
        opened => opened?,
    };
    let mut file = File::from(file);
    let written = file.write_all(bytes).and_then(|()| Ok(renameat(directory, &temporary, directory, name)?));
    if written.is_err() {
        let _ = unlinkat(directory, &temporary, rustix::fs::AtFlags::empty());
    }
    written
}

/// Keeps the directory at its size.
fn remove_oldest(directory: &OwnedFd, path: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Gone already, if there is an error: others clean up too.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
            && is_name_of_ours(&entry.file_name())
        {
            files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.file_name()));
        }
    }
    files.sort();
    for (_, name) in files.iter().take(files.len().saturating_sub(FILES_MAX)) {
        let _ = unlinkat(directory.as_fd(), name.as_os_str(), rustix::fs::AtFlags::empty());
    }
    Ok(())
}

/// Whether it is the name of a filter or of an unfinished one, should the directory have other files too.
fn is_name_of_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let digest = name.strip_prefix('.').and_then(|name| name.split_once('-')).map_or(name, |(_, digest)| digest);
    digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}
