// SPDX-License-Identifier: Apache-2.0
//! What a profile could not know: system calls that are newer than it.
//!
//! A C library tries the newest call and, at ENOSYS, an older one; at EPERM it gives up, and programs of a new
//! image break under an old profile (clone3, faccessat2, fchmodat2 …). So where the profile's answer to everything else
//! is an errno, a call with a number above all that the profile names gets ENOSYS. runc does this, and profiles
//! have come to rely on it. A profile whose answer is to kill has meant it, and is followed to the letter.

use std::collections::BTreeMap;

use libseccomp::{ScmpAction, ScmpSyscall};
use oci_spec::runtime::{Arch, LinuxSeccomp};

use super::compile::architecture;
use super::layers::{instruction, op};

/// The bit that tells a system call of x32 from one of x86-64; both have the same architecture for the kernel.
const X32_BIT: u32 = 0x4000_0000;
/// Never exceeded: for calls that the profile knows nothing about.
const ANY: u32 = u32::MAX;

#[cfg(target_arch = "x86_64")]
const NATIVE: Arch = Arch::ScmpArchX86_64;
#[cfg(target_arch = "aarch64")]
const NATIVE: Arch = Arch::ScmpArchAarch64;
#[cfg(target_arch = "riscv64")]
const NATIVE: Arch = Arch::ScmpArchRiscv64;
/// Not translated: nothing is put in front for it, unless the profile names it.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
const NATIVE: Arch = Arch::ScmpArchNative;

/// What to put in front of the program; the code falls through to it.
pub fn prologue(seccomp: &LinuxSeccomp, fallback: ScmpAction) -> Vec<u8> {
    match fallback {
        ScmpAction::Errno(errno) if errno != libc::ENOSYS => {}
        _ => return Vec::new(),
    }
    let newest = newest(seccomp);
    let Some(rest) = newest.len().checked_sub(1) else { return Vec::new() };
    // seccomp_data.arch, once for all sections.
    let mut code = instruction(op::LOAD, 0, 0, 4).to_vec();
    for (number, (arch, [plain, x32])) in newest.into_iter().enumerate() {
        let after = (rest - number) as u32 * SECTION;
        for (code_, jump_true, jump_false, value) in [
            (op::IF_EQUAL, 0, SECTION as u8 - 1, arch),
            // seccomp_data.nr
            (op::LOAD, 0, 0, 0),
            (op::IF_GREATER_OR_EQUAL, 1, 0, if arch == Arch::ScmpArchX86_64 as u32 { X32_BIT } else { ANY }),
            (op::IF_GREATER, 1, 2, plain),
            (op::IF_GREATER, 0, 1, x32),
            (op::RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
            (op::JUMP, 0, 0, after),
        ] {
            code.extend(instruction(code_, jump_true, jump_false, value));
        }
    }
    code
}

/// The number of instructions for an architecture.
const SECTION: u32 = 7;

/// The highest number that the profile names, by the kernel's architecture: of plain and of x32 calls.
fn newest(seccomp: &LinuxSeccomp) -> BTreeMap<u32, [u32; 2]> {
    let mut newest = BTreeMap::new();
    let listed = seccomp.architectures().iter().flatten().copied();
    for arch in [NATIVE].into_iter().chain(listed) {
        let (token, kind) = match arch {
            Arch::ScmpArchNative => continue,
            Arch::ScmpArchX32 => (Arch::ScmpArchX86_64, 1),
            other => (other, 0),
        };
        let highest = seccomp
            .syscalls()
            .iter()
            .flatten()
            .flat_map(|rule| rule.names())
            .filter_map(|name| ScmpSyscall::from_name_by_arch(name, architecture(arch)).ok())
            // Negative for calls that this architecture has not.
            .filter_map(|syscall| u32::try_from(syscall.as_raw_syscall()).ok())
            .max();
        if let Some(highest) = highest {
            newest.entry(token as u32).or_insert([ANY; 2])[kind] = highest;
        }
    }
    newest
}
