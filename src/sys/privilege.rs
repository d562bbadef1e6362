// SPDX-License-Identifier: Apache-2.0
//! How far the caller's privileges reach (user_namespaces(7)).

use rustix::process::geteuid;

/// Whether the caller is not root, or only that of a user namespace.
pub fn is_limited() -> bool {
    !geteuid().is_root() || in_user_namespace()
}

/// Whether the caller is in a user namespace other than the first one of the machine. One that maps all ids to themselves
/// looks like that one.
pub fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/thread-self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().ne(["0", "0", "4294967295"])
}

/// Whether nobody in the caller's user namespace, nor in those below it, may set groups.
pub fn denies_groups() -> bool {
    std::fs::read("/proc/thread-self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}
