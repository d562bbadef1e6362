// SPDX-License-Identifier: Apache-2.0
//! Compiled filters by their content: the latest in memory, more in a directory.
//!
//! A file is trusted only if nobody else could have written it, and its checksum says that it is whole. What is wrong
//! with the cache is never an error: the filter is compiled again.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use oci_spec::runtime::LinuxSeccomp;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat, renameat, unlinkat};
use sha2::{Digest, Sha256};

use super::compile::{INSTRUCTION_SIZE, INSTRUCTIONS_MAX};
use crate::error::Result;

/// The first bytes of a file; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"brigbpf1";
/// MAGIC, and the SHA-256 of what follows.
const HEADER: usize = 8 + 32;
const FILES_MAX: usize = 64;
const IN_MEMORY_MAX: usize = 8;

/// The latest first.
static IN_MEMORY: Mutex<Vec<(LinuxSeccomp, Vec<u8>)>> = Mutex::new(Vec::new());

/// The program for `seccomp`: from memory, from `directory`, or else from `compile`, and then kept in both.
pub fn program(
    seccomp: &LinuxSeccomp,
    directory: Option<&Path>,
    compile: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    // All that the program does not depend on, so that containers share it.
    let mut seccomp = seccomp.clone();
    seccomp.set_flags(None).set_listener_path(None).set_listener_metadata(None);
    let seccomp = &seccomp;
    // The lock is held while compiling: containers that are created at once mostly have the same profile.
    let mut memory = IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = memory.iter().position(|(known, _)| known == seccomp) {
        memory[..=at].rotate_right(1);
        return Ok(memory[0].1.clone());
    }
    let program = match directory {
        Some(path) => from_directory(path, seccomp, compile)?,
        None => compile()?,
    };
    memory.truncate(IN_MEMORY_MAX - 1);
    memory.insert(0, (seccomp.clone(), program.clone()));
    Ok(program)
}

/// The program from the directory; it is written there if it is not.
pub fn from_directory(
    path: &Path,
    seccomp: &LinuxSeccomp,
    compile: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let (directory, name) = match open_directory(path).and_then(|directory| Ok((directory, name(seccomp)?))) {
        Ok(opened) => opened,
        Err(error) => {
            log::debug!("seccomp: the cache {} cannot be used: {error}", path.display());
            return compile();
        }
    };
    match read(&directory, &name) {
        Ok(program) => return Ok(program),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log::debug!("seccomp: {}/{name} is not used: {error}", path.display()),
    }
    let program = compile()?;
    if let Err(error) = write(&directory, &name, &program).and_then(|()| remove_oldest(&directory, path)) {
        log::debug!("seccomp: {}/{name} cannot be written: {error}", path.display());
    }
    Ok(program)
}

/// The name of a filter's file: all that its content depends on.
fn name(seccomp: &LinuxSeccomp) -> io::Result<String> {
    let libseccomp = libseccomp::ScmpVersion::current().map_err(io::Error::other)?;
    let json = serde_json::to_vec(seccomp)?;
    let mut hash = Sha256::new();
    for part in [
        &MAGIC[..],
        env!("CARGO_PKG_VERSION").as_bytes(),
        std::env::consts::ARCH.as_bytes(),
        libseccomp.to_string().as_bytes(),
        &json,
    ] {
        // With its length, so that no two lists of parts look alike.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
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

fn read(directory: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    // A FIFO or a device must not block us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    is_ours_alone(&stat)?;
    let damaged = || io::Error::other("it is damaged");
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(damaged());
    }
    let most = HEADER + INSTRUCTIONS_MAX * INSTRUCTION_SIZE;
    let mut bytes = Vec::with_capacity(most.min(stat.st_size.max(0) as usize) + 1);
    File::from(file).take(most as u64 + 1).read_to_end(&mut bytes)?;
    let (header, program) = bytes.split_at_checked(HEADER).ok_or_else(damaged)?;
    let (magic, digest) = header.split_at(MAGIC.len());
    let whole = magic == MAGIC
        && digest == &Sha256::digest(program)[..]
        && bytes.len() <= most
        && !program.is_empty()
        && program.len() % INSTRUCTION_SIZE == 0;
    match whole {
        true => Ok(bytes.split_off(HEADER)),
        false => Err(damaged()),
    }
}

fn write(directory: &OwnedFd, name: &str, program: &[u8]) -> io::Result<()> {
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
    let mut bytes = Vec::with_capacity(HEADER + program.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&Sha256::digest(program));
    bytes.extend_from_slice(program);
    let written = file.write_all(&bytes).and_then(|()| Ok(renameat(directory, &temporary, directory, name)?));
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
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}
