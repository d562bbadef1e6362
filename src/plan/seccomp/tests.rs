// SPDX-License-Identifier: Apache-2.0
//! Programs are judged by what they do: an interpreter of classic BPF runs them.

mod cache;
mod notify;
mod ranges;

use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD};
use libc::{SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF};
use libseccomp::{ScmpArch, ScmpSyscall};
use oci_spec::runtime::{Arch, LinuxSeccomp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::bpf::NATIVE;
use super::*;
use crate::error::Kind;

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const RISCV64: u32 = 0xc000_00f3;

fn run(program: &[u8], arch: u32, number: i64, args: [u64; 6]) -> u32 {
    bpf::run(program, arch, number, args).expect("a program of the kernel's kind")
}

fn section(json: Value) -> LinuxSeccomp {
    serde_json::from_value(json).unwrap()
}

fn filter(json: Value) -> Result<Option<Filter>> {
    compile(&section(json.clone()), &json.to_string(), None)
}

fn program(json: Value) -> Vec<u8> {
    compile::program(&section(json)).unwrap()
}

fn number_on(name: &str, arch: ScmpArch) -> i64 {
    ScmpSyscall::from_name_by_arch(name, arch).unwrap().as_raw_syscall().into()
}

fn number(name: &str) -> i64 {
    number_on(name, ScmpArch::Native)
}

fn errno(errno: i32) -> u32 {
    SECCOMP_RET_ERRNO | errno as u32
}

#[test]
fn every_action_is_what_it_says() {
    for (action, errno_ret, expected) in [
        ("SCMP_ACT_KILL", None, SECCOMP_RET_KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", None, SECCOMP_RET_KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", None, SECCOMP_RET_KILL_PROCESS),
        ("SCMP_ACT_TRAP", None, SECCOMP_RET_TRAP),
        ("SCMP_ACT_ERRNO", None, errno(libc::EPERM)),
        ("SCMP_ACT_ERRNO", Some(0), errno(0)),
        ("SCMP_ACT_ERRNO", Some(38), errno(libc::ENOSYS)),
        ("SCMP_ACT_TRACE", None, SECCOMP_RET_TRACE | 1),
        ("SCMP_ACT_TRACE", Some(7), SECCOMP_RET_TRACE | 7),
        ("SCMP_ACT_LOG", None, SECCOMP_RET_LOG),
        ("SCMP_ACT_NOTIFY", None, SECCOMP_RET_USER_NOTIF),
    ] {
        let rule = json!({ "names": ["getpid"], "action": action, "errnoRet": errno_ret });
        let as_rule = program(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }));
        assert_eq!(run(&as_rule, NATIVE, number("getpid"), [0; 6]), expected, "{action}");
        assert_eq!(run(&as_rule, NATIVE, number("getppid"), [0; 6]), SECCOMP_RET_ALLOW, "{action}");

        let rule = json!({ "names": ["getpid", "setns"], "action": "SCMP_ACT_ALLOW" });
        let as_default = program(json!({ "defaultAction": action, "defaultErrnoRet": errno_ret, "syscalls": [rule] }));
        assert_eq!(run(&as_default, NATIVE, number("getpid"), [0; 6]), SECCOMP_RET_ALLOW, "{action}");
        assert_eq!(run(&as_default, NATIVE, number("getppid"), [0; 6]), expected, "{action}");
    }
}

#[test]
fn every_operator_compares_all_64_bits() {
    const BIG: u64 = 1 << 40 | 5;
    for (operator, matching, other) in [
        ("SCMP_CMP_NE", &[0, 4, 6, 5, BIG + 1][..], &[BIG][..]),
        ("SCMP_CMP_LT", &[0, 6, BIG - 1], &[BIG, BIG + 1, u64::MAX]),
        ("SCMP_CMP_LE", &[0, 6, BIG], &[BIG + 1, u64::MAX]),
        ("SCMP_CMP_EQ", &[BIG], &[5, 0, 1 << 40, BIG + 1]),
        ("SCMP_CMP_GE", &[BIG, BIG + 1, u64::MAX], &[6, BIG - 1]),
        ("SCMP_CMP_GT", &[BIG + 1, u64::MAX], &[6, BIG]),
    ] {
        let rule = json!({
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 3, "value": BIG, "op": operator }],
        });
        let program = program(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] }));
        let with = |value| run(&program, NATIVE, number("personality"), [9, 9, 9, value, 9, 9]);
        for value in matching {
            assert_eq!(with(*value), SECCOMP_RET_ALLOW, "{operator} {value}");
        }
        for value in other {
            assert_eq!(with(*value), errno(libc::EPERM), "{operator} {value}");
        }
    }
}

#[test]
fn a_mask_is_the_value_and_what_it_gives_the_second() {
    // Like the rule for clone(2) of usual profiles: no new namespaces.
    let mask = json!({ "index": 0, "value": 0x7e02_0000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" });
    let rule = json!({ "names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [mask] });
    let program = program(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] }));
    assert_eq!(run(&program, NATIVE, number("clone"), [0x0001_0f00, 0, 0, 0, 0, 0]), SECCOMP_RET_ALLOW);
    assert_eq!(run(&program, NATIVE, number("clone"), [0x1000_0000, 0, 0, 0, 0, 0]), errno(libc::EPERM));
}

#[test]
fn conditions_on_different_arguments_are_all_needed_and_on_the_same_one_enough() {
    let equal = |index, value| json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    let filter = |args: Value| {
        let rule = json!({ "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": args });
        program(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] }))
    };
    let allowed = |program: &[u8], args| run(program, NATIVE, number("socket"), args) == SECCOMP_RET_ALLOW;

    let both = filter(json!([equal(0, 1), equal(1, 2)]));
    assert!(allowed(&both, [1, 2, 0, 0, 0, 0]));
    assert!(!allowed(&both, [1, 3, 0, 0, 0, 0]));
    assert!(!allowed(&both, [0, 2, 0, 0, 0, 0]));

    let either = filter(json!([equal(0, 1), equal(0, 2)]));
    assert!(allowed(&either, [1, 0, 0, 0, 0, 0]));
    assert!(allowed(&either, [2, 0, 0, 0, 0, 0]));
    assert!(!allowed(&either, [3, 0, 0, 0, 0, 0]));
}

#[test]
fn each_architecture_has_its_own_numbers() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
        "syscalls": [{ "names": ["getpid", "openat2"], "action": "SCMP_ACT_ALLOW" }],
    }));
    for (token, arch) in
        [(X86_64, ScmpArch::X8664), (X86, ScmpArch::X86), (X86_64, ScmpArch::X32), (AARCH64, ScmpArch::Aarch64)]
    {
        let (allowed, denied) = (number_on("getpid", arch), number_on("mkdirat", arch));
        assert_eq!(run(&program, token, allowed, [0; 6]), SECCOMP_RET_ALLOW, "{arch:?}");
        assert_eq!(run(&program, token, denied, [0; 6]), errno(libc::EPERM), "{arch:?}");
    }
    // Not in the list: killed, whatever the profile says.
    assert_eq!(run(&program, RISCV64, number_on("getpid", ScmpArch::Riscv64), [0; 6]), SECCOMP_RET_KILL_THREAD);
}

#[test]
fn the_native_architecture_is_always_there() {
    let foreign = if NATIVE == X86_64 { "SCMP_ARCH_AARCH64" } else { "SCMP_ARCH_X86_64" };
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [foreign],
        "syscalls": [{ "names": ["getpid"], "action": "SCMP_ACT_ALLOW" }],
    }));
    assert_eq!(run(&program, NATIVE, number("getpid"), [0; 6]), SECCOMP_RET_ALLOW);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let filter = |action: &str, errno: Option<i32>| {
        program(json!({
            "defaultAction": action,
            "defaultErrnoRet": errno,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
            "syscalls": [{ "names": ["getpid", "close_range", "no_such_call"], "action": "SCMP_ACT_ALLOW" }],
        }))
    };
    for (token, arch) in
        [(X86_64, ScmpArch::X8664), (X86, ScmpArch::X86), (X86_64, ScmpArch::X32), (AARCH64, ScmpArch::Aarch64)]
    {
        let newest = number_on("close_range", arch);
        let outcome = |program: &[u8], number| run(program, token, number, [0; 6]);
        let program = filter("SCMP_ACT_ERRNO", Some(libc::EACCES));
        assert_eq!(outcome(&program, newest), SECCOMP_RET_ALLOW, "{arch:?}");
        assert_eq!(outcome(&program, newest - 1), errno(libc::EACCES), "{arch:?}");
        for newer in [newest + 1, newest + 1000] {
            assert_eq!(outcome(&program, newer), errno(libc::ENOSYS), "{arch:?}");
            assert_eq!(outcome(&filter("SCMP_ACT_KILL_PROCESS", None), newer), SECCOMP_RET_KILL_PROCESS, "{arch:?}");
        }
    }
}

#[test]
fn what_does_not_compile_says_where() {
    let endian = if cfg!(target_endian = "little") { "SCMP_ARCH_S390X" } else { "SCMP_ARCH_X86_64" };
    let error = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_NATIVE", endian],
        "syscalls": [{ "names": ["getpid"], "action": "SCMP_ACT_ALLOW" }],
    }))
    .unwrap_err();
    assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Unsupported, Some("/linux/seccomp/architectures/1")));
}

#[test]
fn flags_are_those_of_the_list() {
    for (flags, for_errno, for_notify) in [
        (json!(null), 4, 4),
        (json!([]), 0, 0),
        (json!(["SECCOMP_FILTER_FLAG_LOG"]), 2, 2),
        (json!(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), 0, 32),
        (json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), 6, 6),
    ] {
        for (action, expected) in [("SCMP_ACT_ERRNO", for_errno), ("SCMP_ACT_NOTIFY", for_notify)] {
            let rule = json!([{ "names": ["getpid"], "action": action }]);
            let json = json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": flags, "syscalls": rule });
            assert_eq!(filter(json).unwrap().unwrap().flags, expected, "{flags} {action}");
        }
    }
}

#[test]
fn nothing_to_filter_is_no_filter() {
    for json in
        [json!({ "defaultAction": "SCMP_ACT_ALLOW" }), json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [] })]
    {
        assert_eq!(filter(json).unwrap(), None);
    }
    let deny = json!({ "defaultAction": "SCMP_ACT_ERRNO" });
    let filter = filter(deny).unwrap().unwrap();
    assert_eq!(run(&filter.program, NATIVE, number("getpid"), [0; 6]), errno(libc::EPERM));
}

/// A usual profile: hundreds of names, a few with conditions.
fn large() -> LinuxSeccomp {
    let names: Vec<_> = (0..460)
        .filter(|number| number % 3 != 0)
        .filter_map(|number| ScmpSyscall::from(number).get_name().ok())
        .filter(|name| name != "personality")
        .collect();
    assert!(names.len() > 150);
    let exact = |value: u64| {
        json!({ "names": ["personality"], "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 0, "value": value, "op": "SCMP_CMP_EQ" }] })
    };
    section(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }, exact(0), exact(8), exact(0xffff_ffff)],
    }))
}

#[test]
fn a_large_profile_decides_call_by_call() {
    let profile = large();
    let program = compile::program(&profile).unwrap();
    let names = profile.syscalls().as_ref().unwrap()[0].names();
    let newest = names.iter().map(|name| number(name)).max().unwrap();
    for call in 0..500_i64 {
        let name = ScmpSyscall::from(call as i32).get_name().unwrap_or_default();
        let expected = match () {
            () if names.contains(&name) || name == "personality" => SECCOMP_RET_ALLOW,
            () if call > newest => errno(libc::ENOSYS),
            () => errno(libc::EPERM),
        };
        assert_eq!(run(&program, NATIVE, call, [8, 0, 0, 0, 0, 0]), expected, "{call} {name}");
    }
    assert_eq!(run(&program, NATIVE, number("personality"), [9, 0, 0, 0, 0, 0]), errno(libc::EPERM));
}

/// Conditions: argument to operator, value, second value.
type Conditions = std::collections::BTreeMap<usize, (usize, u64, u64)>;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What happens to a call is the action of a rule that holds, and the default if none does.
    #[test]
    fn every_rule_counts(
        rules in prop::collection::vec(
            (
                0..4_usize,
                prop::collection::btree_map(0..3_usize, (0..7_usize, 0..4_u64, 0..4_u64), 0..4),
                0..6_usize,
            ),
            1..8,
        ),
        calls in prop::collection::vec((0..4_usize, prop::array::uniform3(0..5_u64)), 40),
    ) {
        const NAMES: [&str; 4] = ["getpid", "mkdirat", "ioctl", "fchmodat"];
        const OPERATORS: [&str; 7] = [
            "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
            "SCMP_CMP_MASKED_EQ",
        ];
        // Mostly the first, as two of the same conditions must not contradict each other.
        const ACTIONS: [(&str, u32); 3] = [
            ("SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW),
            ("SCMP_ACT_LOG", SECCOMP_RET_LOG),
            ("SCMP_ACT_TRAP", SECCOMP_RET_TRAP),
        ];
        let action = |choice: usize| ACTIONS[choice.saturating_sub(3)];
        let rule = |(name, conditions, choice): &(usize, Conditions, usize)| {
            let args: Vec<_> = conditions
                .iter()
                .map(|(index, (operator, value, second))| {
                    json!({ "index": index, "value": value, "valueTwo": value & second, "op": OPERATORS[*operator] })
                })
                .collect();
            json!({ "names": [NAMES[*name]], "action": action(*choice).0, "args": args })
        };
        let syscalls: Vec<_> = rules.iter().map(rule).collect();
        let compiled = compile::program(&section(json!({
            "defaultAction": "SCMP_ACT_KILL_PROCESS",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
            "syscalls": syscalls,
        })));
        let program = match compiled {
            Err(error) if error.message.ends_with("another rule says something else") => return Ok(()),
            compiled => compiled.unwrap(),
        };
        for (call, args) in calls {
            let holds = |(index, (operator, value, second)): (&usize, &(usize, u64, u64))| match operator {
                0 => args[*index] != *value,
                1 => args[*index] < *value,
                2 => args[*index] <= *value,
                3 => args[*index] == *value,
                4 => args[*index] >= *value,
                5 => args[*index] > *value,
                _ => args[*index] & value == value & second,
            };
            let mut allowed: Vec<_> = rules
                .iter()
                .filter(|(name, conditions, _)| *name == call && conditions.iter().all(holds))
                .map(|(.., choice)| action(*choice).1)
                .collect();
            if allowed.is_empty() {
                allowed.push(SECCOMP_RET_KILL_PROCESS);
            }
            let [a, b, c] = args;
            for (token, arch) in [(X86_64, ScmpArch::X8664), (X86, ScmpArch::X86), (AARCH64, ScmpArch::Aarch64)] {
                let outcome = run(&program, token, number_on(NAMES[call], arch), [a, b, c, 0, 0, 0]);
                prop_assert!(allowed.contains(&outcome), "{:?} {} {:?} {:#x}", arch, NAMES[call], args, outcome);
            }
        }
    }
}

#[test]
fn rules_that_libseccomp_cannot_merge_are_kept_apart() {
    let condition = |index, operator, value| json!({ "index": index, "value": value, "op": operator });
    // Two that 2.5 loses, or never comes back from.
    let rules = [
        json!([condition(0, "SCMP_CMP_NE", 0)]),
        json!([condition(0, "SCMP_CMP_NE", 1), condition(2, "SCMP_CMP_LT", 0)]),
    ];
    let deny = |args: &Value| json!({ "names": ["fchmodat"], "action": "SCMP_ACT_ERRNO", "args": args });
    let filter = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules.each_ref().map(deny) });
    let program = program(filter);
    let outcome = |args| run(&program, NATIVE, number("fchmodat"), args);
    assert_eq!(outcome([2, 0, 0, 0, 0, 0]), errno(libc::EPERM));
    assert_eq!(outcome([0, 0, 0, 0, 0, 0]), SECCOMP_RET_ALLOW);
}

#[test]
fn all_architectures_have_a_name_for_libseccomp() {
    for arch in [Arch::ScmpArchX86_64, Arch::ScmpArchM68k, Arch::ScmpArchSheb, Arch::ScmpArchMipsel64n32] {
        assert_eq!(arch.to_string().parse::<ScmpArch>().unwrap(), compile::architecture(arch));
    }
}
