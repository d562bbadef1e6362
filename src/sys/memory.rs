// SPDX-License-Identifier: Apache-2.0
//! What mbind(2) of this kernel can do. Asking changes nothing: no memory is bound.

use std::ptr;

/// The numbers of linux/mempolicy.h.
const MODES: [(&str, i32); 7] = [
    ("MPOL_DEFAULT", libc::MPOL_DEFAULT),
    ("MPOL_PREFERRED", libc::MPOL_PREFERRED),
    ("MPOL_BIND", libc::MPOL_BIND),
    ("MPOL_INTERLEAVE", libc::MPOL_INTERLEAVE),
    ("MPOL_LOCAL", libc::MPOL_LOCAL),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];
const FLAGS: [(&str, i32); 3] = [
    ("MPOL_F_NUMA_BALANCING", libc::MPOL_F_NUMA_BALANCING),
    ("MPOL_F_RELATIVE_NODES", libc::MPOL_F_RELATIVE_NODES),
    ("MPOL_F_STATIC_NODES", libc::MPOL_F_STATIC_NODES),
];

/// Whether there is a memory policy of this name.
pub fn has_mode(name: &str) -> bool {
    MODES.iter().any(|(mode, number)| *mode == name && takes(*number))
}

/// Whether there is a flag of this name, which MPOL_BIND takes.
pub fn has_flag(name: &str) -> bool {
    FLAGS.iter().any(|(flag, bit)| *flag == name && takes(libc::MPOL_BIND | bit))
}

/// A mode that is not known is refused (EINVAL) before the kernel sees that the range is empty.
fn takes(mode: i32) -> bool {
    let nowhere = ptr::null_mut::<libc::c_void>();
    // SAFETY: the range is empty, and there is no mask of nodes.
    unsafe { libc::syscall(libc::SYS_mbind, nowhere, 0usize, mode, ptr::null::<u64>(), 0usize, 0u32) == 0 }
}

#[cfg(test)]
mod tests {
    use super::takes;

    #[test]
    fn what_does_not_exist_is_refused() {
        assert!(!takes(99));
    }
}
