// SPDX-License-Identifier: Apache-2.0
//! The rows of the table: what a field is at create and what an update makes of it, and for each version of cgroups in
//! which file that is found, and how.

use serde_json::{Value, json};

use super::{disk, processors, throttle};
use crate::common::skip;

/// One field.
#[derive(Clone)]
pub struct Row {
    /// As its errors name it, below `/linux/resources`.
    pub pointer: String,
    /// The version 1 name of its controller; empty for the unified hierarchy itself.
    pub controller: &'static str,
    /// The resources of the create, and of the update.
    pub values: [Value; 2],
    /// The files it may be in, of which a kernel has one, each with a line after the create and one after the update.
    pub v1: Vec<File>,
    /// The same.
    pub v2: Vec<File>,
    /// What the host must have for it beside the controller.
    pub needs: Option<&'static str>,
}

pub type File = (&'static str, String, String);

fn file(name: &'static str, first: impl ToString, second: impl ToString) -> Vec<File> {
    vec![(name, first.to_string(), second.to_string())]
}

fn row(pointer: &str, controller: &'static str, values: [Value; 2], v1: Vec<File>, v2: Vec<File>) -> Row {
    Row { pointer: pointer.to_owned(), controller, values, v1, v2, needs: None }
}

/// A version that has no such thing.
const NONE: Vec<File> = Vec::new();

const MIB: i64 = 1 << 20;
/// How version 1 says that there is no limit.
const UNLIMITED: &str = "9223372036854771712";

fn memory() -> Vec<Row> {
    let of = |first, second| [json!({ "memory": first }), json!({ "memory": second })];
    let both = |limit: i64, swap: i64| json!({ "limit": limit * MIB, "swap": swap * MIB });
    vec![
        row(
            "memory/limit",
            "memory",
            of(json!({ "limit": 64 * MIB }), json!({ "limit": 32 * MIB })),
            file("memory.limit_in_bytes", 64 * MIB, 32 * MIB),
            file("memory.max", 64 * MIB, 32 * MIB),
        ),
        row(
            "memory/limit",
            "memory",
            of(json!({ "limit": 64 * MIB }), json!({ "limit": -1 })),
            file("memory.limit_in_bytes", 64 * MIB, UNLIMITED),
            file("memory.max", 64 * MIB, "max"),
        ),
        // Up and down, with bounds on one another.
        row(
            "memory/swap",
            "memory",
            of(both(64, 96), both(128, 129)),
            file("memory.memsw.limit_in_bytes", 96 * MIB, 129 * MIB),
            file("memory.swap.max", 32 * MIB, MIB),
        ),
        row(
            "memory/swap",
            "memory",
            of(both(64, 96), both(32, 32)),
            file("memory.memsw.limit_in_bytes", 96 * MIB, 32 * MIB),
            file("memory.swap.max", 32 * MIB, 0),
        ),
        row(
            "memory/swap",
            "memory",
            of(both(64, 64), json!({ "swap": 80 * MIB })),
            file("memory.memsw.limit_in_bytes", 64 * MIB, 80 * MIB),
            file("memory.swap.max", 0, 16 * MIB),
        ),
        row(
            "memory/swap",
            "memory",
            of(both(64, 64), json!({ "limit": 64 * MIB, "swap": -1 })),
            file("memory.memsw.limit_in_bytes", 64 * MIB, UNLIMITED),
            file("memory.swap.max", 0, "max"),
        ),
        row(
            "memory/reservation",
            "memory",
            of(json!({ "reservation": 8 * MIB }), json!({ "reservation": 4 * MIB })),
            file("memory.soft_limit_in_bytes", 8 * MIB, 4 * MIB),
            file("memory.low", 8 * MIB, 4 * MIB),
        ),
        row(
            "memory/kernelTCP",
            "memory",
            of(json!({ "kernelTCP": 8 * MIB }), json!({ "kernelTCP": 4 * MIB })),
            file("memory.kmem.tcp.limit_in_bytes", 8 * MIB, 4 * MIB),
            NONE,
        ),
        row(
            "memory/swappiness",
            "memory",
            of(json!({ "swappiness": 10 }), json!({ "swappiness": 20 })),
            file("memory.swappiness", 10, 20),
            NONE,
        ),
        row(
            "memory/disableOOMKiller",
            "memory",
            of(json!({ "disableOOMKiller": true }), json!({ "disableOOMKiller": false })),
            file("memory.oom_control", "oom_kill_disable 1", "oom_kill_disable 0"),
            NONE,
        ),
    ]
}

fn cpu() -> Vec<Row> {
    let of = |first, second| [json!({ "cpu": first }), json!({ "cpu": second })];
    let (all, first) = processors();
    let mut rows = vec![
        row(
            "cpu/shares",
            "cpu",
            of(json!({ "shares": 512 }), json!({ "shares": 2048 })),
            file("cpu.shares", 512, 2048),
            file("cpu.weight", 59, 174),
        ),
        row(
            "cpu/quota",
            "cpu",
            of(json!({ "quota": 50_000 }), json!({ "quota": 20_000 })),
            file("cpu.cfs_quota_us", 50_000, 20_000),
            file("cpu.max", "50000 100000", "20000 100000"),
        ),
        row(
            "cpu/quota",
            "cpu",
            of(json!({ "quota": 50_000, "period": 200_000 }), json!({ "quota": -1 })),
            file("cpu.cfs_quota_us", 50_000, -1),
            file("cpu.max", "50000 200000", "max 200000"),
        ),
        row(
            "cpu/period",
            "cpu",
            of(json!({ "quota": 50_000, "period": 200_000 }), json!({ "period": 100_000 })),
            file("cpu.cfs_period_us", 200_000, 100_000),
            file("cpu.max", "50000 200000", "50000 100000"),
        ),
        row(
            "cpu/burst",
            "cpu",
            of(json!({ "quota": 50_000, "burst": 1000 }), json!({ "burst": 2000 })),
            file("cpu.cfs_burst_us", 1000, 2000),
            file("cpu.max.burst", 1000, 2000),
        ),
        row(
            "cpu/idle",
            "cpu",
            of(json!({ "idle": 1 }), json!({ "idle": 0 })),
            file("cpu.idle", 1, 0),
            file("cpu.idle", 1, 0),
        ),
        row(
            "cpu/realtimePeriod",
            "cpu",
            of(json!({ "realtimePeriod": 500_000 }), json!({ "realtimePeriod": 250_000 })),
            file("cpu.rt_period_us", 500_000, 250_000),
            NONE,
        ),
        Row {
            needs: Some("a real-time budget that is not spent"),
            ..row(
                "cpu/realtimeRuntime",
                "cpu",
                of(json!({ "realtimeRuntime": 2000 }), json!({ "realtimeRuntime": 1000 })),
                file("cpu.rt_runtime_us", 2000, 1000),
                NONE,
            )
        },
        row(
            "cpu/cpus",
            "cpuset",
            of(json!({ "cpus": first }), json!({ "cpus": all })),
            file("cpuset.cpus", &first, &all),
            file("cpuset.cpus", &first, &all),
        ),
    ];
    rows.push(row(
        "cpu/mems",
        "cpuset",
        of(json!({ "mems": "0" }), json!({ "mems": "0", "cpus": first })),
        file("cpuset.mems", 0, 0),
        file("cpuset.mems", 0, 0),
    ));
    rows
}

fn processes() -> Vec<Row> {
    let of = |first: i64, second: i64| [json!({ "pids": { "limit": first } }), json!({ "pids": { "limit": second } })];
    let both = |values, first: &str, second: &str| {
        row("pids/limit", "pids", values, file("pids.max", first, second), file("pids.max", first, second))
    };
    vec![both(of(33, 44), "33", "44"), both(of(33, -1), "33", "max"), both(of(33, 0), "33", "0")]
}

fn block_io() -> Vec<Row> {
    let weight = |weight: u16| json!({ "blockIO": { "weight": weight } });
    let leaf = |weight: u16| json!({ "blockIO": { "leafWeight": weight } });
    let mut rows = vec![
        row(
            "blockIO/weight",
            "blkio",
            [weight(200), weight(500)],
            [file("blkio.weight", 200, 500), file("blkio.bfq.weight", 200, 500)].concat(),
            [file("io.bfq.weight", "default 200", "default 500"), file("io.weight", "default 1920", "default 4950")]
                .concat(),
        ),
        row("blockIO/leafWeight", "blkio", [leaf(200), leaf(500)], file("blkio.leaf_weight", 200, 500), NONE),
    ];
    let Some((major, minor)) = disk() else {
        skip("this host has no disk to throttle");
        return rows;
    };
    for (field, v1, v2) in [
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps=@ wbps=max riops=max wiops=max"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "rbps=max wbps=@ riops=max wiops=max"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "rbps=max wbps=max riops=@ wiops=max"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "rbps=max wbps=max riops=max wiops=@"),
    ] {
        let values = [70_000, 60_000].map(|rate| throttle(field, (major, minor), rate));
        let line = |rate: &str| format!("{major}:{minor} {}", v2.replace('@', rate));
        rows.push(row(
            &format!("blockIO/{field}/0"),
            "blkio",
            values,
            file(v1, format!("{major}:{minor} 70000"), format!("{major}:{minor} 60000")),
            file("io.max", line("70000"), line("60000")),
        ));
    }
    let weight = |member: &str, weight: u16| json!({ "blockIO": { "weightDevice": [{ "major": major, "minor": minor, member: weight }] } });
    let line = |weight: u16| format!("{major}:{minor} {weight}");
    rows.push(Row {
        needs: Some("a disk that is scheduled by BFQ"),
        ..row(
            "blockIO/weightDevice/0/weight",
            "blkio",
            [weight("weight", 300), weight("weight", 400)],
            [file("blkio.weight_device", line(300), line(400)), file("blkio.bfq.weight_device", line(300), line(400))]
                .concat(),
            file("io.bfq.weight", line(300), line(400)),
        )
    });
    rows.push(row(
        "blockIO/weightDevice/0/leafWeight",
        "blkio",
        [weight("leafWeight", 300), weight("leafWeight", 400)],
        file("blkio.leaf_weight_device", line(300), line(400)),
        NONE,
    ));
    rows
}

fn others() -> Vec<Row> {
    let pages = |limit: u64| json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": limit }] });
    let class = |class: u32| json!({ "network": { "classID": class } });
    let priority = |priority: u32| json!({ "network": { "priorities": [{ "name": "lo", "priority": priority }] } });
    let rdma = |objects: u32| json!({ "rdma": { "mlx5_1": { "hcaHandles": 3, "hcaObjects": objects } } });
    let unified = |file: &str, value: &str| json!({ "unified": { file: value } });
    let huge = |name| file(name, 4 * MIB, 2 * MIB);
    vec![
        row(
            "hugepageLimits/0/limit",
            "hugetlb",
            [pages(4 << 20), pages(2 << 20)],
            huge("hugetlb.2MB.limit_in_bytes"),
            huge("hugetlb.2MB.max"),
        ),
        row(
            "hugepageLimits/0/limit",
            "hugetlb",
            [pages(4 << 20), pages(2 << 20)],
            huge("hugetlb.2MB.rsvd.limit_in_bytes"),
            huge("hugetlb.2MB.rsvd.max"),
        ),
        row("network/classID", "net_cls", [class(0x10_0001), class(7)], file("net_cls.classid", 0x10_0001, 7), NONE),
        row(
            "network/priorities/0",
            "net_prio",
            [priority(3), priority(4)],
            file("net_prio.ifpriomap", "lo 3", "lo 4"),
            NONE,
        ),
        Row {
            needs: Some("an RDMA device mlx5_1"),
            ..row(
                "rdma/mlx5_1",
                "rdma",
                [rdma(10), rdma(20)],
                file("rdma.max", "mlx5_1 hca_handle=3 hca_object=10", "mlx5_1 hca_handle=3 hca_object=20"),
                file("rdma.max", "mlx5_1 hca_handle=3 hca_object=10", "mlx5_1 hca_handle=3 hca_object=20"),
            )
        },
        row(
            "unified/cgroup.max.descendants",
            "",
            [unified("cgroup.max.descendants", "8"), unified("cgroup.max.descendants", "9")],
            NONE,
            file("cgroup.max.descendants", 8, 9),
        ),
        row(
            "unified/memory.high",
            "memory",
            [unified("memory.high", "67108864"), unified("memory.high", "max")],
            NONE,
            file("memory.high", 64 * MIB, "max"),
        ),
        row(
            "unified/hugetlb.2MB.max",
            "hugetlb",
            [unified("hugetlb.2MB.max", "2097152"), unified("hugetlb.2MB.max", "4194304")],
            NONE,
            file("hugetlb.2MB.max", 2 * MIB, 4 * MIB),
        ),
        Row {
            needs: Some("a resource \"sev\""),
            ..row(
                "unified/misc.max",
                "misc",
                [unified("misc.max", "sev 3"), unified("misc.max", "sev 4")],
                NONE,
                file("misc.max", "sev 3", "sev 4"),
            )
        },
    ]
}

/// All of them.
pub fn all() -> Vec<Row> {
    [memory(), cpu(), processes(), block_io(), others()].concat()
}
