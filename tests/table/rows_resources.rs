// SPDX-License-Identifier: Apache-2.0
//! The limits of config-linux.md, read from inside by the cgroup filesystem.

use crate::row::{Row, elsewhere, row};

/// Limits on kernel memory came to an end with this version, as did CFQ and its leaf weights.
const BEFORE_5_16: &str = "case $(uname -r) in [0-4].*|5.[0-9].*|5.1[0-5].*) ;; *) exit 1;; esac";
const BEFORE_5: &str = "case $(uname -r) in [0-4].*) ;; *) exit 1;; esac";

/// A limit and the file, below /sys/fs/cgroup, that has it afterwards.
fn limit(name: &str, value: &str, file: &str, output: &str) -> Row {
    let pointer = format!("/linux/resources/{}", name.replace('.', "/"));
    row(&format!("linux.resources.{name}"), &[(&pointer, value)], &format!("limit {file}"), output)
}

/// A rule of devices that the cgroup lists.
fn device(name: &str, rule: &str, line: &str) -> Row {
    let name = format!("linux.resources.devices.{name}");
    let script = format!("limit devices/devices.list | grep '^{line}'");
    row(&name, &[("/linux/resources/devices/-", rule)], &script, line)
}

/// A limit on the first disk, which is a loop device at least.
fn throttle(name: &str, file: &str) -> Row {
    let rate = r#"[{"major": 7, "minor": 0, "rate": 1048576}]"#;
    limit(&format!("blockIO.{name}"), rate, &format!("blkio/blkio.throttle.{file}"), "7:0 1048576")
        .needs("test -e /sys/dev/block/7:0", "a loop device")
}

/// Needs a quota next to it.
fn quota(row: Row) -> Row {
    row.with("/linux/resources/cpu/quota", "50000")
}

/// The rows.
pub fn rows() -> Vec<Row> {
    let bfq = "test -e /sys/fs/cgroup/blkio/blkio.bfq.io_service_bytes";
    let by_bfq = r"grep -q '\[bfq\]' /sys/dev/block/7:0/queue/scheduler";
    let network = |kind: &str| format!("test -d /sys/fs/cgroup/{kind}");
    let mut rows = vec![
        device("allow", r#"{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}"#, "c 1:11 r"),
        device("type", r#"{"allow": true, "type": "b", "major": 1, "minor": 11, "access": "r"}"#, "b 1:11 r"),
        device("major", r#"{"allow": true, "type": "c", "major": 42, "minor": 11, "access": "r"}"#, "c 42:11 r"),
        device("minor", r#"{"allow": true, "type": "c", "major": 42, "minor": 43, "access": "r"}"#, "c 42:43 r"),
        device("access", r#"{"allow": true, "type": "c", "major": 42, "minor": 43, "access": "w"}"#, "c 42:43 w"),
        limit("memory.limit", "104857600", "memory/memory.limit_in_bytes", "104857600"),
        limit("memory.reservation", "52428800", "memory/memory.soft_limit_in_bytes", "52428800"),
        limit("memory.swap", "157286400", "memory/memory.memsw.limit_in_bytes", "157286400")
            .with("/linux/resources/memory/limit", "104857600"),
        limit("memory.kernel", "52428800", "memory/memory.kmem.limit_in_bytes", "52428800")
            .needs(BEFORE_5_16, "limits of kernel memory, gone since 5.16"),
        limit("memory.kernelTCP", "52428800", "memory/memory.kmem.tcp.limit_in_bytes", "52428800"),
        limit("memory.swappiness", "17", "memory/memory.swappiness", "17"),
        limit("memory.disableOOMKiller", "true", "memory/memory.oom_control | head -n 1", "oom_kill_disable 1"),
        limit("memory.useHierarchy", "true", "memory/memory.use_hierarchy", "1").true_anyway(),
        elsewhere("linux.resources.memory.checkBeforeUpdate", "needs the memory controller of cgroup v2"),
        limit("cpu.shares", "512", "cpu/cpu.shares", "512"),
        limit("cpu.quota", "50000", "cpu/cpu.cfs_quota_us", "50000"),
        quota(limit("cpu.burst", "10000", "cpu/cpu.cfs_burst_us", "10000")),
        quota(limit("cpu.period", "200000", "cpu/cpu.cfs_period_us", "200000")),
        limit("cpu.cpus", r#""1""#, "cpuset/cpuset.cpus", "1"),
        limit("cpu.mems", r#""0""#, "cpuset/cpuset.mems", "0").true_anyway(),
        limit("cpu.idle", "1", "cpu/cpu.idle", "1"),
        limit("pids.limit", "55", "pids/pids.max", "55"),
        limit("blockIO.weight", "200", "blkio/blkio.bfq.weight", "200").needs(bfq, "the bfq I/O scheduler"),
        limit("blockIO.leafWeight", "200", "blkio/blkio.leaf_weight", "200")
            .needs(BEFORE_5, "leaf weights, gone since 5.0"),
        limit(
            "blockIO.weightDevice",
            r#"[{"major": 7, "minor": 0, "weight": 300}]"#,
            "blkio/blkio.bfq.weight_device | tail -n 1",
            "7:0 300",
        )
        .needs(by_bfq, "a disk with the bfq I/O scheduler"),
        throttle("throttleReadBpsDevice", "read_bps_device"),
        throttle("throttleWriteBpsDevice", "write_bps_device"),
        throttle("throttleReadIOPSDevice", "read_iops_device"),
        throttle("throttleWriteIOPSDevice", "write_iops_device"),
        limit("hugepageLimits", r#"[{"pageSize": "2MB", "limit": 2097152}]"#, "unified/hugetlb.2MB.max", "2097152")
            .needs("grep -qw hugetlb /sys/fs/cgroup/unified/cgroup.controllers", "the hugetlb controller"),
        limit("network.classID", "1048577", "net_cls/net_cls.classid", "1048577")
            .needs(&network("net_cls"), "the net_cls controller"),
        limit("network.priorities", r#"[{"name": "lo", "priority": 7}]"#, "net_prio/net_prio.ifpriomap", "lo 7")
            .needs(&network("net_prio"), "the net_prio controller"),
        limit(
            "rdma",
            r#"{"mlx5_0": {"hcaHandles": 3, "hcaObjects": 100}}"#,
            "rdma/rdma.max",
            "mlx5_0 hca_handle=3 hca_object=100",
        )
        .needs("test -e /sys/class/infiniband/mlx5_0", "an RDMA device and its controller"),
        limit("unified", r#"{"cgroup.max.depth": "7"}"#, "unified/cgroup.max.depth", "7"),
    ];
    let budget = "[ $(cat /sys/fs/cgroup/cpu/cpu.rt_runtime_us) -gt 0 ]";
    for (name, value, file) in [("realtimePeriod", "900000", "rt_period"), ("realtimeRuntime", "1000", "rt_runtime")] {
        let row = limit(&format!("cpu.{name}"), value, &format!("cpu/cpu.{file}_us"), value);
        rows.push(row.needs(budget, "real-time group scheduling with a budget"));
    }
    rows
}
