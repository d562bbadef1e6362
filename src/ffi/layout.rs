// SPDX-License-Identifier: Apache-2.0
//! That the structs are laid out here as `abi/layout.txt` promises, which a C compiler wrote from the header.

use std::mem::offset_of;

use super::*;

fn size<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! layout {
    ($($type:ident { $($member:ident)* })*) => {
        [$($(format!(
            "{}.{} {} {}",
            stringify!($type),
            stringify!($member),
            offset_of!($type, $member),
            size(|it: &$type| &it.$member)
        ),)*)*]
    };
}

#[test]
fn it_is_as_promised() {
    let ours = layout! {
        brig_create_options { size bundle spec rootfs stdio fds fd_count flags rootfs_fd cancel_fd }
        brig_exit { size code signal }
        brig_exec_options { size process cgroup stdio fds fd_count flags cancel_fd reserved }
        brig_checkpoint_options {
            size image_dir work_dir parent_path page_server flags empty_namespaces image_fd page_server_port
            manage_cgroups status_fd cancel_fd reserved
        }
        brig_restore_options {
            size bundle spec rootfs image_dir work_dir lsm_profile lsm_mount_context stdio flags empty_namespaces
            rootfs_fd image_fd manage_cgroups cancel_fd
        }
    };
    let promised: Vec<_> = include_str!("../../abi/layout.txt").lines().collect();
    assert_eq!(ours.iter().map(String::as_str).collect::<Vec<_>>(), promised);
}
