// SPDX-License-Identifier: Apache-2.0
//! A device policy as a BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE.
//!
//! The kernel calls it with a `struct bpf_cgroup_dev_ctx`: access and type in the halves of one word, then major
//! and minor. 1 lets the access through.

use super::devices::{ALL, Policy};
use crate::sys::bpf::Instruction;

// Registers: r1 is the context, r0 the result.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// Compiles a policy. Each exception is a block that is left at the first test that fails.
pub(super) fn program(policy: &Policy) -> Vec<Instruction> {
    let mut out = vec![
        load(TYPE, 0),
        copy(ACCESS, TYPE),
        and(TYPE, 0xffff),
        shift_right(ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for exception in &policy.exceptions {
        let mut tests = vec![unless_equal(TYPE, exception.kind as u32)];
        if exception.access != ALL {
            // An allowance must cover all of what is asked for (opening for "rw" needs both); to be denied, a part
            // of it is enough.
            let mask = if policy.allow { exception.access } else { ALL & !exception.access };
            tests.extend([copy(RESULT, ACCESS), and(RESULT, mask)]);
            tests.push(if policy.allow { if_equal(RESULT, 0) } else { unless_equal(RESULT, 0) });
        }
        tests.extend(exception.major.map(|major| unless_equal(MAJOR, major)));
        tests.extend(exception.minor.map(|minor| unless_equal(MINOR, minor)));
        let end = tests.len() + 2;
        for (index, test) in tests.iter_mut().enumerate().filter(|(_, test)| is_jump(test)) {
            test.offset = (end - index - 1) as i16;
        }
        out.extend(tests);
        out.extend(verdict(!policy.allow));
    }
    out.extend(verdict(policy.allow));
    out
}

fn verdict(allow: bool) -> [Instruction; 2] {
    [instruction(MOV_K, RESULT, 0, 0, allow.into()), instruction(EXIT, 0, 0, 0, 0)]
}

// Classes and operations of Documentation/bpf/standardization/instruction-set.rst; arithmetic and jumps on 32 bits.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const MOV_K: u8 = 0xb4;
pub(super) const MOV_X: u8 = 0xbc;
pub(super) const AND_K: u8 = 0x54;
pub(super) const RSH_K: u8 = 0x74;
pub(super) const JEQ_K: u8 = 0x16;
pub(super) const JNE_K: u8 = 0x56;
pub(super) const EXIT: u8 = 0x95;

fn load(to: u8, offset: i16) -> Instruction {
    instruction(LOAD_WORD, to, CONTEXT, offset, 0)
}

fn copy(to: u8, from: u8) -> Instruction {
    instruction(MOV_X, to, from, 0, 0)
}

fn and(register: u8, mask: u32) -> Instruction {
    instruction(AND_K, register, 0, 0, mask)
}

fn shift_right(register: u8, by: u32) -> Instruction {
    instruction(RSH_K, register, 0, 0, by)
}

/// Leaves the block if it is something else.
fn unless_equal(register: u8, value: u32) -> Instruction {
    instruction(JNE_K, register, 0, 0, value)
}

/// Leaves the block if it is this.
fn if_equal(register: u8, value: u32) -> Instruction {
    instruction(JEQ_K, register, 0, 0, value)
}

fn is_jump(instruction: &Instruction) -> bool {
    matches!(instruction.code, JEQ_K | JNE_K)
}

fn instruction(code: u8, to: u8, from: u8, offset: i16, value: u32) -> Instruction {
    Instruction { code, registers: to | from << 4, offset, value: value as i32 }
}
