// SPDX-License-Identifier: Apache-2.0
//! The program that tells ranges apart decides as the one that compares number by number.

use libc::SECCOMP_RET_ALLOW;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AARCH64, NATIVE, RISCV64, X86, X86_64, large, run, section};
use crate::plan::seccomp::compile::{INSTRUCTION_SIZE, by_number, program};
use crate::plan::seccomp::ranges::merge;

/// Where the numbers of x32 start.
const X32: i64 = 0x4000_0000;

/// Numbers of all calls there are on any architecture, and around what is special.
fn numbers() -> impl Iterator<Item = i64> {
    let edges = [i64::from(i32::MAX), 1 << 31, i64::from(u32::MAX) - 1, i64::from(u32::MAX)];
    (0..620).chain(X32 - 2..X32 + 620).chain(edges)
}

fn assert_same(old: &[u8], new: &[u8]) {
    let values = [0, 1, 8, u64::from(u32::MAX), u64::MAX];
    for arch in [X86_64, X86, AARCH64, RISCV64, 0] {
        for number in numbers() {
            for value in values {
                let outcome = |program| run(program, arch, number, [value; 6]);
                assert_eq!(outcome(new), outcome(old), "{arch:#x} {number:#x} {value:#x}");
            }
        }
    }
}

#[test]
fn a_large_profile_gets_much_shorter() {
    let profile: Value = serde_json::from_str(include_str!("../../../../benches/seccomp.json")).unwrap();
    let profile = section(profile);
    let (old, new) = (by_number(&profile).unwrap(), program(&profile).unwrap());
    let instructions = |program: &[u8]| program.len() / INSTRUCTION_SIZE;
    assert!(instructions(&new) * 2 < instructions(&old), "{} of {}", instructions(&new), instructions(&old));
    assert_same(&old, &new);
    let old = by_number(&large()).unwrap();
    assert_same(&old, &program(&large()).unwrap());
}

#[test]
fn what_is_not_understood_stays() {
    let load = [0x20, 0, 0, 0, 0, 0, 0, 0];
    let done = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f];
    // Nothing gets shorter.
    assert_eq!(merge(&[load, done].concat()), None);
    // It goes on behind its end.
    assert_eq!(merge(&load), None);
    assert_eq!(merge(&[load, [0x15, 0, 9, 9, 1, 0, 0, 0], done].concat()), None);
    assert_eq!(merge(&[]), None);
    assert_eq!(run(&[load, done].concat(), NATIVE, 0, [0; 6]), SECCOMP_RET_ALLOW);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    /// Whatever calls are listed, for whatever architectures, and with conditions.
    #[test]
    fn no_profile_changes(
        chosen in prop::collection::vec(0..4_u8, 460),
        conditions in prop::collection::vec((0..460_i32, 0..7_usize, 0..3_u64, 0..4_u64), 0..12),
        architectures in 0..8_usize,
        allows in any::<bool>(),
    ) {
        const OPERATORS: [&str; 7] = [
            "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
            "SCMP_CMP_MASKED_EQ",
        ];
        let name = |number: i32| libseccomp::ScmpSyscall::from(number).get_name().ok();
        let names = |choice: u8| {
            let numbers = (0..).zip(&chosen).filter(move |(_, chosen)| **chosen == choice);
            numbers.filter_map(|(number, _)| name(number)).collect::<Vec<_>>()
        };
        let (default, other) = if allows { ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO") } else { ("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW") };
        let mut rules = vec![
            json!({ "names": names(0), "action": other }),
            json!({ "names": names(1), "action": "SCMP_ACT_LOG" }),
        ];
        for (number, operator, index, value) in conditions {
            // Those that have a rule already must not have another that says something else.
            if chosen[number as usize] > 1 && let Some(name) = name(number) {
                rules.push(json!({ "names": [name], "action": other,
                    "args": [{ "index": index, "value": value, "valueTwo": value, "op": OPERATORS[operator] }] }));
            }
        }
        let all = ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"];
        let list: Vec<_> = (0..3).filter(|bit| architectures >> bit & 1 != 0).map(|bit| all[bit]).collect();
        let profile = section(json!({ "defaultAction": default, "architectures": list, "syscalls": rules }));
        let Ok(old) = by_number(&profile) else { return Ok(()) };
        let new = merge(&old);
        if let Some(new) = &new {
            prop_assert!(new.len() < old.len());
            assert_same(&old, new);
        }
    }
}
