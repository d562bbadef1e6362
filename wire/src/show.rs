// SPDX-License-Identifier: Apache-2.0
//! How the numbers of a step are shown to people: permissions in octal, bits by their names.

use core::fmt;

/// How a number is shown.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As a number.
    Decimal,
    /// As chmod(1) takes it.
    Octal,
    /// Bits without names.
    Hex,
    /// Bits with these names, or several bits with one; such come first in the list.
    Names(&'static [(u64, &'static str)]),
}

/// The flags of clone3(2), unshare(2) and setns(2).
const NAMESPACES: &[(u64, &str)] = &[
    (0x80, "time"),
    (0x2_0000, "mount"),
    (0x200_0000, "cgroup"),
    (0x400_0000, "uts"),
    (0x800_0000, "ipc"),
    (0x1000_0000, "user"),
    (0x2000_0000, "pid"),
    (0x4000_0000, "network"),
];

/// MS_* of mount(2).
const PROPAGATION: &[(u64, &str)] =
    &[(1 << 17, "unbindable"), (1 << 18, "private"), (1 << 19, "slave"), (1 << 20, "shared")];

/// MOUNT_ATTR_* of mount_setattr(2).
const ATTRIBUTES: &[(u64, &str)] = &[
    (0x70, "atime"),
    (0x1, "ro"),
    (0x2, "nosuid"),
    (0x4, "nodev"),
    (0x8, "noexec"),
    (0x10, "noatime"),
    (0x20, "strictatime"),
    (0x80, "nodiratime"),
    (0x20_0000, "nosymfollow"),
];

const TARGET: &[(u64, &str)] =
    &[(crate::attach::NO_SYMLINKS as u64, "no-symlinks"), (crate::attach::INSIDE_PROC as u64, "inside-proc")];

const LIKE: &[(u64, &str)] = &[
    (crate::like::MODE as u64, "mode"),
    (crate::like::OWNER as u64, "owner"),
    (crate::like::CONTENT as u64, "content"),
];

const POINTS: &[(u64, &str)] = &[
    (crate::POINT_COMMIT as u64, "commit"),
    (crate::POINT_HOOKS as u64, "hooks"),
    (crate::POINT_LIMITS as u64, "limits"),
    (crate::POINT_MAPS as u64, "maps"),
];

const YES: &[(u64, &str)] = &[(1, "yes")];

impl Style {
    /// The one for this field of this step.
    pub(crate) fn of(step: &str, field: &str) -> Self {
        match (step, field) {
            ("IoPriority" | "Personality", "value") | ("MemoryPolicy", "mode") | (_, "cpus" | "nodes") => Self::Hex,
            (_, "mode" | "mask") => Self::Octal,
            (_, "set" | "clear" | "attrs") => Self::Names(ATTRIBUTES),
            (_, "propagation") => Self::Names(PROPAGATION),
            ("Unshare" | "Fork" | "Supervise", "flags") | ("JoinNamespace", "kind") => Self::Names(NAMESPACES),
            ("Attach", "flags") => Self::Names(TARGET),
            ("Resemble", "flags") => Self::Names(LIKE),
            ("Sync", "point") => Self::Names(POINTS),
            ("BecomeRoot", _) => Self::Names(YES),
            (_, "permissions" | "flags" | "keep" | "effective" | "permitted" | "inheritable" | "raise") => Self::Hex,
            _ => Self::Decimal,
        }
    }

    /// Whether to say nothing of this number: no bit is set.
    pub(crate) fn omits(self, bits: u64) -> bool {
        matches!(self, Self::Names(_)) && bits == 0
    }

    /// Prints a number so; for a signed one `bits` are those of its 64-bit extension.
    pub(crate) fn print(self, number: impl fmt::Display, bits: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Decimal => write!(out, "{number}"),
            Self::Octal => write!(out, "0{bits:03o}"),
            Self::Hex => write!(out, "{bits:#x}"),
            Self::Names(names) => print_names(names, bits, out),
        }
    }
}

fn print_names(names: &[(u64, &str)], bits: u64, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut rest = bits;
    let mut separator = "";
    for (bits, name) in names {
        if rest & bits == *bits {
            write!(out, "{separator}{name}")?;
            (rest, separator) = (rest & !bits, ",");
        }
    }
    if rest != 0 { write!(out, "{separator}{rest:#x}") } else { Ok(()) }
}
