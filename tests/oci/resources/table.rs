// SPDX-License-Identifier: Apache-2.0
//! The table: what a field is at create and what an update makes of it, and for each version of cgroups in which file that
//! is found, and how.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Version, created, disk, place, processors, throttle, update};
use crate::cgroups::VIEWS;
use crate::common::{Lab, User, skip};
use crate::rootless::{Home, Means, session};
use crate::{lab, systemd};

/// Who makes the cgroups.
#[derive(Clone, Copy, PartialEq)]
enum Driver {
    /// brig, or for a user in a session the user's systemd, which is not asked here.
    Cgroupfs,
    /// systemd, whose scopes have properties.
    Systemd,
}

/// One field.
#[derive(Clone)]
struct Row {
    /// As its errors name it, below `/linux/resources`.
    pointer: String,
    /// The version 1 name of its controller; empty for the unified hierarchy itself.
    controller: &'static str,
    /// The resources of the create, and of the update.
    values: [Value; 2],
    /// The files it may be in, of which a kernel has one, each with a line after the create and one after the update.
    v1: Vec<File>,
    /// The same.
    v2: Vec<File>,
    /// What the host must have for it beside the controller.
    needs: Option<&'static str>,
}

type File = (&'static str, String, String);

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

impl Row {
    /// Tries it on this host: what is asked for is in the kernel's file, or brig refuses it and says which field. The
    /// user of a laboratory that is not root's has these controllers.
    fn check(&self, lab: &Lab, delegated: Option<&str>, driver: Driver) {
        let pid = std::process::id().try_into().unwrap();
        let here = place(pid, self.controller);
        let name = &self.pointer;
        let controller = if self.controller == "blkio" { "io" } else { self.controller };
        let has = |list: &str| controller.is_empty() || list.split_whitespace().any(|one| one == controller);
        let id = match created(lab, &self.values[0]) {
            Ok(id) => id,
            Err(text) if delegated.is_some_and(|list| !has(list)) => {
                assert!(
                    text.contains(&format!("/linux/resources/{}", name.split('/').next().unwrap())),
                    "{name}: {text}"
                );
                lab.assert_clean();
                return skip(&format!("{name}: no {controller} controller is delegated to the user"));
            }
            Err(text) => {
                // Without its controller, a field beside it may be the first that is refused.
                let named = if here.is_none() { name.split('/').next().unwrap() } else { name };
                assert!(text.contains(&format!("/linux/resources/{named}")), "{name}: {text}");
                self.may_be_refused(here.map(|(version, _)| version), &text);
                lab.assert_clean();
                return;
            }
        };
        // A view may hide that the unified hierarchy has the controller.
        let found = place(lab.pid(&id), self.controller).or_else(|| place(lab.pid(&id), ""));
        let (version, cgroup) = found.unwrap_or_else(|| panic!("{name}: not refused"));
        let files = match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        };
        let present = files.iter().find(|(file, ..)| cgroup.join(file).exists());
        let Some((file, first, second)) = present else {
            // A file that is only written where it is.
            assert!(name.starts_with("hugepageLimits") && files[0].0.contains("rsvd"), "{name}: not refused");
            lab.brig(&["delete", "--force", &id]).success();
            return skip(&format!("{name}: this kernel has no {}", files[0].0));
        };
        let check = |when: &str, line: &str| {
            let text = fs::read_to_string(cgroup.join(file)).unwrap();
            assert!(
                text.lines().any(|found| found.trim() == line),
                "{name} {when}: {file} says {text:?}, not {line:?}"
            );
        };
        let scope = |when: &str, line: &str| {
            if let (Driver::Systemd, Some((property, expected))) = (driver, property(file, line)) {
                let shown = systemd::property(&format!("brig-{id}.scope"), property);
                assert_eq!(shown, expected, "{name} {when}: {property}");
            }
        };
        check("created", first);
        scope("created", first);
        update(lab, &id, &self.values[1]).unwrap_or_else(|text| panic!("{name}: {text}"));
        check("updated", second);
        scope("updated", second);
        lab.brig(&["delete", "--force", &id]).success();
        println!("{version:?} {name}: {file} {first} -> {second}");
    }

    /// Whether this host is a good reason.
    fn may_be_refused(&self, here: Option<Version>, text: &str) {
        let name = &self.pointer;
        let files = match here {
            None => return skip(&format!("{name}: this host has no {} cgroup controller", self.controller)),
            Some(Version::V1) => &self.v1,
            Some(Version::V2) => &self.v2,
        };
        if files.is_empty() {
            println!("{here:?} {name}: is refused");
            return;
        }
        match self.needs {
            Some(needs) => skip(&format!("{name}: it needs {needs}")),
            None => {
                // An error about a file that is not there names it.
                assert!(files.iter().any(|(file, ..)| text.contains(&format!("has no {file}"))), "{name}: {text}");
                skip(&format!("{name}: this kernel has no {}", files[0].0));
            }
        }
    }
}

#[test]
fn each_field_is_in_its_file() {
    all().iter().for_each(|row| row.check(&lab(), None, Driver::Cgroupfs));
}

/// The same in scopes, by files and, where systemd has one, by the property: at create and after the update.
#[test]
fn each_field_is_in_its_file_and_its_property_with_systemd() {
    if !systemd::is_booted() {
        return;
    }
    for row in all() {
        let root = User { becomes: vec!["env".to_owned()], flags: vec!["--systemd-cgroup".to_owned()], uid: 0 };
        row.check(&lab().given_to(root), None, Driver::Systemd);
    }
}

/// What `systemctl show` says of a scope when a file has this line; `None` where systemd has no property for it.
fn property(file: &str, line: &str) -> Option<(&'static str, String)> {
    let number = || if line == "max" { "infinity".to_owned() } else { line.to_owned() };
    Some(match file {
        "memory.max" => ("MemoryMax", number()),
        "memory.high" => ("MemoryHigh", number()),
        "memory.low" => ("MemoryLow", number()),
        "memory.swap.max" => ("MemorySwapMax", number()),
        // It has no limit of none.
        "pids.max" if line == "0" => ("TasksMax", "1".to_owned()),
        "pids.max" => ("TasksMax", number()),
        "cpu.weight" => ("CPUWeight", number()),
        "cpu.idle" => ("CPUWeight", if line == "1" { "idle" } else { "[not set]" }.to_owned()),
        "cpuset.cpus" => ("AllowedCPUs", number()),
        "cpuset.mems" => ("AllowedMemoryNodes", number()),
        // The scheduler BFQ has a file of its own, with its own scale.
        "io.bfq.weight" | "io.weight" => {
            let weight: u64 = line.strip_prefix("default ")?.parse().unwrap();
            ("IOWeight", if file == "io.weight" { weight } else { 1 + (weight - 10) * 9999 / 990 }.to_string())
        }
        "cpu.max" => {
            let (quota, period) = line.split_once(' ').unwrap();
            let each_second = match quota.parse::<u64>() {
                Ok(quota) => format!("{}ms", quota * 1000 / period.parse::<u64>().unwrap()),
                Err(_) => "infinity".to_owned(),
            };
            ("CPUQuotaPerSecUSec", each_second)
        }
        _ => return None,
    })
}

/// By a user, in a part of the tree that it was given.
#[test]
fn each_field_is_in_its_file_for_a_user() {
    let home = Home::new(&Means { tree: true, ..Means::default() });
    let controllers = fs::read_to_string(home.tree().join("cgroup.controllers")).unwrap();
    all().iter().for_each(|row| row.check(&home, Some(&controllers), Driver::Cgroupfs));
}

/// By a user whose systemd makes a scope.
#[test]
fn each_field_is_in_its_file_in_a_session() {
    let Some((lab, _allowed)) = session() else { return };
    let manager = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers";
    let controllers = fs::read_to_string(manager).unwrap();
    for row in all() {
        row.check(&lab, Some(&controllers), Driver::Cgroupfs);
    }
}

fn all() -> Vec<Row> {
    [memory(), cpu(), processes(), block_io(), others()].concat()
}

/// The same in the views of other hosts.
#[test]
fn each_field_is_in_its_file_on_other_kinds_of_hosts() {
    if !Path::new("/sys/fs/cgroup/unified").exists() {
        return skip("this host is not hybrid, so that no other kind can be made of it");
    }
    for (view, setup) in VIEWS {
        let lab = lab();
        lab.write(&["true"], crate::edit::nothing);
        let name = lab.id("caller");
        let setup = format!("name={name}; empty='{}/empty'; {setup}", lab.path.display());
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "resources::table::each_field_is_in_its_file", "--nocapture"]);
        let done = lab.end(&mut lab.behind(&setup, &again));
        // Before anything is asserted: the caller's own cgroup was made by this test.
        for left in [format!("{name}/caller"), name] {
            let _ = fs::remove_dir(Path::new("/sys/fs/cgroup/unified").join(left));
        }
        let text = format!("{}{}", done.out(), done.err());
        assert!(done.0.status.success() && text.contains("1 passed"), "{view}: {text}");
        println!("on {view}:\n{}", done.out());
    }
}
