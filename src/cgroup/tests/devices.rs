// SPDX-License-Identifier: Apache-2.0
//! Device rules: what they reduce to, and that the BPF program does the same.

use oci_spec::runtime::LinuxDeviceCgroup;
use proptest::prelude::*;

use super::super::devices::{ALL, Access, MKNOD, Policy, READ, Type, WRITE};
use super::super::filter;
use crate::error::{Error, Kind};
use crate::sys::bpf::Instruction;

fn policy(json: &str) -> Result<Policy, Error> {
    Policy::new(&serde_json::from_str::<Vec<LinuxDeviceCgroup>>(json).unwrap())
}

fn listed(policy: &Policy) -> Vec<String> {
    policy.exceptions.iter().map(ToString::to_string).collect()
}

/// What a policy says, by itself: an allowance must cover the whole access, a denial any part of it.
fn permits(policy: &Policy, kind: Type, major: u32, minor: u32, access: Access) -> bool {
    let hit = policy.exceptions.iter().any(|one| {
        one.kind == kind
            && one.major.is_none_or(|number| number == major)
            && one.minor.is_none_or(|number| number == minor)
            && if policy.allow { one.access & access != 0 } else { access & !one.access == 0 }
    });
    hit != policy.allow
}

/// Interprets the few instructions that programs are made of; panics at any other, and at a jump out of the program.
fn execute(program: &[Instruction], kind: Type, major: u32, minor: u32, access: Access) -> bool {
    let context = [access << 16 | kind as u32, major, minor];
    let mut registers = [0u32; 11];
    let mut at = 0;
    for _ in 0..program.len() {
        let Instruction { code, registers: pair, offset, value } = program[at];
        let (to, from, value) = (usize::from(pair & 15), usize::from(pair >> 4), value as u32);
        at += 1;
        match code {
            filter::LOAD_WORD => registers[to] = context[usize::try_from(offset).unwrap() / 4],
            filter::MOV_K => registers[to] = value,
            filter::MOV_X => registers[to] = registers[from],
            filter::AND_K => registers[to] &= value,
            filter::RSH_K => registers[to] >>= value,
            filter::JEQ_K if registers[to] == value => at += usize::try_from(offset).unwrap(),
            filter::JNE_K if registers[to] != value => at += usize::try_from(offset).unwrap(),
            filter::JEQ_K | filter::JNE_K => {}
            filter::EXIT => return registers[0] == 1,
            _ => panic!("instruction {code:#x}"),
        }
    }
    panic!("no exit");
}

#[test]
fn without_rules_the_defaults_are_allowed() {
    let defaults = [
        "b *:* m",
        "c *:* m",
        "c 1:3 rwm",
        "c 1:5 rwm",
        "c 1:7 rwm",
        "c 1:8 rwm",
        "c 1:9 rwm",
        "c 5:0 rwm",
        "c 5:2 rwm",
        "c 136:* rwm",
    ];
    let empty = policy("[]").unwrap();
    assert!(!empty.allow);
    assert_eq!(listed(&empty), defaults);
    assert_eq!(policy(r#"[{"allow": false, "access": "rwm"}]"#).unwrap(), empty);
}

#[test]
fn a_privileged_container_may_do_everything() {
    let all = policy(r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "a", "access": "rwm"}]"#).unwrap();
    assert!(all.allow && all.exceptions.is_empty());
    assert_eq!(policy(r#"[{"allow": true, "major": -1, "minor": -1}]"#).unwrap(), all);
    assert!(execute(&filter::program(&all), Type::Block, 8, 0, ALL));
}

#[test]
fn later_rules_win() {
    let fuse = policy(
        r#"[{"allow": false}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "wm"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "m"}]"#,
    )
    .unwrap();
    assert!(listed(&fuse).contains(&"c 10:229 rw".to_owned()));
    let none = policy(
        r#"[{"allow": true, "type": "b", "major": 8, "minor": 1, "access": "rw"}, {"allow": false, "type": "b", "major": 8}]"#,
    );
    assert_eq!(listed(&none.unwrap()), listed(&policy("[]").unwrap()), "a wider rule takes the narrower back");
}

#[test]
fn all_but_a_few() {
    let but = policy(r#"[{"allow": true}, {"allow": false, "type": "b", "major": 8, "access": "w"}]"#).unwrap();
    assert!(but.allow);
    let program = filter::program(&but);
    assert!(execute(&program, Type::Block, 8, 3, READ) && execute(&program, Type::Block, 7, 3, READ | WRITE));
    assert!(!execute(&program, Type::Block, 8, 3, READ | WRITE), "a part of the access is denied");
}

#[test]
fn a_type_of_a_with_numbers_means_both_types() {
    let both = policy(r#"[{"allow": true, "type": "a", "major": 7, "access": "r"}]"#).unwrap();
    assert!(permits(&both, Type::Block, 7, 1, READ) && permits(&both, Type::Char, 7, 1, READ));
}

#[test]
fn holes_and_nonsense_are_refused_with_a_pointer() {
    for (json, pointer) in [
        (
            r#"[{"allow": false}, {"allow": true, "type": "b", "access": "rw"}, {"allow": false, "type": "b", "major": 8, "minor": 0}]"#,
            "/linux/resources/devices/2",
        ),
        (r#"[{"allow": true, "type": "c", "major": -2}]"#, "/linux/resources/devices/0/major"),
        (r#"[{"allow": true, "type": "c", "minor": 4294967296}]"#, "/linux/resources/devices/0/minor"),
        (r#"[{"allow": true, "type": "c", "access": "rx"}]"#, "/linux/resources/devices/0/access"),
        (r#"[{"allow": true, "type": "p"}]"#, "/linux/resources/devices/0/type"),
        (r#"[{"allow": true}, {"allow": false, "type": "c", "access": "r"}]"#, "/linux/resources/devices"),
    ] {
        let error = policy(json).unwrap_err();
        assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Config, Some(pointer)), "{}", error.message);
    }
}

proptest! {
    /// Whatever the rules, the program permits what the policy permits; and the last rule about all devices of a
    /// type and number decides about an access that it names wholly, unless the defaults do.
    #[test]
    fn program_and_policy_agree(
        rules in prop::collection::vec((any::<bool>(), 0..3usize, 0..4i64, 0..4i64, 1..8u32), 0..8),
        probes in prop::collection::vec((any::<bool>(), 0..4u32, 0..4u32, 1..8u32), 1..30),
    ) {
        let rules: Vec<_> = rules.iter().map(|&(allow, kind, major, minor, access)| {
            let letters: String = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')].iter().filter(|(bit, _)| access & bit != 0).map(|(_, l)| *l).collect();
            // 3 stands for any number.
            let wild = |number: i64| if number == 3 { -1 } else { number };
            serde_json::json!({"allow": allow, "type": (["a", "b", "c"][kind]), "major": wild(major), "minor": wild(minor), "access": letters})
        }).collect();
        if let Ok(policy) = policy(&serde_json::Value::from(rules).to_string()) {
            let program = filter::program(&policy);
            for (block, major, minor, access) in probes {
                let kind = if block { Type::Block } else { Type::Char };
                prop_assert_eq!(execute(&program, kind, major, minor, access), permits(&policy, kind, major, minor, access));
            }
        }
    }
}
