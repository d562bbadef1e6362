// SPDX-License-Identifier: Apache-2.0
//! The mount options of the runtime-spec ("Linux mount options" in config.md) and what each does.
//!
//! The new mount interface has no single word of MS_* flags: there are attributes of the mount, flags
//! of the superblock, and propagation, each with a system call of its own. This table says which is which.
//! What is not in it belongs to the filesystem and is handed to fsconfig(2).

use std::borrow::Cow;

use self::Effect::{Attribute, Bind, CopyUp, IdMap, Nothing, Propagation, Remount, Superblock};

/// MOUNT_ATTR_* of linux/mount.h, for fsmount(2) and mount_setattr(2).
pub mod attr {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-id and file capabilities do not count.
    pub const NOSUID: u64 = 0x2;
    /// No device files.
    pub const NODEV: u64 = 0x4;
    /// No programs.
    pub const NOEXEC: u64 = 0x8;
    /// The bits that hold the way of keeping access times: a number, not flags.
    pub const ATIME: u64 = 0x70;
    /// Access times kept relative to modification times: what the kernel does unless told otherwise.
    pub const RELATIME: u64 = 0;
    /// No access times.
    pub const NOATIME: u64 = 0x10;
    /// Access times always.
    pub const STRICTATIME: u64 = 0x20;
    /// No access times of directories.
    pub const NODIRATIME: u64 = 0x80;
    /// Symbolic links are not followed.
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}

/// The propagation types of mount(2) and of `struct mount_attr`.
pub mod propagation {
    /// MS_UNBINDABLE
    pub const UNBINDABLE: u32 = 1 << 17;
    /// MS_PRIVATE
    pub const PRIVATE: u32 = 1 << 18;
    /// MS_SLAVE
    pub const SLAVE: u32 = 1 << 19;
    /// MS_SHARED
    pub const SHARED: u32 = 1 << 20;
}

/// An option by its name.
#[derive(Debug)]
pub struct MountOption {
    /// As it is written in config.json.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
}

/// What an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes attributes of the mount: first `clear`, then `set`; add them up in [`Attributes`].
    /// `recursive` includes the mounts below (AT_RECURSIVE).
    Attribute { set: u64, clear: u64, recursive: bool },
    /// Changes the propagation to one of [`propagation`].
    Propagation { to: u32, recursive: bool },
    /// Sets this flag of the superblock with fsconfig(2). Of no use to a bind mount, whose
    /// superblock belongs to somebody else.
    Superblock(&'static str),
    /// Makes it a bind mount.
    Bind { recursive: bool },
    /// Changes the mount that is at the destination already.
    Remount,
    /// Asks for what happens anyway.
    Nothing,
    /// Maps the owners of the files, and with `recursive` those of the mounts below too.
    IdMap { recursive: bool },
    /// Fills a new tmpfs with what is at the destination.
    CopyUp,
}

/// What `name` does; `None` is for the filesystem to know.
pub fn mount_option(name: &str) -> Option<&'static Effect> {
    let index = MOUNT_OPTIONS.binary_search_by(|option| option.name.cmp(name)).ok()?;
    Some(&MOUNT_OPTIONS[index].effect)
}

/// The single options in one string of the list, which may hold several as mount(8) takes them: at each comma that is
/// neither in double quotes nor behind a backslash.
pub fn parts(option: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let at_comma = move |letter: char| {
        let literal = escaped;
        escaped = letter == '\\' && !literal;
        quoted ^= letter == '"' && !literal;
        letter == ',' && !quoted && !literal
    };
    option.split(at_comma).filter(|part| !part.is_empty())
}

/// An option of a filesystem as fsconfig(2) takes it: the quotes around its value were for mount(8).
pub fn unquoted(option: &str) -> Cow<'_, str> {
    let quoted =
        option.split_once('=').and_then(|(key, value)| Some((key, value.strip_prefix('"')?.strip_suffix('"')?)));
    quoted.map_or(Cow::Borrowed(option), |(key, value)| Cow::Owned(format!("{key}={value}")))
}

/// All options, sorted by name.
pub const MOUNT_OPTIONS: &[MountOption] = &[
    option("async", Superblock("async")),
    option("atime", clears(attr::NOATIME)),
    option("bind", Bind { recursive: false }),
    option("defaults", Nothing),
    option("dev", clears(attr::NODEV)),
    option("diratime", clears(attr::NODIRATIME)),
    option("dirsync", Superblock("dirsync")),
    option("exec", clears(attr::NOEXEC)),
    option("idmap", IdMap { recursive: false }),
    // Whoever keeps i_version keeps it always (ext4 since 6.1, xfs and btrfs before), and neither VFS nor
    // filesystem has a parameter for it.
    option("iversion", Nothing),
    option("lazytime", Superblock("lazytime")),
    // silent and loud chose how much a failing mount(2) wrote to the kernel's log; fsopen(2) gives
    // its messages to the caller.
    option("loud", Nothing),
    option("mand", Superblock("mand")),
    option("noatime", access_times(attr::NOATIME)),
    option("nodev", sets(attr::NODEV)),
    option("nodiratime", sets(attr::NODIRATIME)),
    option("noexec", sets(attr::NOEXEC)),
    option("noiversion", Nothing),
    option("nolazytime", Superblock("nolazytime")),
    option("nomand", Superblock("nomand")),
    // "Not relatime" is no third way: the kernel's default is relatime, strictatime is asked for by name.
    option("norelatime", Nothing),
    option("nostrictatime", clears(attr::STRICTATIME)),
    option("nosuid", sets(attr::NOSUID)),
    option("nosymfollow", sets(attr::NOSYMFOLLOW)),
    option("private", Propagation { to: propagation::PRIVATE, recursive: false }),
    option("ratime", recursively(clears(attr::NOATIME))),
    option("rbind", Bind { recursive: true }),
    option("rdev", recursively(clears(attr::NODEV))),
    option("rdiratime", recursively(clears(attr::NODIRATIME))),
    option("relatime", access_times(attr::RELATIME)),
    option("remount", Remount),
    option("rexec", recursively(clears(attr::NOEXEC))),
    option("ridmap", IdMap { recursive: true }),
    option("rnoatime", recursively(access_times(attr::NOATIME))),
    // The specification's table forgets this one, and has rdev.
    option("rnodev", recursively(sets(attr::NODEV))),
    option("rnodiratime", recursively(sets(attr::NODIRATIME))),
    option("rnoexec", recursively(sets(attr::NOEXEC))),
    option("rnorelatime", Nothing),
    option("rnostrictatime", recursively(clears(attr::STRICTATIME))),
    option("rnosuid", recursively(sets(attr::NOSUID))),
    option("rnosymfollow", recursively(sets(attr::NOSYMFOLLOW))),
    option("ro", sets(attr::RDONLY)),
    option("rprivate", Propagation { to: propagation::PRIVATE, recursive: true }),
    option("rrelatime", recursively(access_times(attr::RELATIME))),
    option("rro", recursively(sets(attr::RDONLY))),
    option("rrw", recursively(clears(attr::RDONLY))),
    option("rshared", Propagation { to: propagation::SHARED, recursive: true }),
    option("rslave", Propagation { to: propagation::SLAVE, recursive: true }),
    option("rstrictatime", recursively(access_times(attr::STRICTATIME))),
    option("rsuid", recursively(clears(attr::NOSUID))),
    option("rsymfollow", recursively(clears(attr::NOSYMFOLLOW))),
    option("runbindable", Propagation { to: propagation::UNBINDABLE, recursive: true }),
    option("rw", clears(attr::RDONLY)),
    option("shared", Propagation { to: propagation::SHARED, recursive: false }),
    option("silent", Nothing),
    option("slave", Propagation { to: propagation::SLAVE, recursive: false }),
    option("strictatime", access_times(attr::STRICTATIME)),
    option("suid", clears(attr::NOSUID)),
    option("symfollow", clears(attr::NOSYMFOLLOW)),
    option("sync", Superblock("sync")),
    option("tmpcopyup", CopyUp),
    option("unbindable", Propagation { to: propagation::UNBINDABLE, recursive: false }),
];

const fn option(name: &'static str, effect: Effect) -> MountOption {
    MountOption { name, effect }
}

const fn sets(attribute: u64) -> Effect {
    Attribute { set: attribute, clear: 0, recursive: false }
}

const fn clears(attribute: u64) -> Effect {
    Attribute { set: 0, clear: attribute, recursive: false }
}

/// A way of keeping access times takes the place of the one before.
const fn access_times(way: u64) -> Effect {
    Attribute { set: way, clear: attr::ATIME, recursive: false }
}

const fn recursively(effect: Effect) -> Effect {
    match effect {
        Attribute { set, clear, .. } => Attribute { set, clear, recursive: true },
        other => other,
    }
}

/// What the attributes of a list of options add up to; later ones win, as in mount(8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to be set. All there is to say for a new mount.
    pub set: u64,
    /// Bits to be cleared first.
    pub clear: u64,
}

impl Attributes {
    /// Adds one [`Effect::Attribute`].
    pub fn add(&mut self, set: u64, clear: u64) {
        self.set = self.set & !clear | set;
        self.clear = self.clear & !set | clear;
        // mount_setattr(2) refuses to clear a part of the access time bits: they are a number.
        if self.clear & attr::ATIME != 0 || self.set & attr::ATIME != 0 {
            self.clear |= attr::ATIME;
        }
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(options: &[&str]) -> Attributes {
        let mut sum = Attributes::default();
        for option in options {
            match mount_option(option) {
                Some(&Attribute { set, clear, .. }) => sum.add(set, clear),
                Some(Nothing) => {}
                other => panic!("{option}: {other:?}"),
            }
        }
        sum
    }

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(MOUNT_OPTIONS.is_sorted_by(|a, b| a.name < b.name));
        // The 61 names of runtime-spec 1.3 and rnodev.
        assert_eq!(MOUNT_OPTIONS.len(), 62);
        for option in MOUNT_OPTIONS {
            assert_eq!(mount_option(option.name), Some(&option.effect));
        }
        for foreign in ["", "a", "size=64k", "mode=755", "zzz", "ROO", "acl"] {
            assert_eq!(mount_option(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_string_may_hold_several() {
        for (option, expected) in [
            ("ro", &["ro"][..]),
            ("nodev,size=1k", &["nodev", "size=1k"]),
            (",ro,,", &["ro"]),
            ("", &[]),
            ("context=\"a:s0:c1,c2\",ro", &["context=\"a:s0:c1,c2\"", "ro"]),
            ("lowerdir=/a\\,b:/c,ro", &["lowerdir=/a\\,b:/c", "ro"]),
            ("a=\\\\,b", &["a=\\\\", "b"]),
        ] {
            assert_eq!(parts(option).collect::<Vec<_>>(), expected, "{option}");
        }
        assert_eq!(unquoted("context=\"a:s0:c1,c2\""), "context=a:s0:c1,c2");
        for plain in ["size=1k", "size=\"1k", "a=\"", "ro"] {
            assert_eq!(unquoted(plain), plain);
        }
    }

    #[test]
    fn the_last_option_wins() {
        assert_eq!(sum(&["ro", "rw"]), Attributes { set: 0, clear: attr::RDONLY });
        assert_eq!(sum(&["rw", "ro"]), Attributes { set: attr::RDONLY, clear: 0 });
        assert_eq!(sum(&["nosuid", "nodev"]), Attributes { set: attr::NOSUID | attr::NODEV, clear: 0 });
        assert!(sum(&["norelatime"]).is_empty());
    }

    #[test]
    fn access_times_are_a_number() {
        for (options, set) in [
            (&["noatime"][..], attr::NOATIME),
            (&["noatime", "strictatime"], attr::STRICTATIME),
            (&["strictatime", "relatime"], attr::RELATIME),
            (&["noatime", "nostrictatime"], attr::NOATIME),
            (&["strictatime", "atime"], attr::STRICTATIME),
            (&["noatime", "atime"], attr::RELATIME),
            (&["noatime", "norelatime"], attr::NOATIME),
            (&["atime"], attr::RELATIME),
        ] {
            assert_eq!(sum(options), Attributes { set, clear: attr::ATIME }, "{options:?}");
        }
    }
}
