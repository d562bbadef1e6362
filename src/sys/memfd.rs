// SPDX-License-Identifier: Apache-2.0
//! Files in memory: the sealed init, plans, hook states.

use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::error::{Context, Result};

/// Linux 6.3; older kernels refuse it with EINVAL, and then nobody can ask for it either.
const EXEC: MemfdFlags = MemfdFlags::from_bits_retain(0x10);
const SEAL_EXEC: SealFlags = SealFlags::from_bits_retain(0x20);

/// Neither the content nor these seals.
const UNCHANGED: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// A program that can be executed but never changed, not even by root: what runs as the container's init
/// cannot be a way back to a file of the host (CVE-2019-5736).
pub fn program(name: &str, content: &[u8]) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let (file, seals) = match memfd_create(name, flags | EXEC) {
        Ok(file) => (file, SEAL_EXEC),
        Err(_) => (memfd_create(name, flags).context(|| "cannot make a memfd")?, SealFlags::empty()),
    };
    let mut file = std::fs::File::from(file);
    file.write_all(content).context(|| "cannot fill a memfd")?;
    fcntl_add_seals(&file, seals | UNCHANGED).context(|| "cannot seal a memfd")?;
    Ok(file.into())
}

/// A file of `size` zeros that others can write, but not resize.
pub fn shared(name: &str, size: usize) -> Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).context(|| "cannot make a memfd")?;
    rustix::fs::ftruncate(&file, size as u64).context(|| "cannot make a memfd large enough")?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW).context(|| "cannot seal a memfd")?;
    Ok(file)
}

/// A file with `content` that nobody can change, read from its start. init maps its plan, and relies on that.
pub fn data(name: &str, content: &[u8]) -> Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).context(|| "cannot make a memfd")?;
    let mut file = std::fs::File::from(file);
    file.write_all(content).context(|| "cannot fill a memfd")?;
    fcntl_add_seals(&file, UNCHANGED).context(|| "cannot seal a memfd")?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).context(|| "cannot rewind a memfd")?;
    Ok(file.into())
}
