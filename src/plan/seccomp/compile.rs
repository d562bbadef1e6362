// SPDX-License-Identifier: Apache-2.0
//! The translation: each rule of the configuration becomes rules of libseccomp, and these a program.

use std::fs::File;
use std::io::{Read, Seek};

use libseccomp::error::{SeccompErrno, SeccompError};
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::layers::{self, Rule};
use super::{ranges, unknown};
use crate::error::{Context, Error, Kind, Result};

/// BPF_MAXINSNS of linux/bpf_common.h, and the size of struct sock_filter.
pub const INSTRUCTIONS_MAX: usize = 4096;
/// See [`INSTRUCTIONS_MAX`].
pub const INSTRUCTION_SIZE: usize = 8;

/// Compiles the section.
pub fn program(seccomp: &LinuxSeccomp) -> Result<Vec<u8>> {
    let program = by_number(seccomp)?;
    let program = ranges::merge(&program).unwrap_or(program);
    let instructions = program.len() / INSTRUCTION_SIZE;
    if instructions > INSTRUCTIONS_MAX {
        let message =
            format!("becomes {instructions} instructions, more than the {INSTRUCTIONS_MAX} that the kernel allows");
        return Err(Error::config("/linux/seccomp", message));
    }
    Ok(program)
}

/// As libseccomp has it: number by number.
pub fn by_number(seccomp: &LinuxSeccomp) -> Result<Vec<u8>> {
    let fallback = action(seccomp.default_action(), seccomp.default_errno_ret());
    let rules = rules(seccomp, fallback);
    let undecided = layers::undecided(&rules);
    let mut layers = layers::split(rules);
    let last = layers.pop().unwrap_or_default();
    let mut program = unknown::prologue(seccomp, fallback);
    for layer in &layers {
        let mut layer = filter(seccomp, undecided, layer)?;
        layers::fall_through(&mut layer, undecided);
        program.append(&mut layer);
    }
    program.append(&mut filter(seccomp, fallback, &last)?);
    Ok(program)
}

/// The rules one by one.
fn rules(seccomp: &LinuxSeccomp, fallback: ScmpAction) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (entry, item) in seccomp.syscalls().iter().flatten().enumerate() {
        let action = action(item.action(), item.errno_ret());
        // libseccomp refuses rules that do what is done anyway.
        if action == fallback {
            continue;
        }
        let args = item.args().as_deref().unwrap_or_default();
        // libseccomp has one condition an argument and rule. More are alternatives, and so are the others
        // with them: what profiles have come to rely on.
        let alternatives: Vec<_> = if repeats(args) { args.chunks(1).collect() } else { vec![args] };
        for (name, text) in item.names().iter().enumerate() {
            // A profile names system calls of kernels and architectures to come.
            let Ok(syscall) = ScmpSyscall::from_name(text) else {
                log::debug!("seccomp: libseccomp knows no system call {text:?}: ignored");
                continue;
            };
            rules.extend(alternatives.iter().map(|args| Rule {
                syscall: syscall.as_raw_syscall(),
                action,
                conditions: args.iter().map(condition).collect(),
                equal: args.iter().all(|arg| matches!(arg.op(), Operator::ScmpCmpEq | Operator::ScmpCmpMaskedEq)),
                entry,
                name,
            }));
        }
    }
    rules
}

/// Has libseccomp compile these rules, for all architectures of the section.
fn filter(seccomp: &LinuxSeccomp, fallback: ScmpAction, rules: &[Rule]) -> Result<Vec<u8>> {
    let mut filter = ScmpFilterContext::new(fallback).map_err(|error| failed("cannot start a filter", &error))?;
    // A binary tree instead of a list: the same decisions, found sooner, and the kernel's checks of
    // it are faster too. Unknown to libseccomp before 2.5, which does without.
    if filter.set_ctl_optimize(2).is_err() {
        log::debug!("seccomp: this libseccomp makes no binary trees");
    }
    for (index, arch) in seccomp.architectures().iter().flatten().enumerate() {
        // The native one is there from the start.
        filter.add_arch(architecture(*arch)).map_err(|error| {
            let at = format!("/linux/seccomp/architectures/{index}");
            Error::config(at, format!("{arch} cannot be filtered here: {}", reason(&error))).kind(Kind::Unsupported)
        })?;
    }
    for rule in rules {
        filter.add_rule_conditional(rule.action, rule.syscall, &rule.conditions).map_err(|error| {
            let at = format!("/linux/seccomp/syscalls/{}/names/{}", rule.entry, rule.name);
            Error::config(at, format!("the rule cannot be added: {}", reason(&error)))
        })?;
    }
    export(&filter)
}

/// Whether an argument has more than one condition.
fn repeats(args: &[LinuxSeccompArg]) -> bool {
    args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|other| other.index() == arg.index()))
}

fn condition(arg: &LinuxSeccompArg) -> ScmpArgCompare {
    let second = arg.value_two().unwrap_or_default();
    let (operator, value) = match arg.op() {
        Operator::ScmpCmpNe => (ScmpCompareOp::NotEqual, arg.value()),
        Operator::ScmpCmpLt => (ScmpCompareOp::Less, arg.value()),
        Operator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, arg.value()),
        Operator::ScmpCmpEq => (ScmpCompareOp::Equal, arg.value()),
        Operator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, arg.value()),
        Operator::ScmpCmpGt => (ScmpCompareOp::Greater, arg.value()),
        // `value` is the mask (config-linux.md, "Seccomp").
        Operator::ScmpCmpMaskedEq => (ScmpCompareOp::MaskedEqual(arg.value()), second),
    };
    // 0 to 5, `spec` has seen to it.
    ScmpArgCompare::new(arg.index() as u32, operator, value)
}

/// An errno that is not given is EPERM.
fn action(action: Action, errno: Option<u32>) -> ScmpAction {
    let value = errno.unwrap_or(libc::EPERM as u32) as u16;
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => ScmpAction::KillThread,
        Action::ScmpActKillProcess => ScmpAction::KillProcess,
        Action::ScmpActTrap => ScmpAction::Trap,
        Action::ScmpActErrno => ScmpAction::Errno(value.into()),
        Action::ScmpActNotify => ScmpAction::Notify,
        Action::ScmpActTrace => ScmpAction::Trace(value),
        Action::ScmpActLog => ScmpAction::Log,
        Action::ScmpActAllow => ScmpAction::Allow,
    }
}

/// The name that libseccomp has for it.
pub fn architecture(arch: Arch) -> ScmpArch {
    match arch {
        Arch::ScmpArchNative => ScmpArch::Native,
        Arch::ScmpArchX86 => ScmpArch::X86,
        Arch::ScmpArchX86_64 => ScmpArch::X8664,
        Arch::ScmpArchX32 => ScmpArch::X32,
        Arch::ScmpArchArm => ScmpArch::Arm,
        Arch::ScmpArchAarch64 => ScmpArch::Aarch64,
        Arch::ScmpArchMips => ScmpArch::Mips,
        Arch::ScmpArchMips64 => ScmpArch::Mips64,
        Arch::ScmpArchMips64n32 => ScmpArch::Mips64N32,
        Arch::ScmpArchMipsel => ScmpArch::Mipsel,
        Arch::ScmpArchMipsel64 => ScmpArch::Mipsel64,
        Arch::ScmpArchMipsel64n32 => ScmpArch::Mipsel64N32,
        Arch::ScmpArchPpc => ScmpArch::Ppc,
        Arch::ScmpArchPpc64 => ScmpArch::Ppc64,
        Arch::ScmpArchPpc64le => ScmpArch::Ppc64Le,
        Arch::ScmpArchS390 => ScmpArch::S390,
        Arch::ScmpArchS390x => ScmpArch::S390X,
        Arch::ScmpArchParisc => ScmpArch::Parisc,
        Arch::ScmpArchParisc64 => ScmpArch::Parisc64,
        Arch::ScmpArchRiscv64 => ScmpArch::Riscv64,
        Arch::ScmpArchLoongarch64 => ScmpArch::Loongarch64,
        Arch::ScmpArchM68k => ScmpArch::M68k,
        Arch::ScmpArchSh => ScmpArch::Sh,
        Arch::ScmpArchSheb => ScmpArch::Sheb,
    }
}

/// libseccomp before 2.6 writes to files only.
fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>> {
    let file = memfd_create(c"brig-seccomp", MemfdFlags::CLOEXEC).context(|| "cannot make a file in memory")?;
    filter.export_bpf(&file).map_err(|error| failed("cannot compile the filter", &error))?;
    let mut file = File::from(file);
    let mut program = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut program)).context(|| "cannot read the filter back")?;
    Ok(program)
}

fn failed(what: &str, error: &SeccompError) -> Error {
    Error::config("/linux/seccomp", format!("{what}: {}", reason(error)))
}

/// libseccomp has but an errno, whose meaning its manual pages tell; seccomp_rule_add(3).
fn reason(error: &SeccompError) -> String {
    match error.errno() {
        Some(SeccompErrno::EINVAL) => "unknown to this libseccomp or kernel".into(),
        Some(SeccompErrno::EDOM) => "not possible on this architecture, or together with the other ones".into(),
        Some(SeccompErrno::EEXIST) => "another rule says something else".into(),
        _ => error.to_string(),
    }
}
