// SPDX-License-Identifier: Apache-2.0
//! Which security modules are at work in this kernel.

use std::fs;
use std::path::Path;

/// AppArmor.
pub fn has_apparmor() -> bool {
    fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|enabled| enabled.starts_with(b"Y"))
}

/// Whether AppArmor has attributes of its own beside those that the modules share.
pub fn has_apparmor_attributes() -> bool {
    Path::new("/proc/thread-self/attr/apparmor/exec").exists()
}

/// SELinux, which registers its filesystem only if it is enabled.
pub fn has_selinux() -> bool {
    let list = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    list.lines().any(|line| line.ends_with("\tselinuxfs"))
}
