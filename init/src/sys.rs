// SPDX-License-Identifier: Apache-2.0
//! The system calls, as a table of typed functions over raw calls, and what goes into them: owned
//! descriptors, structures of the kernel's ABI, anonymous memory.

use core::ffi::CStr;
use core::mem::{ManuallyDrop, zeroed};
use core::ops::{Deref, DerefMut};

use linux_raw_sys::general::{
    __kernel_timespec, __user_cap_data_struct, __user_cap_header_struct, AT_EMPTY_PATH, AT_FDCWD, MAP_ANONYMOUS,
    MAP_PRIVATE, MAP_SHARED, O_CLOEXEC, PROT_READ, PROT_WRITE, STATX_BASIC_STATS, clone_args, kernel_sigaction,
    mount_attr, open_how, pollfd, rlimit64, statfs, statx, winsize,
};
use linux_raw_sys::net::{ifreq, msghdr};
use linux_raw_sys::ptrace::sock_fprog;
pub use syscalls::Errno;
use syscalls::{Sysno, syscall};

/// The result of a system call.
pub type Result<T> = core::result::Result<T, Errno>;

/// sched_setattr(2)
#[repr(C)]
#[allow(non_camel_case_types, missing_docs, reason = "the kernel's names, as the other structures have them")]
pub struct sched_attr {
    pub size: u32,
    pub sched_policy: u32,
    pub sched_flags: u64,
    pub sched_nice: i32,
    pub sched_priority: u32,
    pub sched_runtime: u64,
    pub sched_deadline: u64,
    pub sched_period: u64,
    pub sched_util_min: u32,
    pub sched_util_max: u32,
}

/// What can be the argument of a system call.
///
/// # Safety
/// The word must be a number that is no address, or the address of an object that lives through the
/// call, is as large as the call takes it to be, and may be written if the call writes it.
pub unsafe trait Word {
    /// The value for the register.
    fn word(self) -> usize;
}

/// What a system call can answer.
pub trait Answer {
    /// From the value that the kernel returned, which is no error.
    fn from_word(word: usize) -> Self;
}

/// A structure shared with the kernel, of integers and pointers, for which all zeros is a value.
///
/// # Safety
/// Exactly that.
pub unsafe trait Abi: Sized {
    /// The structure with all its fields zero.
    fn zeroed() -> Self {
        // SAFETY: all zeros is a value, by the contract of the trait.
        unsafe { zeroed() }
    }
}

macro_rules! words {
    ($($type:ty as $name:ident => $word:expr;)*) => {$(
        // SAFETY: a number, a descriptor, or a live NUL-terminated string or array, whose length goes with it.
        unsafe impl Word for $type {
            fn word(self) -> usize {
                let $name = self;
                $word
            }
        }
    )*};
}

words! {
    u32 as number => number as usize;
    isize as number => number as usize;
    u64 as number => number as usize;
    usize as number => number;
    &Fd as fd => fd.0 as usize;
    &CStr as text => text.as_ptr() as usize;
    Option<&CStr> as text => text.map_or(0, |text| text.as_ptr() as usize);
    &[usize] as words => words.as_ptr() as usize;
    &[u8] as bytes => bytes.as_ptr() as usize;
}

macro_rules! structures {
    ($($type:ty)*) => {$(
        // SAFETY: the kernel's own layout: integers and pointers.
        unsafe impl Abi for $type {}
        // SAFETY: a live structure of the size that its calls expect.
        unsafe impl Word for &$type {
            fn word(self) -> usize {
                core::ptr::from_ref(self) as usize
            }
        }
        // SAFETY: the same, and exclusive.
        unsafe impl Word for &mut $type {
            fn word(self) -> usize {
                core::ptr::from_mut(self) as usize
            }
        }
        // SAFETY: the same, or a null pointer.
        unsafe impl Word for Option<&$type> {
            fn word(self) -> usize {
                self.map_or(0, |value| value.word())
            }
        }
    )*};
}

structures! {
    i32 u64 __kernel_timespec __user_cap_header_struct [__kernel_timespec; 2] [__user_cap_data_struct; 2] clone_args ifreq kernel_sigaction
    mount_attr msghdr open_how [pollfd; 2] rlimit64 sched_attr sock_fprog statfs statx winsize
}

impl Answer for () {
    fn from_word(_: usize) {}
}

impl Answer for usize {
    fn from_word(word: usize) -> Self {
        word
    }
}

impl Answer for Fd {
    fn from_word(word: usize) -> Self {
        Self(word as i32)
    }
}

macro_rules! calls {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        #[doc = concat!(stringify!($name), "(2)")]
        pub fn $name($($argument: $type),*) -> Result<$answer> {
            // SAFETY: by the contract of `Word`, the kernel sees only live memory of the right size;
            // none of the calls in this table maps or unmaps memory, or shares it with a child.
            unsafe { syscall!(Sysno::$name $(, Word::word($argument))*) }.map(Answer::from_word)
        }
    )*};
}

calls! {
    fn accept4(listener: &Fd, address: usize, length: usize, flags: u32) -> Fd;
    fn capset(header: &__user_cap_header_struct, data: &[__user_cap_data_struct; 2]) -> ();
    fn chdir(path: &CStr) -> ();
    fn chroot(path: &CStr) -> ();
    fn clock_gettime(clock: u32, time: &mut __kernel_timespec) -> ();
    fn clone3(arguments: &mut clone_args, size: usize) -> usize;
    fn close_range(first: usize, last: u32, flags: u32) -> ();
    fn dup3(from: &Fd, to: usize, flags: u32) -> ();
    fn execve(path: &CStr, arguments: &[usize], environment: &[usize]) -> ();
    fn faccessat2(dir: &Fd, path: &CStr, mode: u32, flags: u32) -> ();
    fn fchdir(fd: &Fd) -> ();
    fn fchmodat(dir: &Fd, path: &CStr, mode: u32) -> ();
    fn fchownat(dir: &Fd, path: &CStr, uid: u32, gid: u32, flags: u32) -> ();
    fn fcntl(fd: &Fd, command: u32, value: usize) -> usize;
    fn fsconfig(fs: &Fd, command: u32, key: Option<&CStr>, value: Option<&CStr>, aux: u32) -> ();
    fn fsmount(fs: &Fd, flags: u32, attributes: u32) -> Fd;
    fn fsopen(name: &CStr, flags: u32) -> Fd;
    fn fspick(dir: &Fd, path: &CStr, flags: u32) -> Fd;
    fn fstatfs(fd: &Fd, status: &mut statfs) -> ();
    fn getpid() -> usize;
    fn ioprio_set(which: u32, who: u32, value: u32) -> ();
    fn keyctl(operation: u32, a: usize, b: usize) -> usize;
    fn kill(pid: isize, signal: u32) -> ();
    fn lseek(fd: &Fd, offset: u64, whence: u32) -> usize;
    fn mkdirat(dir: &Fd, path: &CStr, mode: u32) -> ();
    fn mknodat(dir: &Fd, path: &CStr, mode: u32, device: u32) -> ();
    fn mount_setattr(dir: &Fd, path: &CStr, flags: u32, attributes: &mount_attr, size: usize) -> ();
    fn move_mount(from: &Fd, from_path: &CStr, to: &Fd, to_path: &CStr, flags: u32) -> ();
    fn open_tree(dir: &Fd, path: &CStr, flags: u32) -> Fd;
    fn openat2(dir: &Fd, path: &CStr, how: &open_how, size: usize) -> Fd;
    fn personality(value: u32) -> ();
    fn pivot_root(new: &CStr, old: &CStr) -> ();
    fn ppoll(fds: &mut [pollfd; 2], count: usize, time: Option<&__kernel_timespec>, mask: usize, size: usize) -> usize;
    fn prctl(option: u32, a: u64, b: u64, c: u64, d: u64) -> usize;
    fn prlimit64(pid: u32, resource: u32, new: &rlimit64, old: usize) -> ();
    fn recvmsg(socket: &Fd, message: &mut msghdr, flags: u32) -> usize;
    fn rt_sigaction(signal: u32, new: &kernel_sigaction, old: usize, size: usize) -> ();
    fn rt_sigprocmask(how: u32, new: &u64, old: usize, size: usize) -> ();
    fn sched_setaffinity(pid: u32, size: usize, cpus: &[u8]) -> ();
    fn sched_setattr(pid: u32, attributes: &sched_attr, flags: u32) -> ();
    fn seccomp(operation: u32, flags: u32, program: &sock_fprog) -> usize;
    fn sendfile(to: &Fd, from: &Fd, offset: usize, count: usize) -> usize;
    fn sendmsg(socket: &Fd, message: &msghdr, flags: u32) -> usize;
    fn set_mempolicy(mode: u32, nodes: &[u8], bits: usize) -> ();
    fn setns(fd: &Fd, kind: u32) -> ();
    fn setpgid(pid: usize, group: usize) -> ();
    fn setresgid(real: u32, effective: u32, saved: u32) -> ();
    fn setresuid(real: u32, effective: u32, saved: u32) -> ();
    fn setsid() -> ();
    fn socket(family: u32, kind: u32, protocol: u32) -> Fd;
    fn symlinkat(target: &CStr, dir: &Fd, path: &CStr) -> ();
    fn umask(mask: u32) -> ();
    fn umount2(path: &CStr, flags: u32) -> ();
    fn unlinkat(dir: &Fd, path: &CStr, flags: u32) -> ();
    fn unshare(flags: u32) -> ();
    fn utimensat(dir: &Fd, path: &CStr, times: &[__kernel_timespec; 2], flags: u32) -> ();
    fn wait4(pid: usize, status: &mut i32, options: u32, usage: usize) -> usize;
}

/// ioctl(2)
pub fn ioctl(fd: &Fd, request: u32, argument: impl Word) -> Result<usize> {
    // SAFETY: by the contract of `Word`; each request is given the structure that it takes.
    unsafe { syscall!(Sysno::ioctl, fd.word(), request, argument.word()) }
}

/// statx(2) of an open file.
pub fn status(fd: &Fd) -> Result<statx> {
    status_at(fd, c"", AT_EMPTY_PATH)
}

/// statx(2)
pub fn status_at(dir: &Fd, path: &CStr, flags: u32) -> Result<statx> {
    let mut status = statx::zeroed();
    let buffer = (&mut status).word();
    // SAFETY: the path and the structure live through the call.
    unsafe { syscall!(Sysno::statx, dir.word(), path.word(), flags, STATX_BASIC_STATS, buffer) }?;
    Ok(status)
}

/// openat2(2) of a path of the host, or of the caller's own.
pub fn open(path: &CStr, flags: u32) -> Result<Fd> {
    let how = open_how { flags: (flags | O_CLOEXEC).into(), mode: 0, resolve: 0 };
    openat2(&CWD, path, &how, size_of::<open_how>())
}

/// write(2), which must take all of `bytes`.
pub fn write(fd: &Fd, bytes: &[u8]) -> Result<()> {
    // SAFETY: the bytes live through the call.
    match unsafe { syscall!(Sysno::write, fd.word(), bytes.as_ptr(), bytes.len()) }? {
        count if count == bytes.len() => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// fsetxattr(2)
pub fn set_attribute(fd: &Fd, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: the name and the value live through the call.
    unsafe { syscall!(Sysno::fsetxattr, fd.word(), name.word(), value.as_ptr(), value.len(), 0) }.map(drop)
}

/// sethostname(2)
pub fn sethostname(name: &CStr) -> Result<()> {
    // SAFETY: the bytes live through the call.
    unsafe { syscall!(Sysno::sethostname, name.as_ptr(), name.count_bytes()) }.map(drop)
}

/// setdomainname(2)
pub fn setdomainname(name: &CStr) -> Result<()> {
    // SAFETY: the bytes live through the call.
    unsafe { syscall!(Sysno::setdomainname, name.as_ptr(), name.count_bytes()) }.map(drop)
}

/// setgroups(2); `groups` are 32-bit numbers in the machine's order, of any alignment.
pub fn setgroups(groups: &[u8]) -> Result<()> {
    // SAFETY: the bytes live through the call.
    unsafe { syscall!(Sysno::setgroups, groups.len() / size_of::<u32>(), groups.as_ptr()) }.map(drop)
}

/// pipe2(2): the end to read and the end to write.
pub fn pipe() -> Result<(Fd, Fd)> {
    let mut ends = [-1i32; 2];
    // SAFETY: the array has room for the two descriptors.
    unsafe { syscall!(Sysno::pipe2, ends.as_mut_ptr(), O_CLOEXEC) }?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// Maps `length` bytes of `fd` for reading, until the process ends or executes something else.
pub fn map(fd: &Fd, length: usize) -> Result<&'static [u8]> {
    // SAFETY: a new mapping at a place of the kernel's choice touches no other memory.
    let address = unsafe { syscall!(Sysno::mmap, 0, length, PROT_READ, MAP_PRIVATE, fd.word(), 0) }?;
    // SAFETY: the mapping is never removed, and the file is sealed against being written or shrunk.
    Ok(unsafe { core::slice::from_raw_parts(address as *const u8, length) })
}

/// Maps `length` bytes of `fd`, which is as large, for reading and writing what others see.
pub fn map_shared(fd: &Fd, length: usize) -> Result<&'static mut [u8]> {
    let access = PROT_READ | PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice touches no other memory.
    let address = unsafe { syscall!(Sysno::mmap, 0, length, access, MAP_SHARED, fd.word(), 0) }?;
    // SAFETY: the mapping is never removed, the file is sealed against being shrunk, and others only read it, once this
    // process is gone.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut u8, length) })
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    // SAFETY: takes no memory.
    let _ = unsafe { syscall!(Sysno::exit_group, code) };
    // The container's filter denies it.
    // SAFETY: an instruction that there is not, of which the kernel kills even the first process of a pid namespace.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("ud2", options(noreturn, nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("udf #0", options(noreturn, nomem, nostack));
    }
}

/// A descriptor that is closed when it goes out of scope.
pub struct Fd(i32);

/// The working directory, as the base of a relative path.
pub static CWD: Fd = Fd(AT_FDCWD);

impl Fd {
    /// Takes over a descriptor of the host's.
    pub fn adopt(number: u32) -> Self {
        Self(number as i32)
    }

    /// Uses a descriptor of the host's without closing it.
    pub fn host(number: u32) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self(number as i32))
    }

    /// The number.
    pub fn number(&self) -> i32 {
        self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: takes no memory, and the descriptor is ours.
        let _ = unsafe { syscall!(Sysno::close, self.0) };
    }
}

/// Zeroed words in memory of their own: this program has no heap, and lists have any length.
pub struct Words {
    address: *mut usize,
    length: usize,
}

impl Words {
    /// Room for `length` words.
    pub fn new(length: usize) -> Result<Self> {
        let (bytes, access) = (length * size_of::<usize>(), PROT_READ | PROT_WRITE);
        // SAFETY: a new mapping at a place of the kernel's choice touches no other memory.
        let address = unsafe { syscall!(Sysno::mmap, 0, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS, -1isize, 0) }?;
        Ok(Self { address: address as *mut usize, length })
    }
}

impl Deref for Words {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        // SAFETY: the mapping is ours, as long as this, and zeroed.
        unsafe { core::slice::from_raw_parts(self.address, self.length) }
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [usize] {
        // SAFETY: as in `deref`, and borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.address, self.length) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows it any more.
        let _ = unsafe { syscall!(Sysno::munmap, self.address, self.length * size_of::<usize>()) };
    }
}
