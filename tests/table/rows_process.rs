// SPDX-License-Identifier: Apache-2.0
//! What a process is scheduled and remembered by: scheduler, I/O priority, CPU affinity, personality, memory policy.

use crate::row::{Row, elsewhere, row};
use crate::rows_resources::is_unified;

/// Fields of /proc/PID/stat, proc_pid_stat(5), without a fork: that may reset them, or not be allowed.
const STAT: &str = "read -r line < /proc/self/stat; set -- $line";
const DEADLINE: &str = r#"{"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000, "period": 20000000}"#;
const HAS_DEADLINE: &str = "chrt -d --sched-runtime 1000000 --sched-deadline 10000000 --sched-period 20000000 0 true";
const SINCE_6_2: &str = "case $(uname -r) in [0-5].*|6.[01].*) exit 1;; esac";

/// The rows.
pub fn rows() -> Vec<Row> {
    let scheduler = |member: &str, value: &str, field: u32, output: &str| {
        let script = format!("{STAT}; echo ${{{field}}}");
        row(&format!("process.scheduler.{member}"), &[("/process/scheduler", value)], &script, output)
    };
    let io = r#"{"class": "IOPRIO_CLASS_BE", "priority": 2}"#;
    let personality = |value: &str| format!(r#"{{"domain": "LINUX", "flags": ["{value}"]}}"#);
    let mut rows = vec![
        scheduler("policy", r#"{"policy": "SCHED_BATCH"}"#, 41, "3"),
        scheduler("nice", r#"{"policy": "SCHED_OTHER", "nice": 5}"#, 19, "5"),
        with_budget(scheduler("priority", r#"{"policy": "SCHED_FIFO", "priority": 7}"#, 40, "7"))
            .needs("chrt -f 1 true", "the right to real-time scheduling"),
        row(
            "process.scheduler.flags",
            &[(
                "/process/scheduler",
                r#"{"policy": "SCHED_OTHER", "nice": -5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}"#,
            )],
            "cut -d' ' -f19 /proc/$$/stat /proc/self/stat; true",
            "-5 0",
        ),
    ];
    for member in ["runtime", "deadline", "period"] {
        rows.push(scheduler(member, DEADLINE, 41, "6").needs(HAS_DEADLINE, "deadline scheduling"));
    }
    let affinity = r#"{"execCPUAffinity": {"initial": "0", "final": "1"}}"#;
    rows.extend([
        row("process.ioPriority.class", &[("/process/ioPriority", io)], "ionice", "best-effort: prio 2"),
        row("process.ioPriority.priority", &[("/process/ioPriority", io)], "ionice | cut -d' ' -f3", "2"),
        row("process.execCPUAffinity.final", &[], "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list: 1")
            .exec(affinity),
        row("process.execCPUAffinity.initial", &[], "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list: 0")
            .exec(r#"{"execCPUAffinity": {"initial": "0"}}"#)
            .needs(SINCE_6_2, "an affinity that lasts through a change of the cpuset, of Linux 6.2"),
        row("linux.personality.domain", &[("/linux/personality", r#"{"domain": "LINUX32"}"#)], "uname -m", "i686"),
        row(
            "linux.personality.flags",
            &[("/linux/personality", &personality("ADDR_NO_RANDOMIZE"))],
            "cat /proc/self/personality",
            "00040000",
        ),
    ]);
    rows.extend(memory_policy());
    for member in ["closID", "schemata", "l3CacheSchema", "memBwSchema", "enableMonitoring"] {
        rows.push(elsewhere(&format!("linux.intelRdt.{member}"), "needs a processor with Intel RDT"));
    }
    rows
}

/// Version 1 of cgroups has time for real-time scheduling given to each.
fn with_budget(row: Row) -> Row {
    match is_unified() {
        true => row,
        false => row.with("/linux/resources/cpu/realtimeRuntime", "100000"),
    }
}

/// Each mode and each flag, as /proc/PID/numa_maps tells them.
fn memory_policy() -> Vec<Row> {
    const NUMA: (&str, &str) = ("test -e /proc/self/numa_maps", "memory policies (CONFIG_NUMA)");
    const SINCE_5_15: (&str, &str) = (
        "case $(uname -r) in [0-4].*|5.[0-9].*|5.1[0-4].*) exit 1;; esac; test -e /proc/self/numa_maps",
        "MPOL_PREFERRED_MANY, of Linux 5.15 (CONFIG_NUMA)",
    );
    const WEIGHTS: (&str, &str) = (
        "test -d /sys/kernel/mm/mempolicy/weighted_interleave",
        "MPOL_WEIGHTED_INTERLEAVE, of Linux 6.9 (CONFIG_NUMA)",
    );
    const BALANCING: (&str, &str) = (
        "case $(uname -r) in [0-5].*|6.[0-9].*|6.1[0-7].*) exit 1;; esac; test -e /proc/sys/kernel/numa_balancing",
        "a /proc/PID/numa_maps that tells of it, of Linux 6.18 (CONFIG_NUMA_BALANCING)",
    );
    let told = "head -n 1 /proc/self/numa_maps | sed 's/^[^ ]* //; s/ [a-z]*=.*//'";
    let policy = |name: &str, value: &str, output: &str, (probe, what): (&str, &'static str)| {
        let name = format!("linux.memoryPolicy.{name}");
        row(&name, &[("/linux/memoryPolicy", value)], told, output).needs(probe, what)
    };
    let nodes = |mode: &str| format!(r#"{{"mode": "{mode}", "nodes": "0"}}"#);
    let flag = |flag: &str| format!(r#"{{"mode": "MPOL_BIND", "nodes": "0", "flags": ["{flag}"]}}"#);
    let mut rows = vec![policy("nodes", &nodes("MPOL_BIND"), "bind:0", NUMA)];
    rows.extend(
        [
            ("MPOL_BIND", "bind:0", NUMA),
            ("MPOL_INTERLEAVE", "interleave:0", NUMA),
            ("MPOL_PREFERRED", "prefer:0", NUMA),
            ("MPOL_PREFERRED_MANY", "prefer (many):0", SINCE_5_15),
            ("MPOL_WEIGHTED_INTERLEAVE", "weighted interleave:0", WEIGHTS),
        ]
        .map(|(mode, output, needs)| policy(&format!("mode: {mode}"), &nodes(mode), output, needs)),
    );
    rows.extend([
        policy("mode: MPOL_LOCAL", r#"{"mode": "MPOL_LOCAL"}"#, "local", NUMA),
        policy("mode: MPOL_DEFAULT", r#"{"mode": "MPOL_DEFAULT"}"#, "default", NUMA).true_anyway(),
        policy("flags: MPOL_F_STATIC_NODES", &flag("MPOL_F_STATIC_NODES"), "bind=static:0", NUMA),
        policy("flags: MPOL_F_RELATIVE_NODES", &flag("MPOL_F_RELATIVE_NODES"), "bind=relative:0", NUMA),
        policy("flags: MPOL_F_NUMA_BALANCING", &flag("MPOL_F_NUMA_BALANCING"), "bind=balancing:0", BALANCING),
    ]);
    rows
}
