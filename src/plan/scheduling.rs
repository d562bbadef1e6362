// SPDX-License-Identifier: Apache-2.0
//! How a process is scheduled: its policy, its I/O priority, the CPUs that an exec may run on.

use brig_wire::{POINT_LIMITS, Step};
use oci_spec::runtime::{
    IOPriorityClass, LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, Process, Scheduler,
};

use super::Steps;
use crate::error::{Error, Result};
use crate::spec::number_list::{CPUS_MAX, mask};

/// When a program gets its scheduling policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has it before the plan comes to the program.
    Before,
    /// With the rest of what takes privileges.
    Prepared,
    /// Behind the last fork, which would not hand it down.
    Last,
}

/// SCHED_* of linux/sched.h.
const POLICIES: [(Policy, u32, &str); 7] = [
    (Policy::SchedOther, 0, "SCHED_OTHER"),
    (Policy::SchedFifo, 1, "SCHED_FIFO"),
    (Policy::SchedRr, 2, "SCHED_RR"),
    (Policy::SchedBatch, 3, "SCHED_BATCH"),
    (Policy::SchedIso, 4, "SCHED_ISO"),
    (Policy::SchedIdle, 5, "SCHED_IDLE"),
    (Policy::SchedDeadline, 6, "SCHED_DEADLINE"),
];

/// The name of a policy.
pub fn policy_name(number: u32) -> &'static str {
    POLICIES.iter().find(|policy| policy.1 == number).map_or("unknown", |policy| policy.2)
}

/// SCHED_FLAG_* of linux/sched.h.
fn flag(flag: Flag) -> u64 {
    match flag {
        Flag::SchedResetOnFork => 0x01,
        Flag::SchedFlagReclaim => 0x02,
        Flag::SchedFlagDLOverrun => 0x04,
        Flag::SchedFlagKeepPolicy => 0x08,
        Flag::SchedFlagKeepParams => 0x10,
        Flag::SchedFlagUtilClampMin => 0x20,
        Flag::SchedFlagUtilClampMax => 0x40,
    }
}

/// Whether a process that forks hands its policy down (sched(7)).
pub fn is_inherited(process: &Process) -> bool {
    process.scheduler().as_ref().is_none_or(|scheduler| {
        let resets = scheduler.flags().iter().flatten().any(|flag| *flag == Flag::SchedResetOnFork);
        !resets && *scheduler.policy() != Policy::SchedDeadline
    })
}

/// The policy of a container's init. A cgroup of version 1 lets nobody have a real-time policy before it has a share of
/// that time, which it has by its limits.
pub fn of_init(steps: &mut Steps, process: &Process) {
    if let Some(scheduler) = process.scheduler() {
        if matches!(scheduler.policy(), Policy::SchedFifo | Policy::SchedRr) {
            steps.origin("/process/scheduler").push(Step::Sync { point: POINT_LIMITS });
        }
        policy(steps, scheduler, "/process/scheduler");
    }
}

/// The policy of a program that joins limits which stand.
pub fn of_exec(steps: &mut Steps, process: &Process) {
    if let Some(scheduler) = process.scheduler() {
        policy(steps, scheduler, "/scheduler");
    }
}

fn policy(steps: &mut Steps, scheduler: &Scheduler, pointer: &str) {
    let number = POLICIES.iter().find(|policy| policy.0 == *scheduler.policy()).map_or(0, |policy| policy.1);
    steps.origin(pointer).push(Step::Scheduler {
        policy: number,
        flags: scheduler.flags().iter().flatten().fold(0, |flags, one| flags | flag(*one)),
        nice: scheduler.nice().unwrap_or_default(),
        priority: scheduler.priority().unwrap_or_default().unsigned_abs(),
        runtime: scheduler.runtime().unwrap_or_default(),
        deadline: scheduler.deadline().unwrap_or_default(),
        period: scheduler.period().unwrap_or_default(),
    });
}

/// The I/O priority, which children inherit. At the start, since in a user namespace no privilege counts for it.
pub fn io_priority(steps: &mut Steps, process: &Process, pointer: &str) {
    let Some(io) = process.io_priority() else { return };
    // linux/ioprio.h: the class is above 13 bits.
    let class = match io.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let value = class << 13 | u32::try_from(io.priority()).unwrap_or_default();
    steps.origin(pointer).push(Step::IoPriority { value });
}

/// The CPUs in `list`, if there is one.
pub fn affinity(steps: &mut Steps, list: Option<&str>, pointer: &str) -> Result<()> {
    let Some(list) = list else { return Ok(()) };
    let cpus = mask(list, CPUS_MAX).map_err(|message| Error::config(pointer, message))?;
    steps.origin(pointer).push(Step::Affinity { cpus: &cpus });
    Ok(())
}
