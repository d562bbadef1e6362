// SPDX-License-Identifier: Apache-2.0
//! Attributes of mounts.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;

/// struct mount_attr of mount_setattr(2).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Maps the owners of the files of a mount that is attached nowhere, with `recursive` of those below it too, as the
/// user namespace does. EINVAL: a filesystem does not support it.
pub fn map_ids(tree: impl AsFd, namespace: impl AsFd, recursive: bool) -> io::Result<()> {
    let namespace = namespace.as_fd().as_raw_fd() as u64;
    let attributes = Attributes { set: MOUNT_ATTR_IDMAP, user_namespace: namespace, ..Attributes::default() };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a live string; the kernel reads the structure, whose size it is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
