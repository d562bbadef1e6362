// SPDX-License-Identifier: Apache-2.0
//! What the calls cost: `cargo test --release --lib cgroup::tests::timing -- --ignored --nocapture`.

use std::path::Path;
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;

use super::super::*;
use super::fixture::{Fixture, create};

#[test]
#[ignore = "a measurement"]
fn cost_of_each_call() {
    let Some(_fixture) = Fixture::new("timing") else { return };
    let resources = serde_json::from_str(
        r#"{"devices": [{"allow": false, "access": "rwm"}], "memory": {"limit": 67108864, "swap": 67108864},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000}, "pids": {"limit": 100}}"#,
    )
    .unwrap();
    let path = PathBuf::from(format!("/brig-test-{}-timing/container", std::process::id()));
    // The ancestor stays, as it does on a host with many containers.
    let mut above = Cgroup::plan(&Host::detect().unwrap(), path.parent(), "unused", false).unwrap();
    create(&mut above).unwrap();

    for gap in [0, 30] {
        eprintln!("after {gap} ms of idleness:");
        measure(&path, &resources, Duration::from_millis(gap));
    }
    above.remove().unwrap();
}

fn measure(path: &Path, resources: &LinuxResources, gap: Duration) {
    let names = ["detect", "plan", "create", "join_files", "apply", "remove", "all"];
    let mut samples = vec![Vec::new(); names.len()];
    for _ in 0..200 {
        std::thread::sleep(gap);
        let start = Instant::now();
        let mut last = start;
        let mut lap = |index: usize| {
            let now = Instant::now();
            samples[index].push(now - std::mem::replace(&mut last, now));
        };
        let host = Host::detect().unwrap();
        lap(0);
        let mut cgroup = Cgroup::plan(&host, Some(path), "unused", false).unwrap();
        lap(1);
        create(&mut cgroup).unwrap();
        lap(2);
        let files = cgroup.join_files().unwrap();
        lap(3);
        cgroup.apply(resources).unwrap();
        lap(4);
        drop(files);
        cgroup.remove().unwrap();
        lap(5);
        samples[6].push(start.elapsed());
    }
    for (name, mut samples) in names.iter().zip(samples) {
        samples.sort_unstable();
        eprintln!(
            "{name:10} {:6.1} µs median, {:6.1} at the 90th",
            samples[100].as_secs_f64() * 1e6,
            samples[180].as_secs_f64() * 1e6
        );
    }
}
