// SPDX-License-Identifier: Apache-2.0
//! Which devices the processes of a container may use: `linux.resources.devices`, enforced by version 1's devices
//! controller where it is mounted, else by a BPF program on the unified hierarchy.
//!
//! The ordered rules are first reduced to what version 1 can hold, one default and a set of exceptions from it,
//! for both: so a config.json means the same on every host. A rule that would cut a hole into a wildcard of the
//! other sign cannot be held so. It is refused rather than half obeyed.

use std::collections::BTreeSet;
use std::fmt;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use rustix::io::Errno;

use super::dir::{self, Dir};
use super::{Cgroup, Place, filter};
use crate::error::{Context, Error, Kind, Result, describe};
use crate::sys::{bpf, privilege};

const POINTER: &str = "/linux/resources/devices";

/// A kind of access: the bits are those of the kernel's BPF_DEVCG_ACC_*.
pub(super) type Access = u32;
/// To make a node.
pub(super) const MKNOD: Access = 1;
/// To open for reading.
pub(super) const READ: Access = 2;
/// To open for writing.
pub(super) const WRITE: Access = 4;
/// Everything.
pub(super) const ALL: Access = MKNOD | READ | WRITE;

/// Block or character: the values are those of the kernel's BPF_DEVCG_DEV_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    /// A block device.
    Block = 1,
    /// A character device.
    Char = 2,
}

/// What a rule is about: `None` is every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exception {
    pub(super) kind: Type,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) access: Access,
}

/// What every container may do after all rules of its own (as with runc): make nodes, which alone gives no access;
/// null, zero, full, random, urandom, tty, ptmx and the terminals of devpts.
const DEFAULTS: &[Exception] = &[
    Exception { kind: Type::Char, major: None, minor: None, access: MKNOD },
    Exception { kind: Type::Block, major: None, minor: None, access: MKNOD },
    char(1, Some(3)),
    char(1, Some(5)),
    char(1, Some(7)),
    char(1, Some(8)),
    char(1, Some(9)),
    char(5, Some(0)),
    char(5, Some(2)),
    char(136, None),
];

const fn char(major: u32, minor: Option<u32>) -> Exception {
    Exception { kind: Type::Char, major: Some(major), minor, access: ALL }
}

/// A default and the exceptions from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) allow: bool,
    pub(super) exceptions: BTreeSet<Exception>,
}

impl Policy {
    /// Reduces the rules, followed by the defaults. At first nothing is allowed.
    pub(super) fn new(rules: &[LinuxDeviceCgroup]) -> Result<Self> {
        let mut policy = Self { allow: false, exceptions: BTreeSet::new() };
        for (index, rule) in rules.iter().enumerate() {
            policy.apply_rule(rule).map_err(|(field, why)| Error::config(format!("{POINTER}/{index}{field}"), why))?;
        }
        for &default in DEFAULTS {
            let conflict = |why| Error::config(POINTER, format!("{why}, and every container may use {default}"));
            policy.apply(true, default).map_err(conflict)?;
        }
        Ok(policy)
    }

    fn apply_rule(&mut self, rule: &LinuxDeviceCgroup) -> std::result::Result<(), (&'static str, String)> {
        let major = number(rule.major()).map_err(|why| ("/major", why))?;
        let minor = number(rule.minor()).map_err(|why| ("/minor", why))?;
        let access = access(rule.access().as_deref()).map_err(|why| ("/access", why))?;
        let kinds: &[Type] = match rule.typ().unwrap_or(LinuxDeviceType::A) {
            LinuxDeviceType::A if (major, minor, access) == (None, None, ALL) => {
                *self = Self { allow: rule.allow(), exceptions: BTreeSet::new() };
                return Ok(());
            }
            LinuxDeviceType::A => &[Type::Block, Type::Char],
            LinuxDeviceType::B => &[Type::Block],
            LinuxDeviceType::C => &[Type::Char],
            LinuxDeviceType::U | LinuxDeviceType::P => return Err(("/type", "it must be a, b or c".to_owned())),
        };
        for &kind in kinds {
            self.apply(rule.allow(), Exception { kind, major, minor, access }).map_err(|why| ("", why))?;
        }
        Ok(())
    }

    fn apply(&mut self, allow: bool, rule: Exception) -> std::result::Result<(), String> {
        if allow != self.allow {
            // The kernel holds one exception for each set of devices.
            let before = self.exceptions.iter().find(|one| one.is_about_the_same(&rule)).copied();
            let access = rule.access | before.map_or(0, |before| before.access);
            before.map(|before| self.exceptions.remove(&before));
            self.exceptions.insert(Exception { access, ..rule });
            return Ok(());
        }
        for one in self.exceptions.clone() {
            if rule.covers(&one) {
                self.exceptions.remove(&one);
                if one.access & !rule.access != 0 {
                    self.exceptions.insert(Exception { access: one.access & !rule.access, ..one });
                }
            } else if one.overlaps(&rule) && one.access & rule.access != 0 {
                let (sign, other) = if allow { ("allow", "denied") } else { ("deny", "allowed") };
                return Err(format!("{sign} {rule} would be a hole in {one}, which a rule before {other}"));
            }
        }
        Ok(())
    }
}

impl Exception {
    fn is_about_the_same(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    /// All devices of `other` are devices of this.
    fn covers(&self, other: &Self) -> bool {
        let within = |all: Option<u32>, part: Option<u32>| all.is_none() || all == part;
        self.kind == other.kind && within(self.major, other.major) && within(self.minor, other.minor)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor)
    }

    /// Reads a line of `devices.list`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (kind, numbers, access_text) = (words.next()?, words.next()?, words.next()?);
        let (major, minor) = numbers.split_once(':')?;
        let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
        Some(Self {
            kind: match kind {
                "b" => Type::Block,
                "c" => Type::Char,
                _ => return None,
            },
            major: number(major)?,
            minor: number(minor)?,
            access: access(Some(access_text)).ok()?,
        })
    }
}

/// As version 1 has it: "c 1:3 rwm".
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        let kind = if self.kind == Type::Block { 'b' } else { 'c' };
        write!(f, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        [(READ, "r"), (WRITE, "w"), (MKNOD, "m")]
            .iter()
            .filter(|(bit, _)| self.access & bit != 0)
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

/// -1 is every number, as in the Go types by which many config.json are made.
fn number(number: Option<i64>) -> std::result::Result<Option<u32>, String> {
    match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| format!("{number} is no device number")),
    }
}

/// Without letters it is every access.
fn access(letters: Option<&str>) -> std::result::Result<Access, String> {
    let letters = letters.filter(|letters| !letters.is_empty()).unwrap_or("rwm");
    letters.chars().try_fold(0, |access, letter| match letter {
        'r' => Ok(access | READ),
        'w' => Ok(access | WRITE),
        'm' => Ok(access | MKNOD),
        _ => Err(format!("{letters:?} has other letters than r, w and m")),
    })
}

/// Whether a policy takes the place of another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// The cgroup is new: it has at most what it inherited.
    None,
    /// There is one, of ours, and processes that depend on it.
    Ours,
}

/// Puts a policy into force.
pub(super) fn enforce(cgroup: &Cgroup, policy: &Policy, former: Former) -> Result<()> {
    let result = match (cgroup.with_controller("devices"), cgroup.unified()) {
        (Some(place), _) if former == Former::Ours => change_list(place, policy),
        (Some(place), _) => write_list(place, policy, None),
        (None, Some(place)) => attach(place, policy),
        (None, None) if cgroup.is_denied() || privilege::is_limited() => Ok(()),
        (None, None) => {
            let why = "this host has neither the devices cgroup controller nor the unified hierarchy";
            return Err(Error::new(Kind::Unsupported, format!("{POINTER}: {why}")).at(POINTER));
        }
    };
    match result {
        // Nobody can set a filter out of a user namespace. Nobody can make device nodes there either, and those
        // that are there are guarded by their owners and modes.
        Err(error) if error.errno == libc::EPERM && privilege::is_limited() => {
            log::debug!("no device filter in a user namespace: {}", error.message);
            Ok(())
        }
        other => other,
    }
}

/// Version 1, over a former policy; puts that back if the kernel refuses the new one. Where it allows all by default, its
/// exceptions cannot be read: then what is in force of the new one stays, which is the stricter.
fn change_list(place: &Place, policy: &Policy) -> Result<()> {
    let former = listed(place)?;
    write_list(place, policy, former.as_ref()).inspect_err(|_| {
        let Some(exceptions) = former else { return };
        let now = listed(place).unwrap_or_default();
        if let Err(error) = write_list(place, &Policy { allow: false, exceptions }, now.as_ref()) {
            log::warn!("cannot put the devices back: {error}");
        }
    })
}

/// What is allowed by exception; `None` where all is allowed, with exceptions or without: "a *:* rwm" does not tell.
fn listed(place: &Place) -> Result<Option<BTreeSet<Exception>>> {
    let file = place.path.join("devices.list");
    let list = dir::read_whole(&file).context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&list).lines().map(Exception::parse).collect())
}

/// Version 1. Over a list, what must be added is added before the rest is removed, so that processes inside
/// never lose what both allow; unless the default changes, which resets the list.
fn write_list(place: &Place, policy: &Policy, former: Option<&BTreeSet<Exception>>) -> Result<()> {
    let file = |name: &str| place.path.join(name);
    let open = |name: &str| dir::writer(&file(name)).context(|| format!("cannot open {}", file(name).display()));
    let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
    let (to_except, to_cover) = if policy.allow { (&deny, &allow) } else { (&allow, &deny) };
    let failed = |what: &str, errno: Errno| {
        let why = format!("{POINTER}: cannot write {what:?} to {}: {}", place.path.display(), describe(&errno.into()));
        let mut error = Error::new(Kind::Failed, why).at(POINTER);
        error.errno = errno.raw_os_error();
        error
    };

    let now = former.filter(|_| !policy.allow);
    if now.is_none() {
        dir::put(to_cover, "a").map_err(|errno| failed("a", errno))?;
    }
    let nothing = BTreeSet::new();
    let now = now.unwrap_or(&nothing);
    for (file, exceptions) in
        [(to_except, policy.exceptions.difference(now)), (to_cover, now.difference(&policy.exceptions))]
    {
        for exception in exceptions {
            let line = exception.to_string();
            dir::put(file, &line).map_err(|errno| failed(&line, errno))?;
        }
    }
    Ok(())
}

/// The unified hierarchy. The new program takes the place of ours in one step.
fn attach(place: &Place, policy: &Policy) -> Result<()> {
    let what = || format!("{POINTER}: cannot attach the device filter to {}", place.path.display());
    let dir = Dir::open(&place.path).context(what)?;
    let program = bpf::load_device_filter(&filter::program(policy));
    program
        .and_then(|program| bpf::replace_device_filter(&dir, &program))
        .context(what)
        .map_err(|error| error.at(POINTER))
}
