// SPDX-License-Identifier: Apache-2.0
//! Entering namespaces and setting what lives in them: names, the loopback interface, sysctls and the
//! other values that are written to procfs.

use core::ffi::{CStr, c_char};

use brig_wire::{Act, Message, kind};
use linux_raw_sys::general::{
    CLONE_PARENT, CLONE_PIDFD, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID,
    O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY, PROC_SUPER_MAGIC, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, clone_args, fsconfig_command, open_how,
};
use linux_raw_sys::ioctl::SIOCSIFFLAGS;
use linux_raw_sys::net::{AF_UNIX, SOCK_DGRAM, ifreq, net_device_flags};

use crate::buffer::Buffer;
use crate::control::{During, Failure, Outcome, send};
use crate::file::filesystem;
use crate::sys::{self, Abi, Errno, Fd, Word, exit};

/// linux/keyctl.h
const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;
const KEYCTL_SETPERM: u32 = 5;

/// The name of the loopback interface.
const LOOPBACK: [c_char; 16] = [b'l' as c_char, b'o' as c_char, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Goes on in a child whose parent is the host; the process that called tells the host, and ends.
///
/// The child waits until it is alone, so that the host hears of it before it hears from it.
pub fn fork(channel: &Fd, step: u32, flags: u64) -> Outcome {
    let (alone, parent) = sys::pipe().during(Act::Fork)?;
    let mut pidfd = -1;
    let mut arguments = clone_args {
        flags: flags | u64::from(CLONE_PARENT | CLONE_PIDFD),
        pidfd: core::ptr::from_mut(&mut pidfd) as u64,
        ..clone_args::zeroed()
    };
    let pid = sys::clone3(&mut arguments, size_of::<clone_args>()).during(Act::Fork)?;
    if pid == 0 {
        drop(parent);
        return Buffer::<2>::new().read(&alone).map(drop).during(Act::Fork);
    }
    let message = Message { kind: kind::FORKED, step, value: pid as i64, ..Message::default() };
    let sent = send(channel, message, b"", Some(&Fd::adopt(pidfd as u32)));
    exit(i32::from(sent.is_err()))
}

/// Becomes root of a user namespace. Where setgroups(2) is denied (user_namespaces(7)) the groups stay.
pub fn become_root(keep_groups: bool) -> Outcome {
    sys::setresgid(0, 0, 0).during(Act::SetGid)?;
    if !keep_groups {
        match sys::setgroups(&[]) {
            Err(Errno::EPERM) => {}
            result => result.during(Act::SetGroups)?,
        }
    }
    sys::setresuid(0, 0, 0).during(Act::SetUid)
}

/// Brings up `lo`. Any socket of the namespace will do, IPv4 need not be there.
pub fn loopback_up() -> Outcome {
    let socket = sys::socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0)?;
    let mut request = ifreq::zeroed();
    request.ifr_ifrn.ifrn_name = LOOPBACK;
    request.ifr_ifru.ifru_flags = net_device_flags::IFF_UP as i16;
    sys::ioctl(&socket, SIOCSIFFLAGS, &request)?;
    Ok(())
}

/// keyctl(2): a session keyring of this name. What was inherited is the host's.
pub fn join_keyring(name: &CStr, permissions: u32) -> Outcome {
    match sys::keyctl(KEYCTL_JOIN_SESSION_KEYRING, name.word(), 0) {
        Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(Failure::new(Act::Keyring, errno)),
        Ok(keyring) => sys::keyctl(KEYCTL_SETPERM, keyring, permissions as usize).map(drop).during(Act::Keyring),
    }
}

/// A procfs of this pid namespace that nobody has mounted anything over. Where that is not allowed (in a
/// user namespace that sees a masked /proc), the one at /proc.
pub fn open_proc() -> Outcome<Fd> {
    let proc = match private_proc() {
        Err(Errno::EPERM | Errno::EACCES) => sys::open(c"/proc", O_PATH | O_DIRECTORY),
        result => result,
    }
    .during(Act::Open)?;
    match filesystem(&proc)? {
        PROC_SUPER_MAGIC => Ok(proc),
        _ => Err(Failure::new(Act::WrongFs, Errno::ENODEV)),
    }
}

fn private_proc() -> sys::Result<Fd> {
    let fs = sys::fsopen(c"proc", FSOPEN_CLOEXEC)?;
    sys::fsconfig(&fs, fsconfig_command::FSCONFIG_CMD_CREATE as u32, None, None, 0)?;
    sys::fsmount(&fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
}

/// Writes `value` to the file `path` of `proc` itself: no link and no other mount can redirect it
/// (CVE-2025-52881).
pub fn write_proc(proc: &Fd, path: &CStr, value: &CStr) -> Outcome {
    let file = open_beneath(proc, path, O_WRONLY).during(Act::Open)?;
    sys::write(&file, value.to_bytes()).during(Act::Write)
}

/// The same for a file of this process. Its number is asked from `proc`, whose pid namespace need not be
/// ours.
pub fn write_self(proc: &Fd, path: &CStr, value: &CStr) -> Outcome {
    let mut number = Buffer::<16>::new();
    number.read_link(proc, c"self").during(Act::Open)?;
    let own = open_beneath(proc, number.string(0), O_PATH | O_DIRECTORY).during(Act::Open)?;
    write_proc(&own, path, value)
}

fn open_beneath(proc: &Fd, path: &CStr, flags: u32) -> sys::Result<Fd> {
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    let how = open_how { flags: (flags | O_CLOEXEC).into(), mode: 0, resolve: resolve.into() };
    sys::openat2(proc, path, &how, size_of::<open_how>())
}
