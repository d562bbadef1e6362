// SPDX-License-Identifier: Apache-2.0
//! What the container's process is to be: its descriptors, directory, limits, identity, capabilities
//! and filter.

use core::ffi::CStr;

use brig_wire::{Act, Numbers, fd};
use linux_raw_sys::general::{
    __user_cap_data_struct, __user_cap_header_struct, _LINUX_CAPABILITY_VERSION_3, AT_EMPTY_PATH, F_DUPFD_CLOEXEC,
    F_SETFD, PATH_MAX, rlimit64,
};
use linux_raw_sys::prctl::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ,
};
use linux_raw_sys::ptrace::{SECCOMP_SET_MODE_FILTER, sock_fprog};

use crate::buffer::Buffer;
use crate::control::{During, Failure, Outcome};
use crate::file::{NULL, is_device};
use crate::sys::{self, Errno, Fd, Words};

/// close_range(2): only set the flag.
pub const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

/// ioprio_set(2): one process.
pub const IOPRIO_WHO_PROCESS: u32 = 1;

/// Moves `fd` to a number of at least `floor`.
pub fn lift(fd: &mut Fd, floor: usize) -> sys::Result<()> {
    if (fd.number() as usize) < floor {
        *fd = Fd::adopt(sys::fcntl(fd, F_DUPFD_CLOEXEC, floor)? as u32);
    }
    Ok(())
}

/// Makes `number` a copy of `fd` that outlives execve(2).
pub fn put(fd: &Fd, number: usize) -> sys::Result<()> {
    match fd.number() as usize == number {
        true => sys::fcntl(fd, F_SETFD, 0).map(drop),
        false => sys::dup3(fd, number, 0),
    }
}

/// Makes number i a copy of `list[i]`, and everything above the list close-on-exec.
///
/// A source below the end of the list would be overwritten before its turn, if not by itself; it is copied
/// above the list first. `tty` is there already.
pub fn arrange(list: Numbers, tty: Option<&Fd>) -> Outcome {
    let end = list.len();
    let mut sources = Words::new(end.max(1))?;
    for (slot, (number, source)) in sources.iter_mut().zip(list.iter().enumerate()) {
        *slot = match source {
            fd::TTY => tty.ok_or(Errno::EBADF)?.number() as usize,
            source if (source as usize) < end && source as usize != number => {
                sys::fcntl(&Fd::host(source), F_DUPFD_CLOEXEC, end)?
            }
            source => source as usize,
        };
    }
    for (number, source) in sources.iter().take(end).enumerate() {
        put(&Fd::host(*source as u32), number)?;
    }
    sys::close_range(end, u32::MAX, CLOSE_RANGE_CLOEXEC)?;
    Ok(())
}

/// Gives descriptors 0 to 2 to the program's user, so that it can open /dev/stdout again.
///
/// Not /dev/null, which everybody shares. What cannot be given away stays as it is: the program still has the open
/// descriptor, and many a file system has no owners.
pub fn own_stdio(uid: u32) -> Outcome {
    for number in 0..3 {
        let fd = Fd::host(number);
        if is_device(&fd, NULL)? {
            continue;
        }
        match sys::fchownat(&fd, c"", uid, u32::MAX, AT_EMPTY_PATH) {
            Ok(()) | Err(Errno::EPERM | Errno::EINVAL | Errno::EROFS) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Enters the working directory, which must be inside the root: no descriptor that was left open leads
/// out of it (CVE-2024-21626).
#[inline(never)]
pub fn enter(path: &CStr) -> Outcome {
    sys::chdir(path).during(Act::Chdir)?;
    let mut name = Buffer::<{ PATH_MAX as usize + 1 }>::new();
    match name.read_cwd() {
        Ok(()) if name.bytes().starts_with(b"/") => Ok(()),
        _ => Err(Failure::new(Act::Outside, Errno::ENOENT)),
    }
}

/// Sets a limit of resources.
pub fn limit(resource: u32, soft: u64, hard: u64) -> Outcome {
    sys::prlimit64(0, resource, &rlimit64 { rlim_cur: soft, rlim_max: hard }, 0)?;
    Ok(())
}

/// Drops what is not in `keep` from the bounding set.
pub fn bound(keep: u64) -> Outcome {
    for capability in (0..u64::from(u64::BITS)).filter(|capability| keep & (1 << capability) == 0) {
        match sys::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) {
            Ok(_) => {}
            // The kernel knows no more of them.
            Err(Errno::EINVAL) => break,
            // Without CAP_SETPCAP it is well if there is nothing to drop.
            Err(errno) => match sys::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) {
                Ok(0) => {}
                Ok(_) => return Err(errno.into()),
                Err(_) => break,
            },
        }
    }
    Ok(())
}

/// capset(2)
pub fn set_capabilities(effective: u64, permitted: u64, inheritable: u64) -> Outcome {
    let header = __user_cap_header_struct { version: _LINUX_CAPABILITY_VERSION_3, pid: 0 };
    let half = |shift: u32| __user_cap_data_struct {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    sys::capset(&header, &[half(0), half(32)])?;
    Ok(())
}

/// Makes the ambient set exactly `raise`.
pub fn set_ambient(raise: u64) -> Outcome {
    let ambient = |operation: u32, capability| sys::prctl(PR_CAP_AMBIENT, operation.into(), capability, 0, 0);
    ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    for capability in (0..u64::from(u64::BITS)).filter(|capability| raise & (1 << capability) != 0) {
        ambient(PR_CAP_AMBIENT_RAISE, capability)?;
    }
    Ok(())
}

/// setgroups(2)
pub fn join_groups(list: Numbers) -> Outcome {
    sys::setgroups(list.bytes()).during(Act::SetGroups)
}

/// setresgid(2), then setresuid(2).
pub fn become_user(uid: u32, gid: u32) -> Outcome {
    sys::setresgid(gid, gid, gid).during(Act::SetGid)?;
    sys::setresuid(uid, uid, uid).during(Act::SetUid)
}

/// set_mempolicy(2). The kernel takes one bit less than it is told of.
pub fn set_memory_policy(mode: u32, nodes: &[u8]) -> Outcome {
    sys::set_mempolicy(mode, nodes, nodes.len() * 8 + 1).during(Act::MemoryPolicy)
}

/// Installs a filter; `program` is an array of struct sock_filter, of any alignment. With a listener, the number of that.
pub fn filter(flags: u32, program: &[u8]) -> Outcome<u32> {
    let len = u16::try_from(program.len() / 8).map_err(|_| Errno::EINVAL)?;
    let filter = program.as_ptr().cast_mut().cast();
    Ok(sys::seccomp(SECCOMP_SET_MODE_FILTER, flags, &sock_fprog { len, filter })? as u32)
}
