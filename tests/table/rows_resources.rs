// SPDX-License-Identifier: Apache-2.0
//! The limits of config-linux.md, read from inside by the cgroup filesystem.

use std::path::Path;

use crate::row::{Row, elsewhere, row};

/// Limits on kernel memory came to an end with this version, as did CFQ and its leaf weights.
const BEFORE_5_16: &str = "case $(uname -r) in [0-4].*|5.[0-9].*|5.1[0-5].*) ;; *) exit 1;; esac";
const BEFORE_5: &str = "case $(uname -r) in [0-4].*) ;; *) exit 1;; esac";

/// Where a version of cgroups has a limit: the file below /sys/fs/cgroup, and what it says afterwards.
type Place<'a> = Option<(&'a str, &'a str)>;

/// Whether the unified hierarchy is alone.
pub fn is_unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// A limit and where it is found, on a host with a hierarchy for each controller and on one with the unified one alone.
fn limit(name: &str, value: &str, v1: Place, v2: Place) -> Row {
    let pointer = format!("/linux/resources/{}", name.replace('.', "/"));
    let name = format!("linux.resources.{name}");
    match if is_unified() { v2 } else { v1 } {
        Some((file, output)) => row(&name, &[(&pointer, value)], &format!("limit {file}"), output),
        None if is_unified() => elsewhere(&name, "needs cgroup version 1"),
        None => elsewhere(&name, "needs cgroup version 2"),
    }
}

/// A rule of devices: one that the cgroup of version 1 lists, or by which such a device can be opened. That there is none
/// with these numbers is another error than that it is not allowed.
fn device(name: &str, rule: &str, line: &str) -> Row {
    let name = format!("linux.resources.devices.{name}");
    let edits = [("/linux/resources/devices/-", rule)];
    if !is_unified() {
        return row(&name, &edits, &format!("limit devices/devices.list | grep '^{line}'"), line);
    }
    let mut words = line.split([' ', ':']);
    let [kind, major, minor, access] = [(); 4].map(|()| words.next().expect("a rule has four parts"));
    let redirection = if access == "r" { "<" } else { ">" };
    let script =
        format!("mknod /dev/it {kind} {major} {minor}; (: {redirection} /dev/it) 2>&1 | sed 's/.*: //'; rm /dev/it");
    let row = row(&name, &edits, &script, "No such device or address");
    ["bounding", "effective", "permitted"]
        .iter()
        .fold(row, |row, set| row.with(&format!("/process/capabilities/{set}"), r#"["CAP_MKNOD"]"#))
}

/// A limit on the first disk, which is a loop device at least.
fn throttle(name: &str, file: &str, line: &str) -> Row {
    let rate = r#"[{"major": 7, "minor": 0, "rate": 1048576}]"#;
    let file = format!("blkio/blkio.throttle.{file}");
    limit(&format!("blockIO.{name}"), rate, Some((&file, "7:0 1048576")), Some(("io.max", line)))
        .needs("test -e /sys/dev/block/7:0", "a loop device")
}

/// Needs a quota next to it.
fn quota(row: Row) -> Row {
    row.with("/linux/resources/cpu/quota", "50000")
}

/// The rows.
pub fn rows() -> Vec<Row> {
    let bfq = "test -e /sys/fs/cgroup/blkio/blkio.bfq.io_service_bytes || test -d /sys/module/bfq";
    let by_bfq = r"grep -q '\[bfq\]' /sys/dev/block/7:0/queue/scheduler";
    let network = |kind: &str| format!("test -d /sys/fs/cgroup/{kind}");
    let of_v1 = |name: &str, value: &str, file: &str, output: &str| limit(name, value, Some((file, output)), None);
    let hugetlb = if is_unified() { "" } else { "unified/" };
    let mut rows = vec![
        device("allow", r#"{"allow": true, "type": "c", "major": 42, "minor": 12, "access": "r"}"#, "c 42:12 r"),
        device("type", r#"{"allow": true, "type": "b", "major": 42, "minor": 11, "access": "r"}"#, "b 42:11 r"),
        device("major", r#"{"allow": true, "type": "c", "major": 42, "minor": 11, "access": "r"}"#, "c 42:11 r"),
        device("minor", r#"{"allow": true, "type": "c", "major": 42, "minor": 43, "access": "r"}"#, "c 42:43 r"),
        device("access", r#"{"allow": true, "type": "c", "major": 42, "minor": 43, "access": "w"}"#, "c 42:43 w"),
        limit(
            "memory.limit",
            "104857600",
            Some(("memory/memory.limit_in_bytes", "104857600")),
            Some(("memory.max", "104857600")),
        ),
        limit(
            "memory.reservation",
            "52428800",
            Some(("memory/memory.soft_limit_in_bytes", "52428800")),
            Some(("memory.low", "52428800")),
        ),
        limit(
            "memory.swap",
            "157286400",
            Some(("memory/memory.memsw.limit_in_bytes", "157286400")),
            Some(("memory.swap.max", "52428800")),
        )
        .with("/linux/resources/memory/limit", "104857600"),
        of_v1("memory.kernel", "52428800", "memory/memory.kmem.limit_in_bytes", "52428800")
            .needs(BEFORE_5_16, "limits of kernel memory, gone since 5.16"),
        of_v1("memory.kernelTCP", "52428800", "memory/memory.kmem.tcp.limit_in_bytes", "52428800"),
        of_v1("memory.swappiness", "17", "memory/memory.swappiness", "17"),
        of_v1("memory.disableOOMKiller", "true", "memory/memory.oom_control | head -n 1", "oom_kill_disable 1"),
        of_v1("memory.useHierarchy", "true", "memory/memory.use_hierarchy", "1").true_anyway(),
        // What is in use is on a filesystem from where nothing can go without swap.
        row(
            "linux.resources.memory.checkBeforeUpdate",
            &[("/mounts/-", r#"{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}"#)],
            "head -c 20000000 /dev/zero > /data/full",
            "",
        )
        .update(r#"{"memory": {"limit": 4194304, "checkBeforeUpdate": true}}"#)
        .refused("/memory/limit")
        .needs("grep -qw memory /sys/fs/cgroup/cgroup.controllers", "the memory controller of cgroup v2"),
        limit("cpu.shares", "512", Some(("cpu/cpu.shares", "512")), Some(("cpu.weight", "59"))),
        limit("cpu.quota", "50000", Some(("cpu/cpu.cfs_quota_us", "50000")), Some(("cpu.max", "50000 100000"))),
        quota(limit("cpu.burst", "10000", Some(("cpu/cpu.cfs_burst_us", "10000")), Some(("cpu.max.burst", "10000")))),
        quota(limit(
            "cpu.period",
            "200000",
            Some(("cpu/cpu.cfs_period_us", "200000")),
            Some(("cpu.max", "50000 200000")),
        )),
        limit("cpu.cpus", r#""1""#, Some(("cpuset/cpuset.cpus", "1")), Some(("cpuset.cpus", "1"))),
        limit("cpu.mems", r#""0""#, Some(("cpuset/cpuset.mems", "0")), Some(("cpuset.mems", "0"))).true_anyway(),
        limit("cpu.idle", "1", Some(("cpu/cpu.idle", "1")), Some(("cpu.idle", "1"))),
        limit("pids.limit", "55", Some(("pids/pids.max", "55")), Some(("pids.max", "55"))),
        limit("blockIO.weight", "200", Some(("blkio/blkio.bfq.weight", "200")), Some(("io.bfq.weight", "default 200")))
            .needs(bfq, "the bfq I/O scheduler"),
        of_v1("blockIO.leafWeight", "200", "blkio/blkio.leaf_weight", "200")
            .needs(BEFORE_5, "leaf weights, gone since 5.0"),
        limit(
            "blockIO.weightDevice",
            r#"[{"major": 7, "minor": 0, "weight": 300}]"#,
            Some(("blkio/blkio.bfq.weight_device | tail -n 1", "7:0 300")),
            Some(("io.bfq.weight | tail -n 1", "7:0 300")),
        )
        .needs(by_bfq, "a disk with the bfq I/O scheduler"),
        throttle("throttleReadBpsDevice", "read_bps_device", "7:0 rbps=1048576 wbps=max riops=max wiops=max"),
        throttle("throttleWriteBpsDevice", "write_bps_device", "7:0 rbps=max wbps=1048576 riops=max wiops=max"),
        throttle("throttleReadIOPSDevice", "read_iops_device", "7:0 rbps=max wbps=max riops=1048576 wiops=max"),
        throttle("throttleWriteIOPSDevice", "write_iops_device", "7:0 rbps=max wbps=max riops=max wiops=1048576"),
        limit(
            "hugepageLimits",
            r#"[{"pageSize": "2MB", "limit": 2097152}]"#,
            Some(("unified/hugetlb.2MB.max", "2097152")),
            Some(("hugetlb.2MB.max", "2097152")),
        )
        .needs(&format!("grep -qw hugetlb /sys/fs/cgroup/{hugetlb}cgroup.controllers"), "the hugetlb controller"),
        of_v1("network.classID", "1048577", "net_cls/net_cls.classid", "1048577")
            .needs(&network("net_cls"), "the net_cls controller"),
        of_v1("network.priorities", r#"[{"name": "lo", "priority": 7}]"#, "net_prio/net_prio.ifpriomap", "lo 7")
            .needs(&network("net_prio"), "the net_prio controller"),
        limit(
            "rdma",
            r#"{"mlx5_0": {"hcaHandles": 3, "hcaObjects": 100}}"#,
            Some(("rdma/rdma.max", "mlx5_0 hca_handle=3 hca_object=100")),
            Some(("rdma.max", "mlx5_0 hca_handle=3 hca_object=100")),
        )
        .needs("test -e /sys/class/infiniband/mlx5_0", "an RDMA device and its controller"),
        limit(
            "unified",
            r#"{"cgroup.max.depth": "7"}"#,
            Some(("unified/cgroup.max.depth", "7")),
            Some(("cgroup.max.depth", "7")),
        ),
    ];
    let budget = "[ $(cat /sys/fs/cgroup/cpu/cpu.rt_runtime_us) -gt 0 ]";
    for (name, value, file) in [("realtimePeriod", "900000", "rt_period"), ("realtimeRuntime", "1000", "rt_runtime")] {
        let row = of_v1(&format!("cpu.{name}"), value, &format!("cpu/cpu.{file}_us"), value);
        rows.push(row.needs(budget, "real-time group scheduling with a budget"));
    }
    rows
}
