// SPDX-License-Identifier: Apache-2.0
//! Starting a program from the middle of a large, threaded host: clone3(2) that shares memory until
//! execveat(2), so that it costs the same in a host of 8 GiB and touches nothing of the host.
//!
//! Between clone and exec the child runs on a stack of its own, with all signals blocked, and makes raw system
//! calls only: no allocation, no lock, no errno. It changes nothing that it shares with the host
//! through memory: no credentials, no oom_score_adj, no version 1 cgroup.

use std::arch::asm;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Enough for the child's few frames; untouched pages cost nothing.
const STACK: usize = 32 * 1024;

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What to start, and how.
pub struct Spawn<'a> {
    /// The program, by descriptor.
    pub program: BorrowedFd<'a>,
    /// Its arguments.
    pub args: &'a [&'a CStr],
    /// The descriptors that it keeps, under their own numbers; all others close.
    pub keep: &'a [RawFd],
    /// `CLONE_NEW*`.
    pub namespaces: u64,
    /// A version 2 cgroup to start in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A child of ours.
pub struct Child {
    /// Its pid in our pid namespace.
    pub pid: i32,
    /// What names it for sure.
    pub pidfd: OwnedFd,
}

/// struct clone_args of clone3(2).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What the child reads, and the one place it writes.
struct Errand {
    program: RawFd,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
    keep: *const RawFd,
    keep_len: usize,
    errno: isize,
}

impl Spawn<'_> {
    /// Starts it; returns once the program runs.
    pub fn run(&self) -> io::Result<Child> {
        let argv: Vec<_> = self.args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect();
        let envp = [std::ptr::null()];
        let mut errand = Errand {
            program: self.program.as_raw_fd(),
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            keep: self.keep.as_ptr(),
            keep_len: self.keep.len(),
            errno: 0,
        };
        let stack = Stack::new()?;
        let mut pidfd: RawFd = -1;
        let args = CloneArgs {
            flags: (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64
                | CLONE_CLEAR_SIGHAND
                | self.namespaces
                | if self.cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 },
            pidfd: (&raw mut pidfd) as u64,
            stack: stack.0 as u64,
            stack_size: STACK as u64,
            cgroup: self.cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64),
            ..CloneArgs::default()
        };

        let mask = block_signals();
        // SAFETY: the stack is ours alone and large enough; `child` never returns; the parent does not go
        // on before the child has left this memory (CLONE_VFORK), so that all it points to is alive.
        let pid = unsafe { clone3(&args, child, &mut errand) };
        restore_signals(mask);

        if pid < 0 {
            return Err(io::Error::from_raw_os_error(-pid as i32));
        }
        // SAFETY: the kernel stored a new descriptor there, with close-on-exec.
        let child = Child { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } };
        // SAFETY: `errand` is alive; the child wrote it through the shared memory behind the compiler's back.
        let errno = unsafe { (&raw const errand.errno).read_volatile() };
        if errno != 0 {
            super::pidfd::reap(&child.pidfd);
            return Err(io::Error::from_raw_os_error(errno as i32));
        }
        Ok(child)
    }
}

/// The other side: all closes but what is kept, then the program.
///
/// # Safety
/// `errand` and what it points to are alive until the execve.
unsafe extern "C" fn child(errand: *mut Errand) -> ! {
    // SAFETY: per contract; raw system calls on numbers and prepared memory only.
    unsafe {
        syscall([libc::SYS_close_range as usize, 0, u32::MAX as usize, libc::CLOSE_RANGE_CLOEXEC as usize, 0, 0]);
        for index in 0..(*errand).keep_len {
            let fd = *(*errand).keep.add(index);
            syscall([libc::SYS_fcntl as usize, fd as usize, libc::F_SETFD as usize, 0, 0, 0]);
        }
        let result = syscall([
            libc::SYS_execveat as usize,
            (*errand).program as usize,
            c"".as_ptr() as usize,
            (*errand).argv as usize,
            (*errand).envp as usize,
            libc::AT_EMPTY_PATH as usize,
        ]);
        (&raw mut (*errand).errno).write_volatile(-result);
        loop {
            syscall([libc::SYS_exit as usize, 127, 0, 0, 0, 0]);
        }
    }
}

/// A mapping for the child's stack.
struct Stack(*mut std::ffi::c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        // SAFETY: a new anonymous mapping touches nothing that exists.
        let memory = unsafe {
            mmap_anonymous(std::ptr::null_mut(), STACK, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        Ok(Self(memory))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and the child that ran on it has left.
        let _ = unsafe { munmap(self.0, STACK) };
    }
}

/// Blocks every signal of this thread, those of libc's threads too, which pthread_sigmask(3) would leave out.
fn block_signals() -> u64 {
    let (all, mut old) = (u64::MAX, 0u64);
    // SAFETY: two 8-byte masks of ours.
    unsafe {
        syscall([
            libc::SYS_rt_sigprocmask as usize,
            libc::SIG_BLOCK as usize,
            (&raw const all) as usize,
            (&raw mut old) as usize,
            size_of::<u64>(),
            0,
        ])
    };
    old
}

fn restore_signals(mask: u64) {
    // SAFETY: an 8-byte mask of ours.
    unsafe {
        syscall([
            libc::SYS_rt_sigprocmask as usize,
            libc::SIG_SETMASK as usize,
            (&raw const mask) as usize,
            0,
            size_of::<u64>(),
            0,
        ])
    };
}

/// clone3(2) with a stack for the child, on which it calls `entry(errand)`.
///
/// # Safety
/// As for the system call; `entry` must not return.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(args: &CloneArgs, entry: unsafe extern "C" fn(*mut Errand) -> !, errand: *mut Errand) -> isize {
    let result: isize;
    // SAFETY: per contract. The child gets here with its own stack pointer, aligned to 16 bytes.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") errand,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// As above.
///
/// # Safety
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(args: &CloneArgs, entry: unsafe extern "C" fn(*mut Errand) -> !, errand: *mut Errand) -> isize {
    let result: isize;
    // SAFETY: per contract. The child gets here with its own stack pointer, aligned to 16 bytes.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") (args as *const CloneArgs) => result,
            in("x1") size_of::<CloneArgs>(),
            in("x20") errand,
            in("x21") entry,
        );
    }
    result
}

/// A system call that leaves errno alone: the number and five arguments.
///
/// # Safety
/// As for the system call.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall([number, a, b, c, d, e]: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: per contract; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// As above.
///
/// # Safety
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall([number, a, b, c, d, e]: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: per contract; the kernel changes x0 only.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            options(nostack),
        );
    }
    result
}
