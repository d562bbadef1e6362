// SPDX-License-Identifier: Apache-2.0
//! Namespaces as files.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// NS_GET_NSTYPE of ioctl_ns(2).
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// The names in /proc/PID/ns with their CLONE_NEW* flags.
const KINDS: [(&str, i32); 8] = [
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("ipc", libc::CLONE_NEWIPC),
    ("mnt", libc::CLONE_NEWNS),
    ("net", libc::CLONE_NEWNET),
    ("pid", libc::CLONE_NEWPID),
    ("time", libc::CLONE_NEWTIME),
    ("user", libc::CLONE_NEWUSER),
    ("uts", libc::CLONE_NEWUTS),
];

/// Which namespaces of process `pid` are others than those of the calling thread, as CLONE_NEW* flags. Of `known` that is
/// known already: to look takes a while.
pub fn others(pid: i32, known: u64) -> io::Result<u64> {
    // Of the thread, since a host may well keep one of them in another network namespace, and a child inherits it.
    let own = directory("/proc/thread-self/ns")?;
    let theirs = directory(&format!("/proc/{pid}/ns"))?;
    let mut flags = known;
    for (name, flag) in KINDS.into_iter().filter(|(_, flag)| known & *flag as u64 == 0) {
        let identity = |directory: &OwnedFd| match statat(directory, name, AtFlags::empty()) {
            // A kernel without this kind.
            Err(Errno::NOENT) => Ok(None),
            result => result.map(|stat| Some((stat.st_dev, stat.st_ino))),
        };
        if identity(&own)? != identity(&theirs)? {
            flags |= flag as u64;
        }
    }
    Ok(flags)
}

/// The processes in the namespace `kind`, a name of /proc/PID/ns, that `pid` is in, in ascending order. Those that the caller
/// may not look at are in none of its own.
pub fn members(pid: i32, kind: &str) -> io::Result<Vec<i32>> {
    let identity = |pid: i32| statat(CWD, format!("/proc/{pid}/ns/{kind}"), AtFlags::empty());
    let theirs = identity(pid)?;
    let is_in =
        |pid: &i32| identity(*pid).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (theirs.st_dev, theirs.st_ino));
    let names = std::fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut pids: Vec<i32> = names.filter_map(|name| name.parse().ok()).filter(is_in).collect();
    pids.sort_unstable();
    Ok(pids)
}

fn directory(path: &str) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The CLONE_NEW* flag of the namespace that is open here; `None` if it is no namespace at all.
pub fn kind(file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    if rustix::fs::fstatfs(file)?.f_type as i64 != NSFS_MAGIC {
        return Ok(None);
    }
    // SAFETY: the request takes no argument and changes nothing.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE as _) };
    if kind < 0 { Err(io::Error::last_os_error()) } else { Ok(Some(kind as u32 as u64)) }
}
