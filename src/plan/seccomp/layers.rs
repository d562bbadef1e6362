// SPDX-License-Identifier: Apache-2.0
//! Several filters made one, since libseccomp cannot be trusted with every set of rules.
//!
//! It merges the rules of a system call into one tree of comparisons. Where several rules have several conditions, and
//! not all of these are for equality, 2.5 gets it wrong: rules are lost behind others (a rule that denies, too), or
//! it never returns. (Seen with two rules such as `arg0 != 0` and `arg0 != 1 && arg2 < 0`.) So rules that must not meet
//! go to different filters, layers, and a layer that has no rule for a call jumps to the next one.
//! Hardly any profile needs a second layer.

use std::collections::HashMap;

use libseccomp::{ScmpAction, ScmpArgCompare};

use super::compile::INSTRUCTION_SIZE;

/// A rule as libseccomp takes it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The number of the system call, here.
    pub syscall: i32,
    /// What is done.
    pub action: ScmpAction,
    /// All of them are needed.
    pub conditions: Vec<ScmpArgCompare>,
    /// Whether all conditions are for equality, of some bits at least.
    pub equal: bool,
    /// Where it comes from: the entry of `syscalls` and the name in it.
    pub entry: usize,
    /// See `entry`.
    pub name: usize,
}

/// Distributes the rules. There is at least one layer.
pub fn split(rules: Vec<Rule>) -> Vec<Vec<Rule>> {
    // A rule without a condition leaves nothing to the others of its call: they cannot be seen.
    let mut decided: HashMap<i32, bool> = HashMap::new();
    for rule in &rules {
        *decided.entry(rule.syscall).or_default() |= rule.conditions.is_empty();
    }
    let mut layers: Vec<Vec<Rule>> = vec![Vec::new()];
    for rule in rules {
        if decided[&rule.syscall] {
            if rule.conditions.is_empty() {
                layers[0].push(rule);
            }
            continue;
        }
        match layers.iter().position(|layer| may_meet(layer, &rule)) {
            Some(place) => layers[place].push(rule),
            None => layers.push(vec![rule]),
        }
    }
    layers
}

/// Whether libseccomp gets `rule` right together with those of the same call in `layer`: if it is alone, if none of
/// them has more than one condition, or if all are for equality.
fn may_meet(layer: &[Rule], rule: &Rule) -> bool {
    let others = || layer.iter().filter(|other| other.syscall == rule.syscall);
    let single = |rule: &Rule| rule.conditions.len() <= 1;
    others().next().is_none() || single(rule) && others().all(single) || rule.equal && others().all(|other| other.equal)
}

/// An action that no rule has, for "this layer has nothing to say".
pub fn undecided(rules: &[Rule]) -> ScmpAction {
    let unused = |action: &ScmpAction| rules.iter().all(|rule| rule.action != *action);
    (0..=u16::MAX).rev().map(ScmpAction::Trace).find(unused).unwrap_or(ScmpAction::Trace(0))
}

/// Makes a program go on behind its end instead of returning `undecided`.
pub fn fall_through(program: &mut [u8], undecided: ScmpAction) {
    let ScmpAction::Trace(data) = undecided else { return };
    let decision = libc::SECCOMP_RET_TRACE | u32::from(data);
    let returns: [u8; INSTRUCTION_SIZE] = instruction(op::RETURN, 0, 0, decision);
    let (instructions, _) = program.as_chunks_mut::<INSTRUCTION_SIZE>();
    for (behind, place) in instructions.iter_mut().rev().enumerate() {
        if *place == returns {
            *place = instruction(op::JUMP, 0, 0, behind as u32);
        }
    }
}

/// Instructions of linux/bpf_common.h.
pub mod op {
    /// Loads 32 bits of struct seccomp_data.
    pub const LOAD: u16 = 0x20;
    /// Skips `value` instructions.
    pub const JUMP: u16 = 0x05;
    /// Skips as many as one or the other byte says.
    pub const IF_EQUAL: u16 = 0x15;
    /// Likewise.
    pub const IF_GREATER: u16 = 0x25;
    /// Likewise.
    pub const IF_GREATER_OR_EQUAL: u16 = 0x35;
    /// Ends with `value`.
    pub const RETURN: u16 = 0x06;
}

/// A struct sock_filter.
pub fn instruction(code: u16, jump_true: u8, jump_false: u8, value: u32) -> [u8; INSTRUCTION_SIZE] {
    let ([a, b], [c, d, e, f]) = (code.to_ne_bytes(), value.to_ne_bytes());
    [a, b, jump_true, jump_false, c, d, e, f]
}
