// SPDX-License-Identifier: Apache-2.0
//! Checks of how a process is to be scheduled. What the kernel would refuse with no more than EINVAL is told here.

use oci_spec::runtime::{LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, Process, Scheduler, Spec};

use super::Problems;

/// The shortest runtime of a deadline, in nanoseconds; sched(7).
const RUNTIME_MIN: u64 = 1024;

fn at(member: &str) -> String {
    format!("/process/scheduler/{member}")
}

/// `scheduler`, sched_setattr(2). The names are checked by their type, those of the flags by the shape.
pub fn scheduler(process: &Process, problems: &mut Problems) {
    let Some(scheduler) = process.scheduler() else { return };
    if let Some(nice) = scheduler.nice()
        && !(-20..=19).contains(nice)
    {
        problems.add(at("nice"), format!("must be from -20 to 19, not {nice}"));
    }
    let (policy, priority) = (scheduler.policy(), scheduler.priority().unwrap_or_default());
    match (matches!(policy, Policy::SchedFifo | Policy::SchedRr), priority) {
        (true, 1..=99) | (false, 0) => {}
        (true, _) => problems.add(at("priority"), format!("must be from 1 to 99 for {policy}, not {priority}")),
        (false, _) => {
            problems.add(at("priority"), format!("{policy} has no priorities; SCHED_FIFO and SCHED_RR have"));
        }
    }
    match policy {
        Policy::SchedDeadline => deadline(scheduler, problems),
        _ => no_deadline(scheduler, problems),
    }
}

fn no_deadline(scheduler: &Scheduler, problems: &mut Problems) {
    for (member, value) in
        [("runtime", scheduler.runtime()), ("deadline", scheduler.deadline()), ("period", scheduler.period())]
    {
        if value.is_some_and(|value| value != 0) {
            problems.add(at(member), format!("is for SCHED_DEADLINE, not for {}", scheduler.policy()));
        }
    }
}

/// sched(7): 1024 <= runtime <= deadline <= period. A period of 0 is as long as the deadline.
fn deadline(scheduler: &Scheduler, problems: &mut Problems) {
    let value = |member: &Option<u64>| member.unwrap_or_default();
    let (runtime, deadline, period) =
        (value(scheduler.runtime()), value(scheduler.deadline()), value(scheduler.period()));
    if runtime < RUNTIME_MIN {
        problems.add(at("runtime"), format!("must be at least {RUNTIME_MIN} nanoseconds, not {runtime}"));
    }
    if runtime > deadline {
        problems.add(at("deadline"), format!("must be at least the runtime, {runtime}, not {deadline}"));
    }
    if period != 0 && deadline > period {
        problems.add(at("period"), format!("must be at least the deadline, {deadline}, or 0, not {period}"));
    }
}

/// sched(7): what has a deadline cannot fork, as a hook needs it, unless the child has none.
pub fn deadline_and_hooks(spec: &Spec, problems: &mut Problems) {
    let scheduler = spec.process().as_ref().and_then(|process| process.scheduler().as_ref());
    let Some(scheduler) = scheduler.filter(|scheduler| *scheduler.policy() == Policy::SchedDeadline) else { return };
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_deref());
    let resets = scheduler.flags().iter().flatten().any(|flag| *flag == Flag::SchedResetOnFork);
    if hooks.is_some_and(|hooks| !hooks.is_empty()) && !resets {
        let message = "a process with SCHED_DEADLINE cannot fork, so that /hooks/startContainer could not run: \
                       SCHED_FLAG_RESET_ON_FORK is missing";
        problems.add(at("flags"), message);
    }
}

/// `ioPriority`, ioprio_set(2).
pub fn io_priority(process: &Process, problems: &mut Problems) {
    if let Some(io) = process.io_priority()
        && !(0..=7).contains(&io.priority())
    {
        problems.add("/process/ioPriority/priority", format!("must be from 0 to 7, not {}", io.priority()));
    }
}
