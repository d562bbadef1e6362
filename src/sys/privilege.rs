// SPDX-License-Identifier: Apache-2.0
//! How far the caller's privileges reach (user_namespaces(7)).

use rustix::process::geteuid;

/// The inode of the first user namespace of the machine: PROC_USER_INIT_INO of the kernel's proc_ns.h.
const INITIAL: u64 = 0xefff_fffd;

/// Whether the caller is not root, or only that of a user namespace.
pub fn is_limited() -> bool {
    !geteuid().is_root() || in_user_namespace()
}

/// Whether the caller is in a user namespace other than the first one of the machine. Asked for every container.
pub fn in_user_namespace() -> bool {
    rustix::fs::stat("/proc/thread-self/ns/user").is_ok_and(|stat| stat.st_ino != INITIAL)
}

/// Whether nobody in the caller's user namespace, nor in those below it, may set groups.
pub fn denies_groups() -> bool {
    std::fs::read("/proc/thread-self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}
