// SPDX-License-Identifier: Apache-2.0
//! The vocabulary of a plan: each step is one system call, or the few that belong together.
//!
//! init keeps a handful of registers between steps, most of them file descriptors:
//!
//! | register | set by | used by |
//! |---|---|---|
//! | `mount`  | `NewMount`, `NewMountOrClone`, `CloneTree`, `CloneFd` | `MountAttr`, `Resemble`, `Label`, `Attach`, `SetRoot`, `SetRootAt` (the last three empty it) |
//! | `root`   | `SetRoot`, `SetRootAt`; `JoinNamespace` of a mount namespace: its "/" | every step with a path *inside the root*, up to `Pivot`/`Chroot`, which empty it |
//! | `proc`   | `OpenProc` | `Sysctl`, `TimeOffsets`, `ProcSelf` |
//! | `tty`    | `Console` | `AttachConsole`, `Fds`, `ControllingTty` |
//! | `state`  | `HookState`, or a reply | `RunHook` |
//! | `gate`   | a reply | `Gate` |
//! | `program`| `FindProgram` (an index) | `Exec` |
//! | `home`   | `Home` (a string) | `Exec` |
//! | `listen` | `ListenPid` (a string) | `Exec` |
//! | `last_word` | `LastWord`, or START (memory) | `Exec`, and whatever fails |
//!
//! "Inside the root" means: resolved by openat2(2) with `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS` below
//! the `root` register, so that no symbolic link of a hostile image leads out of it, and used through
//! the descriptor that this gave, never by its name again. `EAGAIN` (a rename raced us) is retried.
//! File descriptors from the host have the same number in init as in the host: init was cloned with
//! a copy of its table.

use core::ffi::CStr;
use core::fmt;

use crate::codec::{Field, Numbers, Reader, Strings};
use crate::show::Style;

/// Flags of [`Step::Attach`].
pub mod attach {
    /// The target, and the way to it, must have no symbolic link (procfs and sysfs: CVE-2019-19921).
    pub const NO_SYMLINKS: u32 = 1;
    /// The target may be inside a procfs (a short list of files such as /proc/meminfo).
    pub const INSIDE_PROC: u32 = 2;
}

/// Flags of [`Step::Resemble`].
pub mod like {
    /// The permissions.
    pub const MODE: u32 = 1;
    /// The owner.
    pub const OWNER: u32 = 2;
    /// All that is in it.
    pub const CONTENT: u32 = 4;
}

/// Special numbers of descriptors.
pub mod fd {
    /// In [`Step::Fds`](super::Step::Fds): the terminal that `Console` made.
    pub const TTY: u32 = u32::MAX;
    /// In [`Step::Supervise`](super::Step::Supervise): there is none.
    pub const NONE: u32 = u32::MAX;
}

macro_rules! steps {
    ($a:lifetime; $($(#[doc = $doc:literal])* $code:literal $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        /// One step of a plan.
        #[allow(missing_docs, reason = "a step's fields are told in its own text")]
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Step<$a> {
            $($(#[doc = $doc])* $name { $($field: $type),* },)*
        }

        impl<$a> Step<$a> {
            /// Reads one step; `None` at the end, or if the bytes are malformed.
            #[deny(unreachable_patterns, reason = "two steps with one number")]
            pub fn decode(reader: &mut Reader<$a>) -> Option<Self> {
                Some(match u32::get(reader)? {
                    $($code => Self::$name { $($field: <$type as Field>::get(reader)?),* },)*
                    _ => return None,
                })
            }

            /// Appends the encoding of the step.
            #[cfg(feature = "alloc")]
            pub fn encode(&self, out: &mut crate::Sink) {
                match self {
                    $(Self::$name { $($field),* } => {
                        Field::put(&($code as u32), out);
                        $(Field::put($field, out);)*
                    })*
                }
            }

            /// The name of the step.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }
        }

        impl fmt::Display for Step<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())?;
                match self {
                    $(Self::$name { $($field),* } => {
                        $(
                            let style = Style::of(stringify!($name), stringify!($field));
                            if !Field::is_silent($field, style) {
                                write!(f, " {}=", stringify!($field))?;
                                Field::show($field, style, f)?;
                            }
                        )*
                        Ok(())
                    })*
                }
            }
        }
    };
}

steps! { 'a;
    // --- Joining, forking, agreeing with the host ------------------------------------------------

    /// prctl(PR_SET_DUMPABLE, 0): from here on nobody in the container can ptrace init or read its
    /// /proc files (CVE-2016-9962).
    1 Undumpable {}
    /// setns(2) into the namespace of host descriptor `fd`; `kind` is its CLONE_NEW* flag. Or, if `fd` is a pidfd, into
    /// those namespaces of the process that the flags in `kind` name, all at once.
    2 JoinNamespace { fd: u32, kind: u32 }
    /// unshare(2).
    3 Unshare { flags: u32 }
    /// Waits for CGROUPS, and writes "0" to each descriptor that comes with it. The host sends it unasked, since it makes
    /// the cgroups while init is at work.
    15 JoinCgroups {}
    /// clone3(2) with CLONE_PARENT, CLONE_PIDFD and `flags`. The child goes on with the next step;
    /// the parent sends FORKED with the child's pid and pidfd, and exits with 0.
    5 Fork { flags: u64 }
    /// Forks, with `flags` for clone3(2), into the version 2 cgroup at host descriptor `cgroup` ([`fd::NONE`]: where it
    /// is). The child goes on with the next step. The parent becomes its supervisor: it sends SUPERVISED, leaves its
    /// session and its directory, closes all but host descriptor `exit`, and for each child that ends, be it this one or a
    /// second one that this one forked, writes an [`Ended`](crate::Ended) there. It exits with 0 when it has none.
    16 Supervise { exit: u32, cgroup: u32, flags: u64 }
    /// Sends REACHED with `point` and waits for the REPLY. If the host is gone, exits.
    6 Sync { point: u32 }
    /// setresgid(0), setgroups(empty) where permitted, setresuid(0): becomes root of a new user
    /// namespace. EPERM from setgroups(2) is ignored (setgroups is denied there). With `keep_groups` the groups stay.
    7 BecomeRoot { keep_groups: u32 }
    /// Writes `text` to `timens_offsets` of the calling process, by the `proc` register.
    8 TimeOffsets { text: &'a CStr }
    /// Brings up the interface `lo`.
    9 LoopbackUp {}
    /// sethostname(2).
    10 Hostname { name: &'a CStr }
    /// setdomainname(2).
    11 Domainname { name: &'a CStr }
    /// Makes a private, detached procfs of the current pid namespace (fsopen, fsmount) and keeps it as
    /// `proc`, closing an earlier one. Where that is not permitted, opens the one at /proc; either way fstatfs
    /// must say PROC_SUPER_MAGIC.
    12 OpenProc {}
    /// Writes `value` to `path` below the `proc` register with `RESOLVE_BENEATH | NO_SYMLINKS | NO_XDEV`.
    13 Sysctl { path: &'a CStr, value: &'a CStr }
    /// Writes `value` to `<own pid>/<path>` below the `proc` register (oom_score_adj, attr/exec …), as
    /// `Sysctl` does.
    14 ProcSelf { path: &'a CStr, value: &'a CStr }
    /// Joins the session keyring of this name, or makes it, and gives it `permissions` (keyctl(2)). A kernel without
    /// keys has nothing to join.
    42 SessionKeyring { name: &'a CStr, permissions: u32 }
    /// Sends NETWORK with a new rtnetlink(7) socket, and waits for the REPLY.
    43 NetSocket {}

    // --- Mounts -----------------------------------------------------------------------------------

    /// mount_setattr(2) on "/": `propagation` is one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE.
    20 RootPropagation { propagation: u32, recursive: u32 }
    /// A new filesystem into the `mount` register: fsopen, one fsconfig an option (`key=value` is a string,
    /// a bare `key` a flag), fsmount with the MOUNT_ATTR_* in `attrs`. `source` may be empty.
    /// On failure `value` is the index of the option (or -1), and the text is the kernel's own log.
    21 NewMount { fstype: &'a CStr, source: &'a CStr, options: Strings<'a>, attrs: u32 }
    /// open_tree(2) with OPEN_TREE_CLONE of the host path `path` into the `mount` register.
    22 CloneTree { path: &'a CStr, recursive: u32 }
    /// The same of host descriptor `fd`, which already is such a clone: only takes it over.
    23 CloneFd { fd: u32 }
    /// mount_setattr(2) on the `mount` register.
    25 MountAttr { set: u64, clear: u64, propagation: u32, recursive: u32 }
    /// Attaches the `mount` register to `target` inside the root; `flags` from [`attach`]. A missing target
    /// is made with its parents: directories 0755 for a directory, an empty file 0644 (parents 0755)
    /// for anything else. A dangling symbolic link in the way is followed inside the root. A target
    /// on procfs is refused (`Act::InsideProc`) unless INSIDE_PROC is set; ELOOP under
    /// NO_SYMLINKS is `Act::NotOrdinary`; a directory on anything else, or the other way round, is `Act::OnFile` or
    /// `Act::OnDirectory`.
    26 Attach { target: &'a CStr, flags: u32 }
    /// Attaches the `mount` register on top of "/" of this mount namespace and makes it the `root` register.
    27 SetRoot {}
    /// Attaches the `mount` register on the directory `path` of the host, in a mount namespace of our own, and makes it the
    /// `root` register.
    150 SetRootAt { path: &'a CStr }
    /// mount_setattr(2) on the mount at the `root` register itself.
    28 RootAttr { set: u64, clear: u64, propagation: u32, recursive: u32 }
    /// mkdir -p inside the root; existing directories stay as they are.
    29 Mkdir { path: &'a CStr, mode: u32 }
    /// An empty file 0644 inside the root, parents made; what is there stays as it is.
    151 Touch { path: &'a CStr }
    /// Sends DIRECTORY with the directory at `path` inside the root: so the host has a way to a mount of init's own namespace.
    152 ShowDirectory { path: &'a CStr }
    /// symlink(2) inside the root, parents made; an existing entry is left alone, but removed first
    /// with `replace`.
    30 Symlink { path: &'a CStr, target: &'a CStr, replace: u32 }
    /// mknod(2) inside the root, parents made. `mode` has type and permissions (umask does not count). An entry
    /// that exists must be the same device (`Act::WrongDevice`). Owner set if not 0:0.
    31 Device { path: &'a CStr, mode: u32, major: u32, minor: u32, uid: u32, gid: u32 }
    /// Hides `path` inside the root: a file under a bind mount of /dev/null (the host's, opened once before the
    /// root is changed, checked to be 1:3), a directory under an empty read-only tmpfs. Nothing
    /// there is nothing to do.
    32 Mask { path: &'a CStr }
    /// Makes `path` inside the root, and all mounted below it, read-only. Nothing there is nothing to do.
    33 ReadOnly { path: &'a CStr }
    /// A new terminal from the devpts inside the root: `dev/pts/ptmx` must be 5:2 on devpts; the peer is taken by
    /// TIOCGPTPEER. Size set unless 0; the peer chowned to `uid`; the master sent as CONSOLE; the peer
    /// kept as `tty`.
    34 Console { rows: u32, columns: u32, uid: u32 }
    /// Attaches the `tty` register's file to `dev/console` inside the root.
    35 AttachConsole {}
    /// pivot_root(2) to `root` with itself as the old root's place, then unmounts the old one. With `slave` the old
    /// tree is made a recursive slave first, so that the unmount stays here. Ends in "/".
    36 Pivot { slave: u32 }
    /// chroot(2) to `root` instead. Ends in "/".
    37 Chroot {}

    /// mount_setattr(2) on the mount whose root is at `path` inside the root; EINVAL if none is.
    38 InsideAttr { path: &'a CStr, set: u64, clear: u64, propagation: u32, recursive: u32 }
    /// Makes the root of the new filesystem in the `mount` register like the directory at `path` inside the root, as
    /// [`like`] says in `flags`. Content is copied with its owners, permissions, times and extended attributes but for
    /// the SELinux label; symbolic links as they are; of devices those that may be made. Nothing there is nothing to do.
    /// On failure the text is the name of the entry.
    39 Resemble { path: &'a CStr, flags: u32 }
    /// Other options for the filesystem of the mount whose root is at `path` inside the root: fspick, one fsconfig an
    /// option. On failure as `NewMount`.
    40 Reconfigure { path: &'a CStr, options: Strings<'a> }
    /// Sets the SELinux label of the root of the new filesystem in the `mount` register.
    41 Label { label: &'a CStr }
    /// As `NewMount` without options; where that is not permitted (EPERM), a clone of the host's `path` and of all that is
    /// mounted below it instead, all of it with `attrs` and read-only.
    140 NewMountOrClone { fstype: &'a CStr, source: &'a CStr, attrs: u32, path: &'a CStr }

    // --- Hooks --------------------------------------------------------------------------------------

    /// Host descriptor `fd`, a file with the state as JSON, becomes the `state` register.
    50 HookState { fd: u32 }
    /// Runs a program and waits: stdin is `state` from its start, stdout and stderr are read and the first
    /// TEXT_MAX bytes sent with a failure. `timeout_ms` of 0 is for ever. In a group of its
    /// own, all of which is killed at the timeout. `env` is all of its environment.
    51 RunHook { path: &'a CStr, args: Strings<'a>, env: Strings<'a>, timeout_ms: u64 }
    /// Sends HOOK_DONE and exits with 0.
    52 HooksDone {}

    // --- The process --------------------------------------------------------------------------------

    /// Arranges the descriptors: number i becomes a copy of host descriptor `list[i]`
    /// (or [`fd::TTY`]); all above the list become close-on-exec. The host sees to it that what init still
    /// needs is above the list.
    60 Fds { list: Numbers<'a> }
    /// setsid(2).
    61 Setsid {}
    /// ioctl(TIOCSCTTY) on `tty`.
    62 ControllingTty {}
    /// setrlimit(2), by prlimit64.
    63 Rlimit { resource: u32, soft: u64, hard: u64 }
    /// chdir(2), then getcwd(2), which must name a place inside the root (CVE-2024-21626).
    64 Cwd { path: &'a CStr }
    /// umask(2).
    65 Umask { mask: u32 }
    /// Drops from the bounding set what is not in `keep`.
    66 BoundingSet { keep: u64 }
    /// prctl(PR_SET_KEEPCAPS, 1).
    67 KeepCaps {}
    /// setgroups(2).
    68 Groups { list: Numbers<'a> }
    /// setresgid(2) and setresuid(2).
    69 User { uid: u32, gid: u32 }
    /// capset(2).
    70 Capabilities { effective: u64, permitted: u64, inheritable: u64 }
    /// Clears the ambient set, then raises `raise`.
    71 Ambient { raise: u64 }
    /// prctl(PR_SET_NO_NEW_PRIVS, 1).
    72 NoNewPrivileges {}
    /// seccomp(2), SECCOMP_SET_MODE_FILTER with `flags`; `program` is an array of struct sock_filter.
    73 Seccomp { flags: u32, program: &'a [u8] }
    /// The same with SECCOMP_FILTER_FLAG_NEW_LISTENER; sends LISTENER and waits for the REPLY. If the host is gone, exits.
    /// What the program does not let pass are only calls that are notified of, and never sendmsg(2).
    100 SeccompListener { flags: u32, program: &'a [u8] }
    /// Makes sure of the program before anyone waits for it: the first of `candidates` that is a regular file and
    /// executable for the effective user becomes the `program` register.
    74 FindProgram { candidates: Strings<'a> }
    /// Closes the control socket, then accepts connections on `gate` until one says START, and answers STARTED.
    /// From then on failures go over that connection, which closes on exec. The gate is closed. A file that comes with
    /// START is for the last word, as with `LastWord`.
    75 Gate {}
    /// fchown(2) of descriptors 0 to 2 to `uid`, so that a program that is not root can open /dev/stdout again. Not of
    /// /dev/null, which everybody shares; where the file cannot be chowned (EPERM, EINVAL, EROFS) it is left.
    77 StdioOwner { uid: u32 }
    /// Looks up the home directory of `uid` in the container's /etc/passwd, "/" if it is not there, and keeps `HOME=…` as
    /// `home` for `Exec`.
    78 Home { uid: u32 }
    /// Keeps `LISTEN_PID=…` with the own pid as `listen` for `Exec` (sd_listen_fds(3)).
    110 ListenPid {}
    /// Maps host descriptor `fd`, a file for a [`LastWord`](crate::LastWord), and closes it. From then on a failure is
    /// written there, and not sent.
    120 LastWord { fd: u32 }
    /// execve(2) of the program, with `home` and `listen` behind `env`. Right before it EXECUTING is the last word.
    76 Exec { candidates: Strings<'a>, args: Strings<'a>, env: Strings<'a> }
    /// sched_setattr(2), with the fields of struct sched_attr.
    80 Scheduler { policy: u32, flags: u64, nice: i32, priority: u32, runtime: u64, deadline: u64, period: u64 }
    /// ioprio_set(2) of the calling process; `value` has the class and the priority in it.
    81 IoPriority { value: u32 }
    /// sched_setaffinity(2); `cpus` is a bitmask, the lowest CPU first.
    82 Affinity { cpus: &'a [u8] }
    /// personality(2).
    83 Personality { value: u32 }
    /// set_mempolicy(2); `mode` has the MPOL_F_* in it, `nodes` is a bitmask, the lowest node first.
    84 MemoryPolicy { mode: u32, nodes: &'a [u8] }
}
