// SPDX-License-Identifier: Apache-2.0
//! What limits do: measured, not read.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Version, place};
use crate::common::{skip, until};
use crate::lab;

/// Processes that double for ever stay inside, and the host can still end them.
#[test]
fn a_fork_bomb_stays_inside() {
    let lab = lab();
    let own = std::process::id().try_into().unwrap();
    if place(own, "pids").is_none() {
        return skip("this host has no pids cgroup controller");
    }
    // A shell that cannot fork gives up: hence several, beside a first process that stays.
    let script = "bomb() { bomb | bomb & }; for i in 1 2 3 4 5 6 7 8; do bomb; done 2>/dev/null & exec sleep 1000";
    lab.write(&["sh", "-c", script], |spec| spec["linux"]["resources"]["pids"] = json!({ "limit": 32 }));
    let id = lab.launch("bomb");
    let (_, cgroup) = place(lab.pid(&id), "pids").unwrap();
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap();
    let inside = || {
        let count = read("pids.current").trim().parse::<u32>().unwrap();
        assert!(count <= 32 && read("cgroup.procs").lines().count() <= 32, "{count}");
    };
    until("it has hit the limit", || {
        inside();
        read("pids.events").trim() != "max 0"
    });
    (0..100).for_each(|_| inside());
    if cgroup.join("pids.peak").exists() {
        assert_eq!(read("pids.peak").trim(), "32", "the most that there ever were");
    }
    lab.brig(&["delete", "--force", &id]).success();
    lab.assert_clean();
}

/// The processor time that a cgroup has used.
fn used((version, cgroup): &(Version, impl AsRef<Path>)) -> Duration {
    match version {
        Version::V1 => {
            let text = fs::read_to_string(cgroup.as_ref().join("cpuacct.usage")).unwrap();
            Duration::from_nanos(text.trim().parse().unwrap())
        }
        Version::V2 => {
            let text = fs::read_to_string(cgroup.as_ref().join("cpu.stat")).unwrap();
            let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap();
            Duration::from_micros(usage.parse().unwrap())
        }
    }
}

/// Two that never rest share a fifth of one processor, and after an update two fifths.
#[test]
fn a_quota_of_processor_time_holds() {
    let lab = lab();
    let own = std::process::id().try_into().unwrap();
    if place(own, "cpu").is_none() {
        return skip("this host has no cpu cgroup controller");
    }
    lab.write(&["sh", "-c", "while :; do :; done & while :; do :; done"], |spec| {
        spec["linux"]["resources"]["cpu"] = json!({ "quota": 20_000, "period": 100_000, "shares": 200_000 });
    });
    let id = lab.launch("busy");
    let place = place(lab.pid(&id), "cpuacct").or_else(|| place(lab.pid(&id), "")).unwrap();
    let measure = || {
        let (start, before) = (Instant::now(), used(&place));
        std::thread::sleep(Duration::from_secs(3));
        (used(&place) - before).as_secs_f64() / start.elapsed().as_secs_f64()
    };
    for (quota, low, high) in [("20000", 0.15, 0.25), ("40000", 0.35, 0.45)] {
        lab.brig(&["update", "--cpu-quota", quota, &id]).success();
        // Where others want the processors too it may get less for a while, in spite of its shares; and in a virtual machine
        // whose host is busy time goes by while the processors stand still, for which it has to make up afterwards. One that
        // is not limited would use two.
        let kept = (0..8).any(|_| {
            let share = measure();
            println!("a quota of {quota} of 100000: {share:.3} of a processor");
            (low..=high).contains(&share)
        });
        assert!(kept, "a quota of {quota} was never kept and used to its end");
    }
}

/// Whoever takes more than there may be is killed, and the container's limit is seen to be the reason.
#[test]
fn more_memory_than_the_limit_is_death() {
    let lab = lab();
    let own = std::process::id().try_into().unwrap();
    if place(own, "memory").is_none() {
        return skip("this host has no memory cgroup controller");
    }
    let script = "trap 'exit 0' TERM; tail -c 90000000 /dev/zero; echo $? > /dev/shm/code; sleep 1000 & wait";
    lab.write(&["sh", "-c", script], |spec| {
        spec["linux"]["resources"]["memory"] = json!({ "limit": 20 << 20, "swap": 20 << 20 });
    });
    let id = lab.launch("hog");
    let code = format!("/proc/{}/root/dev/shm/code", lab.pid(&id));
    until("it is killed", || fs::read_to_string(&code).is_ok_and(|text| text == "137\n"));
    let (version, cgroup) = place(lab.pid(&id), "memory").unwrap();
    let file = if version == Version::V1 { "memory.oom_control" } else { "memory.events" };
    let text = fs::read_to_string(cgroup.join(file)).unwrap();
    let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap();
    assert!(kills.parse::<u32>().unwrap() >= 1, "{text}");
}
