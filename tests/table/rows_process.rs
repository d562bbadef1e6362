// SPDX-License-Identifier: Apache-2.0
//! What a process is scheduled and remembered by: scheduler, I/O priority, CPU affinity, personality, memory policy.

use crate::row::{Row, elsewhere, row};

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
        scheduler("priority", r#"{"policy": "SCHED_FIFO", "priority": 7}"#, 40, "7")
            .with("/linux/resources/cpu/realtimeRuntime", "100000")
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
        row(
            "linux.memoryPolicy.mode",
            &[("/linux/memoryPolicy", r#"{"mode": "MPOL_INTERLEAVE", "nodes": "0"}"#)],
            "head -n 1 /proc/self/numa_maps | cut -d' ' -f2 | cut -d: -f1",
            "interleave",
        ),
        row(
            "linux.memoryPolicy.nodes",
            &[("/linux/memoryPolicy", r#"{"mode": "MPOL_BIND", "nodes": "0"}"#)],
            "head -n 1 /proc/self/numa_maps | cut -d' ' -f2",
            "bind:0",
        ),
        row(
            "linux.memoryPolicy.flags",
            &[("/linux/memoryPolicy", r#"{"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}"#)],
            "head -n 1 /proc/self/numa_maps | cut -d' ' -f2",
            "bind=static:0",
        ),
    ]);
    for member in ["closID", "schemata", "l3CacheSchema", "memBwSchema", "enableMonitoring"] {
        rows.push(elsewhere(&format!("linux.intelRdt.{member}"), "needs a processor with Intel RDT"));
    }
    rows
}
