// SPDX-License-Identifier: Apache-2.0
//! brig's init: the only code of brig that runs inside a container. It executes a plan (`brig_wire`),
//! step by step, with raw system calls, and becomes the container's program.
//!
//! No libc, no heap, no formatting: what stands here stands in every container that waits to be
//! started, and each page of it costs a fault in every start.

#![no_std]
#![no_main]
#![no_builtins]

mod buffer;
mod console;
mod control;
mod copy;
mod execute;
mod file;
mod gate;
mod home;
mod hook;
mod memory;
mod mount;
mod namespace;
mod process;
mod resolve;
mod supervise;
mod sys;

use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use brig_wire::{Act, Header};
use linux_raw_sys::general::{_NSIG, SIG_SETMASK, SIGKILL, SIGSTOP, kernel_sigaction};

use crate::control::{Failure, fail};
use crate::execute::Init;
use crate::sys::{Abi, Errno, Fd, exit};

/// The exit status of an init that was not started by brig, or is broken.
const BROKEN: i32 = 125;

// The kernel enters with the arguments on the stack, and no return address.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    start = sym start,
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl {start}",
    start = sym start,
);

/// Called by `_start` with the initial stack: the count of the arguments, then their pointers.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel's layout of the initial stack (execve(2)): argc, argv[0] … argv[argc] = NULL.
    let argument = |index: usize| unsafe {
        let string = (index < stack.read()).then(|| stack.add(1 + index).read() as *const c_char)?;
        number(CStr::from_ptr(string).to_bytes())
    };
    let (Some(plan), Some(channel)) = (argument(1), argument(2)) else { exit(BROKEN) };
    reset();
    run(Fd::adopt(plan), Init::new(Fd::adopt(channel)))
}

/// A decimal number.
fn number(text: &[u8]) -> Option<u32> {
    (!text.is_empty()).then_some(())?;
    text.iter().try_fold(0u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Takes back what a process inherits: dispositions (SIG_IGN survives even CLONE_CLEAR_SIGHAND), the
/// signal mask, the umask.
fn reset() {
    for signal in (1..=_NSIG).filter(|signal| ![SIGKILL, SIGSTOP].contains(signal)) {
        let _ = sys::rt_sigaction(signal, &kernel_sigaction::zeroed(), 0, size_of::<u64>());
    }
    let _ = sys::rt_sigprocmask(SIG_SETMASK, &0, 0, size_of::<u64>());
    let _ = sys::umask(0);
}

fn run(plan: Fd, mut init: Init) -> ! {
    let Some((header, plan)) = open(plan) else { give_up(&mut init, Failure::new(Act::Malformed, Errno::EINVAL)) };
    for (index, step) in brig_wire::steps(plan) {
        init.step = index;
        init.text.truncate(0);
        let done = match index == header.fail_at {
            true => Err(Failure::new(Act::Fault, Errno::EIO)),
            false => init.execute(step),
        };
        if let Err(failure) = done {
            give_up(&mut init, failure);
        }
    }
    if init.step + 1 != header.steps {
        give_up(&mut init, Failure::new(Act::Malformed, Errno::EINVAL));
    }
    exit(0)
}

/// Maps the plan.
fn open(plan: Fd) -> Option<(Header, &'static [u8])> {
    let size = sys::status(&plan).ok()?.stx_size as usize;
    let plan = sys::map(&plan, size).ok()?;
    let header = Header::decode(plan)?;
    (header.length as usize == size).then_some((header, plan))
}

fn give_up(init: &mut Init, failure: Failure) -> ! {
    fail(init.channel.as_ref(), init.last_word.as_mut(), init.step, failure, init.text.bytes())
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    exit(BROKEN)
}
