// SPDX-License-Identifier: Apache-2.0
//! Mounts: made detached, given their attributes, then attached by descriptor to a target that was
//! resolved inside the root.

use core::ffi::CStr;

use brig_wire::{Act, attach};
use linux_raw_sys::general::{
    AT_EMPTY_PATH, AT_RECURSIVE, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, FSPICK_CLOEXEC, FSPICK_EMPTY_PATH, MNT_DETACH,
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MOVE_MOUNT_F_EMPTY_PATH,
    MOVE_MOUNT_T_EMPTY_PATH, MS_SLAVE, O_DIRECTORY, O_NOFOLLOW, O_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE,
    PROC_SUPER_MAGIC, RESOLVE_NO_SYMLINKS, S_IFREG, fsconfig_command, mount_attr,
};

use crate::buffer::Buffer;
use crate::control::{During, Failure, Outcome, Text};
use crate::file::{NULL, filesystem, is_device, is_directory};
use crate::resolve::{self, DIRECTORY};
use crate::sys::{self, Abi, CWD, Errno, Fd, Result};

/// The longest key that fsconfig(2) takes, with its NUL.
const KEY_MAX: usize = 256;

/// The attributes of a cover over a directory.
const COVER: u32 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// A new filesystem, not attached anywhere. The kernel's reasons for a failure go to `log`.
pub fn new<'o>(
    fstype: &CStr,
    source: &CStr,
    options: impl Iterator<Item = &'o CStr>,
    attributes: u32,
    log: &mut Text,
) -> Outcome<Fd> {
    let fs = sys::fsopen(fstype, FSOPEN_CLOEXEC).during(Act::FsOpen)?;
    configure(&fs, source, options, attributes).inspect_err(|_| read_log(&fs, log))
}

/// A new filesystem, or where that is not permitted a read-only clone of the host's.
#[cold]
#[inline(never)]
pub fn new_or_clone(fstype: &CStr, source: &CStr, attributes: u32, path: &CStr, log: &mut Text) -> Outcome<Fd> {
    match new(fstype, source, core::iter::empty(), attributes, log) {
        Err(failure) if failure.errno == Errno::EPERM.into_raw() => {
            let tree = clone_host(path, 1)?;
            set_attributes(&tree, u64::from(attributes | MOUNT_ATTR_RDONLY), 0, 0, 1)?;
            Ok(tree)
        }
        result => result,
    }
}

fn configure<'o>(fs: &Fd, source: &CStr, options: impl Iterator<Item = &'o CStr>, attributes: u32) -> Outcome<Fd> {
    if !source.is_empty() {
        let set = fsconfig_command::FSCONFIG_SET_STRING as u32;
        sys::fsconfig(fs, set, Some(c"source"), Some(source), 0).during(Act::FsConfig)?;
    }
    set_options(fs, options)?;
    sys::fsconfig(fs, fsconfig_command::FSCONFIG_CMD_CREATE as u32, None, None, 0).during(Act::FsCreate)?;
    sys::fsmount(fs, FSMOUNT_CLOEXEC, attributes).during(Act::FsMount)
}

/// Labels the root of a new filesystem that takes no label for all of it.
#[cold]
#[inline(never)]
pub fn label(mount: &Fd, label: &CStr) -> Outcome {
    let root = resolve::open(mount, c"/", O_DIRECTORY, 0).during(Act::Label)?;
    sys::set_attribute(&root, c"security.selinux", label.to_bytes_with_nul()).during(Act::Label)
}

/// Other options for the filesystem of the mount whose root is at `path` inside the root.
#[cold]
#[inline(never)]
pub fn reconfigure<'o>(root: &Fd, path: &CStr, options: impl Iterator<Item = &'o CStr>, log: &mut Text) -> Outcome {
    let mount = open_inside(root, path)?;
    let fs = sys::fspick(&mount, c"", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH).during(Act::FsReconfigure)?;
    let change = fsconfig_command::FSCONFIG_CMD_RECONFIGURE as u32;
    set_options(&fs, options)
        .and_then(|()| sys::fsconfig(&fs, change, None, None, 0).during(Act::FsReconfigure))
        .inspect_err(|_| read_log(&fs, log))
}

fn set_options<'o>(fs: &Fd, options: impl Iterator<Item = &'o CStr>) -> Outcome {
    for (index, option) in options.enumerate() {
        set_option(fs, option)
            .map_err(|errno| Failure { value: index as i64, ..Failure::new(Act::FsConfig, errno) })?;
    }
    Ok(())
}

/// Sets `key=value`, or the flag `key`.
fn set_option(fs: &Fd, option: &CStr) -> Result<()> {
    let bytes = option.to_bytes_with_nul();
    let Some(equals) = bytes.iter().position(|byte| *byte == b'=') else {
        return sys::fsconfig(fs, fsconfig_command::FSCONFIG_SET_FLAG as u32, Some(option), None, 0);
    };
    let (name, value) = bytes.split_at_checked(equals).ok_or(Errno::EINVAL)?;
    let value = value.get(1..).and_then(|value| CStr::from_bytes_with_nul(value).ok());
    let mut key = Buffer::<KEY_MAX>::new();
    key.push(name)?;
    sys::fsconfig(fs, fsconfig_command::FSCONFIG_SET_STRING as u32, Some(key.string(0)), value, 0)
}

/// Joins what the kernel has to say: lines such as "e tmpfs: Bad value for 'size'".
fn read_log(fs: &Fd, log: &mut Text) {
    let mut line = Text::new();
    while line.read(fs).is_ok_and(|count| count > 0) {
        let text = line.bytes().get(2..).unwrap_or_default().trim_ascii_end();
        if log.len() > 0 {
            let _ = log.push(b"; ");
        }
        let _ = log.push(text);
        line.truncate(0);
    }
}

/// A clone of the mount at `path` of `dir` (at `dir` itself if it is empty), not attached anywhere.
fn clone(dir: &Fd, path: &CStr, recursive: u32) -> Result<Fd> {
    let empty = if path.is_empty() { AT_EMPTY_PATH } else { 0 };
    sys::open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | empty | recursion(recursive))
}

/// A clone of the mount at `path` of the host.
pub fn clone_host(path: &CStr, recursive: u32) -> Outcome<Fd> {
    clone(&CWD, path, recursive).during(Act::CloneTree)
}

/// The mount whose root is at `path` inside the root.
pub fn open_inside(root: &Fd, path: &CStr) -> Outcome<Fd> {
    resolve::open(root, path, O_PATH, 0).during(Act::OpenTarget)
}

/// Sets attributes and propagation of a mount.
pub fn set_attributes(mount: &Fd, set: u64, clear: u64, propagation: u32, recursive: u32) -> Outcome {
    let attributes = mount_attr { attr_set: set, attr_clr: clear, propagation: propagation.into(), userns_fd: 0 };
    let flags = AT_EMPTY_PATH | recursion(recursive);
    sys::mount_setattr(mount, c"", flags, &attributes, size_of::<mount_attr>()).during(Act::SetAttr)
}

/// Sets the propagation of the mount at "/".
pub fn set_root_propagation(propagation: u32, recursive: u32) -> Outcome {
    let attributes = mount_attr { propagation: propagation.into(), ..mount_attr::zeroed() };
    sys::mount_setattr(&CWD, c"/", recursion(recursive), &attributes, size_of::<mount_attr>()).during(Act::SetAttr)
}

fn recursion(recursive: u32) -> u32 {
    if recursive == 0 { 0 } else { AT_RECURSIVE }
}

/// Attaches `mount` to the place that is open as `place`.
fn place(mount: &Fd, place: &Fd) -> Outcome {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    sys::move_mount(mount, c"", place, c"", flags).during(Act::MoveMount)
}

/// Attaches `mount` to `target` inside the root, which is made if it is missing.
pub fn attach(root: &Fd, mount: &Fd, target: &CStr, flags: u32) -> Outcome {
    let ordinary = flags & attach::NO_SYMLINKS != 0;
    let (kind, resolve) = if ordinary { (O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS) } else { (O_PATH, 0) };
    let open = || resolve::open(root, target, kind, resolve);
    let target = match open() {
        Err(Errno::ENOENT) => {
            let mode = if is_directory(mount)? { DIRECTORY } else { S_IFREG | 0o644 };
            resolve::make(root, target.to_bytes(), mode).during(Act::CreateTarget)?;
            open()
        }
        result => result,
    };
    let target = target.map_err(|errno| match errno {
        Errno::ELOOP | Errno::ENOTDIR if ordinary => Failure::new(Act::NotOrdinary, errno),
        _ => Failure::new(Act::OpenTarget, errno),
    })?;
    // A mount over a file of procfs hides the truth from whoever writes there next (CVE-2019-16884).
    if flags & attach::INSIDE_PROC == 0 && filesystem(&target)? == PROC_SUPER_MAGIC {
        return Err(Failure::new(Act::InsideProc, Errno::EPERM));
    }
    place(mount, &target).map_err(|failure| match (is_directory(mount), is_directory(&target)) {
        // To the kernel, one errno among others.
        (Ok(true), Ok(false)) => Failure { act: Act::OnFile, ..failure },
        (Ok(false), Ok(true)) => Failure { act: Act::OnDirectory, ..failure },
        _ => failure,
    })
}

/// Attaches the open `file` to `target` inside the root.
pub fn attach_file(root: &Fd, file: &Fd, target: &CStr) -> Outcome {
    attach(root, &clone(file, c"", 0).during(Act::CloneTree)?, target, 0)
}

/// Attaches `mount` on top of "/".
pub fn set_root(mount: &Fd) -> Outcome {
    let top = sys::open(c"/", O_PATH | O_DIRECTORY).during(Act::OpenTarget)?;
    place(mount, &top)
}

/// Attaches `mount` on the directory `path` of the host.
#[cold]
#[inline(never)]
pub fn set_root_at(mount: &Fd, path: &CStr) -> Outcome {
    place(mount, &sys::open(path, O_PATH | O_DIRECTORY).during(Act::OpenTarget)?)
}

/// Makes `root` the root of the mount namespace, and unmounts the old one.
pub fn pivot(root: &Fd, slave: u32) -> Outcome {
    let old = sys::open(c"/", O_PATH | O_DIRECTORY).during(Act::Open)?;
    sys::fchdir(root).during(Act::Chdir)?;
    sys::pivot_root(c".", c".").during(Act::PivotRoot)?;
    if slave != 0 {
        set_attributes(&old, 0, 0, MS_SLAVE, 1)?;
    }
    // The old root now lies over the new one; from inside it, "." is its top.
    sys::fchdir(&old).during(Act::Chdir)?;
    sys::umount2(c".", MNT_DETACH).during(Act::Unmount)?;
    sys::chdir(c"/").during(Act::Chdir)
}

/// Makes `root` the root of this process only.
pub fn chroot(root: &Fd) -> Outcome {
    sys::fchdir(root).during(Act::Chdir)?;
    sys::chroot(c".")?;
    sys::chdir(c"/").during(Act::Chdir)
}

/// Makes `path` inside the root, and all below it, read-only: by a mount of its own on itself.
pub fn read_only(root: &Fd, path: &CStr) -> Outcome {
    let Some(target) = existing(root, path)? else { return Ok(()) };
    let mount = clone(&target, c"", 1).during(Act::CloneTree)?;
    set_attributes(&mount, MOUNT_ATTR_RDONLY.into(), 0, 0, 1)?;
    place(&mount, &target)
}

fn existing(root: &Fd, path: &CStr) -> Outcome<Option<Fd>> {
    match resolve::open(root, path, O_PATH, 0) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        result => result.map(Some).during(Act::OpenTarget),
    }
}

/// What hides files and directories.
#[derive(Default)]
pub struct Covers {
    /// The host's /dev/null.
    null: Option<Fd>,
    /// An empty directory. Once it is attached over the first directory, it is the source of the
    /// others: before Linux 6.15 a mount that is not attached cannot be cloned.
    empty: Option<Fd>,
}

impl Covers {
    /// Hides `path` inside the root, if there is something.
    pub fn mask(&mut self, root: &Fd, path: &CStr, log: &mut Text) -> Outcome {
        let Some(target) = existing(root, path)? else { return Ok(()) };
        let source = match is_directory(&target)? {
            false => self.null()?,
            true => match &self.empty {
                Some(empty) => empty,
                None => {
                    let options = [c"mode=755", c"size=4k"].into_iter();
                    let empty = new(c"tmpfs", c"tmpfs", options, COVER, log)?;
                    place(&empty, &target)?;
                    self.empty = Some(empty);
                    return Ok(());
                }
            },
        };
        let cover = clone(source, c"", 0).during(Act::CloneTree)?;
        place(&cover, &target)
    }

    /// The descriptors that are held.
    pub fn registers(&mut self) -> [&mut Option<Fd>; 2] {
        [&mut self.null, &mut self.empty]
    }

    /// The host's /dev/null, and no file that a hostile image calls so (CVE-2025-31133).
    fn null(&mut self) -> Outcome<&Fd> {
        let null = match self.null.take() {
            Some(null) => null,
            None => {
                let null = sys::open(c"/dev/null", O_PATH | O_NOFOLLOW).during(Act::OpenSource)?;
                if !is_device(&null, NULL)? {
                    return Err(Failure::new(Act::WrongDevice, Errno::ENODEV));
                }
                null
            }
        };
        Ok(self.null.insert(null))
    }
}
