// SPDX-License-Identifier: Apache-2.0
//! What a container uses and what happens to it, as `brig events` prints it: against the files of the kernel, and
//! against runc.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Lab, skip, until};
use crate::{edit, lab};

/// The `data` of `brig events --stats`.
#[track_caller]
fn stats(lab: &Lab, id: &str) -> Value {
    let line = lab.brig(&["events", "--stats", id]).success();
    let mut event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(id)));
    event["data"].take()
}

/// The container's cgroup in the hierarchy of version 1 with this controller, or the unified one.
fn cgroup(lab: &Lab, id: &str, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", lab.pid(id))).unwrap();
    let mut unified = None;
    for line in text.lines() {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>()[..] else { continue };
        let path = path.trim_start_matches('/');
        if controllers.split(',').any(|name| name == controller) {
            return Path::new("/sys/fs/cgroup").join(controllers).join(path);
        }
        if controllers.is_empty() {
            let point = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
            let point = point.into_iter().find(|point| point.join("cgroup.controllers").exists()).unwrap();
            unified = Some(point.join(path));
        }
    }
    unified.unwrap()
}

fn number(directory: &Path, files: &[&str]) -> u64 {
    let text = files.iter().find_map(|file| fs::read_to_string(directory.join(file)).ok());
    let text = text.unwrap_or_else(|| panic!("none of {files:?} in {}", directory.display()));
    text.trim().parse().unwrap_or(u64::MAX)
}

/// A `brig events` that runs beside the test, and the lines it has printed.
struct Follower {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Follower {
    fn start(lab: &Lab, args: &[&str]) -> Self {
        let mut child = lab.command(&[&["events"], args].concat()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        (self.lines.read_line(&mut line).unwrap() > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// All that are left. The command must end by itself, and well.
    #[track_caller]
    fn rest(mut self) -> Vec<Value> {
        let lines = std::iter::from_fn(|| self.next()).collect();
        assert!(self.child.wait().unwrap().success());
        lines
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn numbers_are_those_of_the_files() {
    let lab = lab();
    let script = "i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; sleep 1000 & exec sleep 1000";
    lab.write(&["sh", "-c", script], |spec| {
        spec["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
        spec["linux"]["resources"]["pids"] = json!({ "limit": 50 });
        spec["linux"]["resources"]["cpu"] = json!({ "quota": 50_000, "period": 100_000 });
    });
    let id = lab.launch("counted");
    until("it sleeps", || lab.brig(&["ps", "--format", "json", &id]).out().matches(',').count() == 1);
    std::thread::sleep(Duration::from_millis(300));

    // Its usage may only grow from the files that are read before to those that are read after.
    let (cpu, memory, pids) = (cgroup(&lab, &id, "cpuacct"), cgroup(&lab, &id, "memory"), cgroup(&lab, &id, "pids"));
    let nanoseconds = || match fs::read_to_string(cpu.join("cpuacct.usage")) {
        Ok(text) => text.trim().parse::<u64>().unwrap(),
        Err(_) => {
            let text = fs::read_to_string(cpu.join("cpu.stat")).unwrap();
            text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap().parse::<u64>().unwrap() * 1000
        }
    };
    let usage = ["memory.usage_in_bytes", "memory.current"];
    let before = nanoseconds();
    let data = stats(&lab, &id);
    let after = nanoseconds();
    let total = data["cpu"]["usage"]["total"].as_u64().unwrap();
    assert!(before > 10_000_000 && (before..=after).contains(&total), "{before} ≤ {total} ≤ {after}");
    let (user, kernel) = (&data["cpu"]["usage"]["user"], &data["cpu"]["usage"]["kernel"]);
    assert!(user.as_u64().unwrap() + kernel.as_u64().unwrap() <= after + 20_000_000, "{data}");
    assert!(data["cpu"]["throttling"]["periods"].as_u64().unwrap() > 0, "{data}");
    let bytes = data["memory"]["usage"]["usage"].as_u64().unwrap();
    assert!(bytes.abs_diff(number(&memory, &usage)) < 4 << 20, "{bytes}");
    assert_eq!(data["memory"]["usage"]["limit"], 64 << 20);
    assert!(data["memory"]["usage"]["max"].as_u64().unwrap() >= bytes);
    assert!(data["memory"]["raw"].as_object().unwrap().len() > 10);
    assert_eq!(data["memory"]["event_count"]["oom_kill"], 0);
    assert_eq!(data["pids"], json!({ "current": 2, "limit": 50 }));
    assert_eq!(number(&pids, &["pids.current"]), 2);
    assert!(!data["cpuset"]["cpus"].as_array().unwrap().is_empty());
    assert_eq!(data["intel_rdt"], json!({}));

    // What it waited for, where the kernel measures that.
    let unified = cgroup(&lab, &id, "");
    match fs::read_to_string(unified.join("cpu.pressure")) {
        Ok(text) => {
            let total = data["cpu"]["psi"]["some"]["total"].as_u64().unwrap();
            let found: u64 = text.lines().next().unwrap().rsplit_once("total=").unwrap().1.parse().unwrap();
            assert!(total > 0 && total <= found, "throttled processes wait: {total} ≤ {found}");
            assert!(data["memory"]["psi"].is_object() && data["blkio"]["psi"].is_object());
        }
        Err(error) => skip(&format!("the figures of pressure: no cpu.pressure (PSI): {error}")),
    }
}

#[test]
fn the_names_are_those_of_runc() {
    if Command::new("runc").arg("--version").output().is_err() {
        return skip("a comparison with runc: it is not installed");
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| {
        spec["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
        spec["linux"]["resources"]["pids"] = json!({ "limit": 50 });
    });
    let ours = lab.launch("ours");
    let theirs = lab.id("theirs");
    let runc = |args: &[&str]| {
        let mut command = Command::new("runc");
        command.arg("--root").arg(lab.path.join("runc")).args(args).current_dir(lab.bundle()).stdin(Stdio::null());
        lab.end(&mut command)
    };
    runc(&["run", "--detach", &theirs]).success();
    let printed = runc(&["events", "--stats", &theirs]);
    let gone = runc(&["delete", "--force", &theirs]);
    let theirs: Value = serde_json::from_str(&printed.success()).unwrap();
    gone.success();
    let ours = json!({ "type": "stats", "id": ours, "data": stats(&lab, &ours) });

    let mut missing = Vec::new();
    compare("", &theirs, &ours, &mut missing);
    assert_eq!(missing, Vec::<String>::new(), "ours: {ours:#}\ntheirs: {theirs:#}");
    for pointer in ["/data/memory/usage/limit", "/data/pids", "/data/cpuset/cpus", "/data/cpuset/mems"] {
        assert_eq!(ours.pointer(pointer), theirs.pointer(pointer), "{pointer}");
    }
}

/// What the other has and we have not, or of another type.
fn compare(at: &str, theirs: &Value, ours: &Value, missing: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(own) => compare(&format!("{at}/{key}"), value, own, missing),
                    // Both leave out a zero.
                    None if value.is_number() => {}
                    None => missing.push(format!("{at}/{key}")),
                }
            }
        }
        // No interfaces are null there.
        (Value::Null, _) => {}
        (theirs, ours) if std::mem::discriminant(theirs) != std::mem::discriminant(ours) => missing.push(at.to_owned()),
        _ => {}
    }
}

#[test]
fn traffic_is_counted() {
    let lab = lab();
    let script = "ifconfig lo up; ping -c 3 -i 0.1 127.0.0.1; touch /tmp/done; sleep 1000";
    let grant = |spec: &mut Value| {
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = json!(["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        }
        edit::writable(spec);
    };
    lab.write(&["sh", "-c", script], grant);
    let id = lab.launch("talks");
    until("it has talked", || lab.rootfs().join("tmp/done").exists());
    let interfaces = stats(&lab, &id)["network_interfaces"].take();
    let lo = interfaces.as_array().unwrap().iter().find(|it| it["Name"] == "lo").unwrap();
    // Three requests and their replies, of 84 bytes each.
    assert_eq!((&lo["RxPackets"], &lo["TxPackets"]), (&json!(6), &json!(6)), "{lo}");
    assert_eq!((&lo["RxBytes"], &lo["TxBytes"]), (&json!(504), &json!(504)), "{lo}");
    assert_eq!((&lo["RxErrors"], &lo["TxDropped"]), (&json!(0), &json!(0)));

    // What it shares is not its own.
    lab.write(&["sleep", "1000"], |spec| edit::remove_namespace(spec, "network"));
    let id = lab.launch("shares");
    assert_eq!(stats(&lab, &id)["network_interfaces"], Value::Null);
}

#[test]
fn out_of_memory_is_told() {
    let lab = lab();
    let script = "sleep 0.5; a=x; while :; do a=$a$a$a; done";
    let limit = |spec: &mut Value| spec["linux"]["resources"]["memory"] = json!({ "limit": 20 << 20 });
    lab.write(&["sh", "-c", script], limit);
    let id = lab.launch("hungry");
    let lines = Follower::start(&lab, &["--interval", "100ms", &id]).rest();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert!(lines.iter().all(|line| line["id"] == id.as_str()));
    assert_eq!(of("oom"), 1, "{lines:?}");
    assert_eq!(lines.iter().find(|line| line["type"] == "oom").unwrap(), &json!({ "type": "oom", "id": id }));
    assert!(of("stats") >= 2, "{lines:?}");
    assert!(lab.brig(&["events", &id]).failure().contains(&format!("container with id {id} is not running")));
    lab.brig(&["delete", &id]).success();

    // One of several is killed, the container goes on: told at once, and counted.
    lab.write(&["sh", "-c", &format!("({script}); sleep 1000")], limit);
    let id = lab.launch("careless");
    let mut follower = Follower::start(&lab, &["--interval", "1h", &id]);
    assert_eq!(follower.next(), Some(json!({ "type": "oom", "id": id })));
    until("the kill is counted", || stats(&lab, &id)["memory"]["event_count"]["oom_kill"] == 1);
    assert_eq!(lab.state(&id)["status"], "running");
    lab.brig(&["kill", &id, "KILL"]).success();
    assert_eq!(follower.rest(), Vec::<Value>::new());
}

#[test]
fn it_ends_with_the_container() {
    let lab = lab();
    lab.write(&["sh", "-c", "until [ -e /end ]; do sleep 0.05; done"], edit::nothing);
    let end = lab.rootfs().join("end");
    for how in [Some(&["kill", "ID", "KILL"][..]), Some(&["delete", "--force", "ID"]), None] {
        let id = lab.launch("ends");
        let mut follower = Follower::start(&lab, &["--interval", "20ms", &id]);
        assert_eq!(follower.next().unwrap()["type"], "stats");
        match how {
            Some(args) => {
                let args: Vec<_> = args.iter().map(|arg| if *arg == "ID" { id.as_str() } else { arg }).collect();
                lab.brig(&args).success();
            }
            None => fs::write(&end, "").unwrap(),
        }
        let start = Instant::now();
        assert!(follower.rest().iter().all(|line| line["type"] == "stats"), "{how:?}");
        assert!(start.elapsed() < Duration::from_secs(20));
        lab.brig(&["delete", "--force", &id]);
    }
    // Of one that is not started yet there are statistics as well.
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.create("waits");
    let mut follower = Follower::start(&lab, &["--interval", "20ms", &id]);
    assert_eq!(follower.next().unwrap()["type"], "stats");
    lab.brig(&["start", &id]).success();
    lab.brig(&["pause", &id]).success();
    for _ in 0..3 {
        assert_eq!(follower.next().unwrap()["type"], "stats");
    }
}

#[test]
fn what_there_are_no_events_of() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    for args in [&["events", "nobody"][..], &["events", "--stats", "nobody"]] {
        assert!(lab.brig(args).failure().contains("container does not exist"));
    }
    let id = lab.launch("over");
    lab.await_status(&id, "stopped");
    for args in [&["events", &id][..], &["events", "--stats", &id]] {
        assert!(lab.brig(args).failure().contains(&format!("container with id {id} is not running")));
    }
    for interval in ["0s", "-5s"] {
        let said = lab.brig(&["events", "--interval", interval, &id]).failure();
        assert!(said.contains("--interval") && said.contains("must be greater than 0"), "{said}");
    }
    for interval in ["abc", "0", "5", ""] {
        let said = lab.brig(&["events", "--interval", interval, &id]).failure();
        assert!(said.contains("--interval") && said.contains("it is not a duration"), "{said}");
    }
    assert!(lab.brig(&["events"]).code() == Some(1));
}
