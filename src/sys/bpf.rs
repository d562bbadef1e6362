// SPDX-License-Identifier: Apache-2.0
//! bpf(2), as much of it as a device filter on a cgroup needs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    /// Class, operation and source.
    pub(crate) code: u8,
    /// Destination in the low four bits, source in the high ones.
    pub(crate) registers: u8,
    /// Of a jump, from the next instruction on; or of a load.
    pub(crate) offset: i16,
    /// The immediate value.
    pub(crate) value: i32,
}

/// By this name our programs are known among others on the same cgroup.
const NAME: &[u8] = b"brig_devices";

const PROG_LOAD: u32 = 5;
const PROG_ATTACH: u32 = 8;
const PROG_DETACH: u32 = 9;
const PROG_GET_FD_BY_ID: u32 = 13;
const OBJ_GET_INFO_BY_FD: u32 = 15;
const PROG_QUERY: u32 = 16;

const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
/// Further programs may be attached below and beside; all must agree to an access.
const ALLOW_MULTI: u32 = 2;
/// Linux 5.6.
const REPLACE: u32 = 4;

/// The head of the kernel's `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// … for BPF_PROG_ATTACH and BPF_PROG_DETACH.
#[repr(C)]
#[derive(Default)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// … for BPF_PROG_QUERY.
#[repr(C)]
#[derive(Default)]
struct QueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
}

/// … for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The head of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// Loads a program for [`replace_device_filter`].
pub(crate) fn load_device_filter(program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut attr = LoadAttr {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        expected_attach_type: CGROUP_DEVICE,
        ..LoadAttr::default()
    };
    for (to, from) in attr.prog_name.iter_mut().zip(NAME) {
        *to = *from;
    }
    // SAFETY: `insns` and `license` point to memory that outlives the call; the result is a new descriptor.
    unsafe { bpf(PROG_LOAD, &mut attr).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// Makes `program` the one device filter of ours on `cgroup`. There is no instant without a filter: the former one is
/// replaced in one step, or (before Linux 5.6) goes when the new one is there. Filters of others stay.
pub(crate) fn replace_device_filter(cgroup: &impl AsFd, program: &OwnedFd) -> io::Result<()> {
    let mut former = device_filters(cgroup)?;
    let mut attr = AttachAttr {
        target_fd: number(cgroup),
        attach_bpf_fd: number(program),
        attach_type: CGROUP_DEVICE,
        attach_flags: ALLOW_MULTI,
        replace_bpf_fd: 0,
    };
    let replaced = match former.first() {
        None => false,
        Some(first) => {
            attr.attach_flags |= REPLACE;
            attr.replace_bpf_fd = number(first);
            // SAFETY: the attribute holds no pointers.
            unsafe { bpf(PROG_ATTACH, &mut attr) }.is_ok()
        }
    };
    if replaced {
        former.remove(0);
    } else {
        (attr.attach_flags, attr.replace_bpf_fd) = (ALLOW_MULTI, 0);
        // SAFETY: as above.
        unsafe { bpf(PROG_ATTACH, &mut attr) }?;
    }
    for program in former {
        let (target_fd, attach_bpf_fd) = (number(cgroup), number(&program));
        let mut attr = AttachAttr { target_fd, attach_bpf_fd, attach_type: CGROUP_DEVICE, ..AttachAttr::default() };
        // SAFETY: as above.
        unsafe { bpf(PROG_DETACH, &mut attr) }?;
    }
    Ok(())
}

/// The device filters of ours that are attached to this very cgroup.
pub(crate) fn device_filters(cgroup: &impl AsFd) -> io::Result<Vec<OwnedFd>> {
    // The kernel takes no more than 64 programs a cgroup.
    let mut ids = [0u32; 64];
    let mut attr = QueryAttr {
        target_fd: number(cgroup),
        attach_type: CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: ids.len() as u32,
        ..QueryAttr::default()
    };
    // SAFETY: `prog_ids` points to `prog_cnt` numbers that outlive the call.
    unsafe { bpf(PROG_QUERY, &mut attr) }?;
    let mut found = Vec::new();
    for id in ids.iter().take(attr.prog_cnt as usize) {
        let mut attr = [*id, 0, 0, 0]; // prog_id, next_id, open_flags
        // SAFETY: no pointers; the result is a new descriptor.
        let Ok(program) = (unsafe { bpf(PROG_GET_FD_BY_ID, &mut attr).map(|fd| OwnedFd::from_raw_fd(fd)) }) else {
            continue; // Detached meanwhile.
        };
        if name_of(&program)?.starts_with(NAME) {
            found.push(program);
        }
    }
    Ok(found)
}

fn name_of(program: &OwnedFd) -> io::Result<[u8; 16]> {
    let mut info = ProgInfo::default();
    let info_len = size_of::<ProgInfo>() as u32;
    let mut attr = InfoAttr { bpf_fd: number(program), info_len, info: &raw mut info as u64 };
    // SAFETY: `info` points to `info_len` bytes that outlive the call and may hold anything.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info.name)
}

fn number(fd: &impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd() as u32
}

/// The system call; descriptors that it returns are close-on-exec.
///
/// # Safety
/// The pointers in `attr` must be good for what `command` does with them.
unsafe fn bpf<T>(command: u32, attr: &mut T) -> io::Result<RawFd> {
    let mut attempts = 0;
    loop {
        // SAFETY: `attr` is as long as said; its content is the caller's duty.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
        if result >= 0 {
            return Ok(result as RawFd);
        }
        let error = io::Error::last_os_error();
        attempts += 1;
        // The verifier gives up with EAGAIN when a signal is pending.
        if error.raw_os_error() != Some(libc::EAGAIN) || attempts == 10 {
            return Err(error);
        }
    }
}
