// SPDX-License-Identifier: Apache-2.0
//! What is written for which field.

use std::path::Path;

use oci_spec::runtime::LinuxResources;

use super::super::*;
use super::{ALL_CONTROLLERS, HYBRID, UNIFIED, host};

fn v1() -> Cgroup {
    Cgroup::plan(&host(HYBRID).with_unified(&["hugetlb"]), Some(Path::new("/c")), "c", false).unwrap()
}

fn v2() -> Cgroup {
    Cgroup::plan(&host(UNIFIED).with_unified(ALL_CONTROLLERS), Some(Path::new("/c")), "c", false).unwrap()
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

fn writes(cgroup: &Cgroup, json: &str) -> Vec<String> {
    cgroup.compiled(&resources(json)).unwrap()
}

fn refusal(cgroup: &Cgroup, json: &str) -> (Kind, String) {
    let error = cgroup.check(&resources(json)).unwrap_err();
    let pointer = error.pointer.unwrap();
    assert!(error.message.starts_with(&pointer), "{}", error.message);
    (error.kind, pointer.strip_prefix("/linux/resources/").unwrap().to_owned())
}

#[test]
fn nothing_is_asked_nothing_is_written() {
    for json in [
        "{}",
        r#"{"memory": {}, "cpu": {}, "blockIO": {}}"#,
        r#"{"memory": {"limit": 0, "swap": 0, "reservation": 0, "kernel": 5, "kernelTCP": 0, "useHierarchy": true},
            "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""}, "blockIO": {"weight": 0}}"#,
    ] {
        assert_eq!(writes(&v1(), json), [""; 0]);
        assert_eq!(writes(&v2(), json), [""; 0]);
    }
}

#[test]
fn memory() {
    let json = r#"{"memory": {"limit": 1000, "swap": 1500, "reservation": 500}}"#;
    assert_eq!(
        writes(&v1(), json),
        ["memory.limit_in_bytes=1000", "memory.memsw.limit_in_bytes=1500", "memory.soft_limit_in_bytes=500"]
    );
    assert_eq!(writes(&v2(), json), ["memory.max=1000", "memory.swap.max=500", "memory.low=500"]);

    let unlimited = r#"{"memory": {"limit": -1, "reservation": -1, "disableOOMKiller": false}}"#;
    assert_eq!(
        writes(&v1(), unlimited),
        [
            "memory.limit_in_bytes=-1?",
            "memory.memsw.limit_in_bytes=-1?",
            "memory.soft_limit_in_bytes=-1?",
            "memory.oom_control=0?"
        ]
    );
    assert_eq!(writes(&v2(), unlimited), ["memory.max=max?", "memory.swap.max=max?", "memory.low=max?"]);
    assert_eq!(writes(&v2(), r#"{"memory": {"limit": 7, "swap": -1}}"#), ["memory.max=7", "memory.swap.max=max?"]);
    assert_eq!(writes(&v2(), r#"{"memory": {"limit": 7, "swap": 7}}"#), ["memory.max=7", "memory.swap.max=0"]);
}

#[test]
fn memory_refusals() {
    for cgroup in [v1(), v2()] {
        assert_eq!(refusal(&cgroup, r#"{"memory": {"limit": -2}}"#), (Kind::Config, "memory/limit".to_owned()));
        assert_eq!(
            refusal(&cgroup, r#"{"memory": {"limit": 9, "swap": 8}}"#),
            (Kind::Config, "memory/swap".to_owned())
        );
        assert_eq!(
            refusal(&cgroup, r#"{"memory": {"limit": -1, "swap": 8}}"#),
            (Kind::Config, "memory/swap".to_owned())
        );
    }
    assert_eq!(refusal(&v1(), r#"{"memory": {"swappiness": 201}}"#), (Kind::Config, "memory/swappiness".to_owned()));
    assert_eq!(
        refusal(&v2(), r#"{"memory": {"swappiness": 60}}"#),
        (Kind::Unsupported, "memory/swappiness".to_owned())
    );
    assert_eq!(refusal(&v2(), r#"{"memory": {"disableOOMKiller": true}}"#).0, Kind::Unsupported);
    assert_eq!(refusal(&v2(), r#"{"memory": {"kernelTCP": 8}}"#).0, Kind::Unsupported);
    assert_eq!(refusal(&v2(), r#"{"memory": {"swap": 8}}"#), (Kind::Config, "memory/swap".to_owned()));
}

#[test]
fn cpu() {
    let json = r#"{"cpu": {"shares": 512, "quota": 5000, "period": 10000, "burst": 100, "idle": 0, "cpus": "0-1,3", "mems": "0"}}"#;
    assert_eq!(
        writes(&v1(), json),
        [
            "cpu.idle=0?",
            "cpu.shares=512",
            "cpu.cfs_quota_us=5000",
            "cpu.cfs_period_us=10000",
            "cpu.cfs_burst_us=100",
            "cpuset.cpus=0-1,3",
            "cpuset.mems=0"
        ]
    );
    assert_eq!(
        writes(&v2(), json),
        [
            "cpu.idle=0?",
            "cpu.weight=59",
            "cpu.max=5000 10000",
            "cpu.max.burst=100",
            "cpuset.cpus=0-1,3",
            "cpuset.mems=0"
        ]
    );
    assert_eq!(writes(&v2(), r#"{"cpu": {"quota": -1}}"#), ["cpu.max=max?"]);
    assert_eq!(writes(&v2(), r#"{"cpu": {"period": 5000}}"#), ["cpu.max=max 5000"]);
    assert_eq!(writes(&v2(), r#"{"cpu": {"idle": 1, "shares": 5}}"#), ["cpu.idle=1"]);
    assert_eq!(
        writes(&v1(), r#"{"cpu": {"realtimeRuntime": 500, "realtimePeriod": 1000}}"#),
        ["cpu.rt_period_us=1000", "cpu.rt_runtime_us=500"]
    );

    assert_eq!(refusal(&v1(), r#"{"cpu": {"quota": -7}}"#), (Kind::Config, "cpu/quota".to_owned()));
    assert_eq!(refusal(&v1(), r#"{"cpu": {"quota": 999}}"#), (Kind::Config, "cpu/quota".to_owned()));
    assert_eq!(refusal(&v2(), r#"{"cpu": {"period": 5}}"#), (Kind::Config, "cpu/period".to_owned()));
    assert_eq!(refusal(&v2(), r#"{"cpu": {"idle": 2}}"#), (Kind::Config, "cpu/idle".to_owned()));
    assert_eq!(refusal(&v2(), r#"{"cpu": {"cpus": "0\n1"}}"#), (Kind::Config, "cpu/cpus".to_owned()));
    assert_eq!(
        refusal(&v2(), r#"{"cpu": {"realtimeRuntime": 5}}"#),
        (Kind::Unsupported, "cpu/realtimeRuntime".to_owned())
    );
}

#[test]
fn shares_become_weights() {
    // The three anchors, what is beyond them, and some between.
    for (shares, weight) in
        [(1, 1), (2, 1), (1024, 100), (262_144, 10_000), (1 << 20, 10_000), (512, 59), (2048, 174), (100, 17)]
    {
        let json = format!(r#"{{"cpu": {{"shares": {shares}}}}}"#);
        let expected = format!("cpu.weight={weight}{}", if shares == 1024 { "?" } else { "" });
        assert_eq!(writes(&v2(), &json), [expected], "{shares}");
    }
    let weights: Vec<u32> = (2..4000)
        .map(|shares| {
            writes(&v2(), &format!(r#"{{"cpu": {{"shares": {shares}}}}}"#))[0]
                .trim_start_matches("cpu.weight=")
                .trim_end_matches('?')
                .parse()
                .unwrap()
        })
        .collect();
    assert!(weights.is_sorted());
}

#[test]
fn pids() {
    for cgroup in [v1(), v2()] {
        assert_eq!(writes(&cgroup, r#"{"pids": {"limit": 5}}"#), ["pids.max=5"]);
        assert_eq!(writes(&cgroup, r#"{"pids": {"limit": -1}}"#), ["pids.max=max?"]);
        assert_eq!(
            writes(&cgroup, r#"{"pids": {"limit": 0}}"#),
            ["pids.max=0"],
            "a limit since version 1.3 of the spec"
        );
        assert_eq!(refusal(&cgroup, r#"{"pids": {"limit": -9}}"#), (Kind::Config, "pids/limit".to_owned()));
    }
}

#[test]
fn block_io() {
    let json = r#"{"blockIO": {"weight": 505,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 1000}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 100}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}]}}"#;
    assert_eq!(
        writes(&v1(), json),
        [
            "blkio.weight=505|blkio.bfq.weight=505",
            "blkio.weight_device=8:0 1000|blkio.bfq.weight_device=8:0 1000",
            "blkio.throttle.read_bps_device=8:0 100",
            "blkio.throttle.write_iops_device=8:16 0"
        ]
    );
    assert_eq!(
        writes(&v2(), json),
        [
            "io.bfq.weight=505|io.weight=5000",
            "io.bfq.weight=8:0 1000|io.weight=8:0 10000",
            "io.max=8:0 rbps=100",
            "io.max=8:16 wiops=max"
        ]
    );
    assert_eq!(
        refusal(&v2(), r#"{"blockIO": {"leafWeight": 5}}"#),
        (Kind::Unsupported, "blockIO/leafWeight".to_owned())
    );
    assert_eq!(refusal(&v1(), r#"{"blockIO": {"weight": 1001}}"#), (Kind::Config, "blockIO/weight".to_owned()));
    assert_eq!(
        refusal(&v1(), r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": -1, "rate": 1}]}}"#),
        (Kind::Config, "blockIO/throttleReadBpsDevice/0/minor".to_owned())
    );
}

#[test]
fn huge_pages_where_their_controller_is() {
    let json = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4096}]}"#;
    for cgroup in [v1(), v2()] {
        assert_eq!(writes(&cgroup, json), ["hugetlb.2MB.max=4096", "hugetlb.2MB.rsvd.max=4096?"]);
    }
    for size in ["2M", "../x", "MB", "2 MB"] {
        let json = format!(r#"{{"hugepageLimits": [{{"pageSize": "{size}", "limit": 1}}]}}"#);
        assert_eq!(refusal(&v2(), &json), (Kind::Config, "hugepageLimits/0/pageSize".to_owned()));
    }
}

#[test]
fn rdma_and_network() {
    assert_eq!(
        writes(&v2(), r#"{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10}}}"#),
        ["rdma.max=mlx5_1 hca_handle=3 hca_object=10"]
    );
    assert_eq!(
        refusal(&v1(), r#"{"rdma": {"mlx5_1": {"hcaHandles": 3}}}"#),
        (Kind::Unsupported, "rdma/mlx5_1".to_owned())
    );
    assert_eq!(refusal(&v1(), r#"{"network": {"classID": 3}}"#), (Kind::Unsupported, "network/classID".to_owned()));
    assert_eq!(
        refusal(&v2(), r#"{"network": {"priorities": [{"name": "eth0 1\nlo", "priority": 3}]}}"#),
        (Kind::Config, "network/priorities/0/name".to_owned())
    );
}

#[test]
fn unified() {
    let json = r#"{"unified": {"memory.high": "100", "io.max": "8:0 rbps=1\n8:16 rbps=2\n", "cgroup.max.depth": "3"}}"#;
    assert_eq!(
        writes(&v2(), json),
        ["cgroup.max.depth=3", "io.max=8:0 rbps=1", "io.max=8:16 rbps=2", "memory.high=100"]
    );
    for key in ["memory", "../memory.high", "a/b.c", "cgroup.procs", "cgroup.kill", "cgroup.subtree_control"] {
        let json = format!(r#"{{"unified": {{"{key}": "1"}}}}"#);
        assert_eq!(refusal(&v2(), &json), (Kind::Config, format!("unified/{}", key.replace('/', "~1"))));
    }
    let (mounts, cgroups) = HYBRID;
    let v1 = Host::from_texts(mounts.split_once("41 31").unwrap().0, cgroups);
    let v1 = Cgroup::plan(&v1, None, "c", false).unwrap();
    assert_eq!(
        refusal(&v1, r#"{"unified": {"memory.high": "1"}}"#),
        (Kind::Unsupported, "unified/memory.high".to_owned())
    );
}

#[test]
fn a_missing_controller_is_named() {
    let bare = Cgroup::plan(&host(UNIFIED), None, "c", false).unwrap();
    for (json, pointer, name) in [
        (r#"{"memory": {"limit": 5}}"#, "memory/limit", "no memory "),
        (r#"{"cpu": {"cpus": "0"}}"#, "cpu/cpus", "no cpuset "),
        (r#"{"blockIO": {"weight": 50}}"#, "blockIO/weight", "no io "),
    ] {
        let error = bare.check(&resources(json)).unwrap_err();
        assert_eq!((error.kind, error.pointer), (Kind::Unsupported, Some(format!("/linux/resources/{pointer}"))));
        assert!(error.message.contains(name), "{}", error.message);
    }
    // What asks for nothing may stand there.
    let neutral = r#"{"memory": {"limit": -1, "swap": -1, "disableOOMKiller": false}, "cpu": {"shares": 1024, "quota": -1}, "pids": {"limit": -1}}"#;
    assert_eq!(writes(&bare, neutral), [""; 0]);
}
