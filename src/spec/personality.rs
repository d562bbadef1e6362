// SPDX-License-Identifier: Apache-2.0
//! `linux.personality`: the execution domain, and the flags of personality(2) by their names.

use oci_spec::runtime::{LinuxPersonality, LinuxPersonalityDomain as Domain};

/// linux/personality.h
const PER_LINUX: u32 = 0x0000;
const PER_LINUX32: u32 = 0x0008;
const FLAGS: &[(&str, u32)] = &[
    ("UNAME26", 0x002_0000),
    ("ADDR_NO_RANDOMIZE", 0x004_0000),
    ("FDPIC_FUNCPTRS", 0x008_0000),
    ("MMAP_PAGE_ZERO", 0x010_0000),
    ("ADDR_COMPAT_LAYOUT", 0x020_0000),
    ("READ_IMPLIES_EXEC", 0x040_0000),
    ("ADDR_LIMIT_32BIT", 0x080_0000),
    ("SHORT_INODE", 0x100_0000),
    ("WHOLE_SECONDS", 0x200_0000),
    ("STICKY_TIMEOUTS", 0x400_0000),
    ("ADDR_LIMIT_3GB", 0x800_0000),
];

/// The flag of this name.
pub fn flag(name: &str) -> Option<u32> {
    FLAGS.iter().find(|flag| flag.0 == name).map(|flag| flag.1)
}

/// The names that there are.
pub fn names() -> String {
    FLAGS.iter().map(|flag| flag.0).collect::<Vec<_>>().join(", ")
}

/// What personality(2) takes.
pub fn persona(personality: &LinuxPersonality) -> u32 {
    let domain = match personality.domain() {
        Domain::PerLinux => PER_LINUX,
        Domain::PerLinux32 => PER_LINUX32,
    };
    personality.flags().iter().flatten().filter_map(|name| flag(name)).fold(domain, |persona, flag| persona | flag)
}
