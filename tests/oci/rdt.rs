// SPDX-License-Identifier: Apache-2.0
//! `linux.intelRdt`, in a directory that looks like a resctrl filesystem where there is none: in a mount namespace of its
//! own, brig reads a mountinfo that has one there. It has no kernel behind it, so that a group has no more files than were
//! written.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::{Done, Lab, skip};
use crate::{edit, lab};

/// A laboratory with such a directory.
struct Resctrl {
    lab: Lab,
    root: PathBuf,
}

impl Resctrl {
    fn new() -> Self {
        let lab = lab();
        let root = lab.path.join("resctrl");
        fs::create_dir_all(root.join("info")).unwrap();
        fs::create_dir(root.join("mon_groups")).unwrap();
        fs::write(root.join("schemata"), "    L3:0=7ff;1=7ff\n    MB:0=100;1= 50\n").unwrap();
        fs::write(root.join("tasks"), "").unwrap();
        let own = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let line = format!("99999 1 0:99 / {} rw shared:99 - resctrl resctrl rw\n", root.display());
        fs::write(lab.path.join("mountinfo"), own + &line).unwrap();
        Self { lab, root }
    }

    /// A class that somebody has made.
    fn class(&self, name: &str, schemata: &str) {
        fs::create_dir_all(self.root.join(name)).unwrap();
        fs::write(self.root.join(name).join("schemata"), schemata).unwrap();
    }

    /// The command, which sees the mount.
    fn brig(&self, args: &[&str]) -> Done {
        // The shell becomes the command, and keeps its pid.
        let file = self.lab.path.join("mountinfo");
        let setup = format!("mount --bind '{}' /proc/$$/task/$$/mountinfo", file.display());
        self.lab.end(&mut self.lab.behind(&setup, &self.lab.command(args)))
    }

    /// A bundle that sleeps, with this section.
    fn write(&self, rdt: Value) -> &Self {
        self.lab.write(&["sleep", "1000"], |spec| spec["linux"]["intelRdt"] = rdt);
        self
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// All directories below the root but those that it has by itself.
    fn groups(&self) -> Vec<String> {
        let mut found = Vec::new();
        for class in fs::read_dir(&self.root).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
            let name = class.file_name().into_string().unwrap();
            let monitors = match name == "mon_groups" {
                true => class.path(),
                false => class.path().join("mon_groups"),
            };
            let monitors = fs::read_dir(monitors).into_iter().flatten().flatten();
            found.extend(monitors.map(|group| format!("{name}:{}", group.file_name().to_str().unwrap())));
            if !["info", "mon_groups"].contains(&name.as_str()) {
                found.push(name);
            }
        }
        found.sort();
        found
    }
}

#[test]
fn a_class_of_its_own_comes_and_goes_with_the_container() {
    let rdt = Resctrl::new();
    rdt.write(json!({
        "l3CacheSchema": "L3:0=f;1=f0\nMB:0=20;1=20",
        "memBwSchema": "MB:0=20;1=70",
        "schemata": ["L2:0=3"],
        "enableMonitoring": true,
    }));
    let id = rdt.lab.id("own");
    rdt.brig(&["create", &id]).success();
    let monitor = format!("{id}/mon_groups/{id}");
    assert_eq!(rdt.groups(), [id.clone(), format!("{id}:{id}")]);
    // The rule for a line of memory bandwidth among those of caches.
    assert_eq!(rdt.read(&format!("{id}/schemata")), "L3:0=f;1=f0\nMB:0=20;1=70\nL2:0=3\n");
    // It is there before the program runs.
    let pid = format!("{}\n", rdt.lab.pid(&id));
    assert_eq!(rdt.read(&format!("{id}/tasks")), pid);
    assert_eq!(rdt.read(&format!("{monitor}/tasks")), pid);
    assert_eq!(rdt.read("tasks"), "");
    rdt.lab.brig(&["start", &id]).success();

    // The program of an exec comes from the host, and is put in as well; it is not believed by another pid.
    let seen = rdt.lab.brig(&["exec", "--detach", "--pid-file", "pid", &id, "sleep", "1000"]);
    seen.success();
    let lines = rdt.read(&format!("{monitor}/tasks"));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert_eq!(lines, rdt.read(&format!("{id}/tasks")));

    // Neither the mount nor its list is asked for to remove them.
    rdt.lab.brig(&["delete", "--force", &id]).success();
    assert_eq!(rdt.groups(), [""; 0]);
    rdt.lab.assert_clean();
}

#[test]
fn children_of_the_first_process_inherit() {
    // Of two inits the first one is put in, before it forks: so is the second.
    let rdt = Resctrl::new();
    rdt.lab.write(&["sleep", "1000"], |spec| {
        edit::namespace(spec, "time", None);
        spec["linux"]["intelRdt"] = json!({});
    });
    let id = rdt.lab.id("two");
    rdt.brig(&["run", "--detach", &id]).success();
    let tasks = rdt.read(&format!("{id}/tasks"));
    let pids: Vec<_> = tasks.lines().collect();
    assert!(pids.len() == 2 && pids[1] == rdt.lab.pid(&id).to_string(), "{tasks}");
    assert!(!rdt.root.join(&id).join("schemata").exists(), "nothing to be written is not written");
    rdt.lab.brig(&["delete", "--force", &id]).success();
    assert_eq!(rdt.groups(), [""; 0]);
}

#[test]
fn a_named_class_is_shared_and_stays() {
    let rdt = Resctrl::new();
    rdt.class("gold", "    L3:0=00f;1=0f0\n    MB:0=100;1= 50\n");
    // As it is, or said in other words, or not said at all.
    for section in [
        json!({ "closID": "gold" }),
        json!({ "closID": "gold", "l3CacheSchema": "L3:0=f;1=f0" }),
        json!({ "closID": "gold", "schemata": ["L3:1=0xF0", "MB:1=50"] }),
        json!({ "closID": "/", "memBwSchema": "MB:0=100", "enableMonitoring": true }),
    ] {
        let id = rdt.lab.id("named");
        rdt.write(section.clone()).brig(&["create", &id]).success();
        let class = section["closID"].as_str().unwrap().replace('/', ".");
        assert!(
            rdt.read(&format!("{class}/tasks")).lines().any(|pid| pid == rdt.lab.pid(&id).to_string()),
            "{section}"
        );
        if class == "." {
            assert_eq!(rdt.groups(), ["gold".to_owned(), format!("mon_groups:{id}")]);
        }
        rdt.lab.brig(&["delete", &id]).success();
        assert_eq!(rdt.groups(), ["gold"], "{section}");
    }
    assert_eq!(rdt.read("gold/schemata"), "    L3:0=00f;1=0f0\n    MB:0=100;1= 50\n");

    // One that is made is for others as well.
    let id = rdt.lab.id("made");
    rdt.write(json!({ "closID": "silver", "memBwSchema": "MB:0=10" })).brig(&["create", &id]).success();
    rdt.lab.brig(&["delete", &id]).success();
    assert_eq!((rdt.groups(), rdt.read("silver/schemata")), (vec!["gold".into(), "silver".into()], "MB:0=10\n".into()));
}

#[test]
fn what_was_asked_for_before_1_3_is_monitoring() {
    let rdt = Resctrl::new();
    for name in ["enableCMT", "enableMBM"] {
        let id = rdt.lab.id("old");
        rdt.write(json!({ name: true })).brig(&["create", &id]).success();
        assert_eq!(rdt.groups(), [id.clone(), format!("{id}:{id}")], "{name}");
        rdt.lab.brig(&["delete", &id]).success();
    }
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let rdt = Resctrl::new();
    rdt.class("gold", "L3:0=00f;1=0f0\n");
    let id = rdt.lab.id("bad");
    for (section, texts) in [
        (json!({ "closID": "none" }), ["/linux/intelRdt/closID: there is no class", "no schema to make it with"]),
        (json!({ "closID": "gold", "l3CacheSchema": "L3:0=f;1=ff" }), ["/linux/intelRdt/closID: ", "differs from"]),
        (json!({ "closID": "gold", "memBwSchema": "MB:0=1" }), ["/linux/intelRdt/closID: ", "it has no MB"]),
        (json!({ "closID": "gold", "schemata": ["L3:7=1"] }), ["/linux/intelRdt/closID: ", "its L3 has no 7"]),
        (json!({ "closID": "a/b" }), ["/linux/intelRdt/closID: ", "is no name of a class"]),
        (json!({ "closID": ".." }), ["/linux/intelRdt/closID: ", "is no name of a class"]),
        (json!({ "closID": "info" }), ["/linux/intelRdt/closID: ", "is no name of a class"]),
        (json!({ "memBwSchema": "L3:0=f" }), ["/linux/intelRdt/memBwSchema: ", "starts with"]),
        (json!({ "memBwSchema": "MB:0=1\nL3:0=f" }), ["/linux/intelRdt/memBwSchema: ", "is not one line"]),
        (json!({ "l3CacheSchema": "L3:0=f\nf" }), ["/linux/intelRdt/l3CacheSchema: ", "line 2"]),
        (json!({ "schemata": ["L3:0=f", "x"] }), ["/linux/intelRdt/schemata/1: ", "is not one line such as"]),
        (json!({ "schemata": "L3:0=f" }), ["/linux/intelRdt/schemata: ", "must be a list"]),
        (json!([]), ["/linux/intelRdt: ", "must be an object"]),
    ] {
        let error = rdt.write(section.clone()).brig(&["create", &id]).failure();
        assert!(texts.iter().all(|text| error.contains(text)), "{section}: {error}");
        assert_eq!(rdt.groups(), ["gold"], "{section}");
        rdt.lab.assert_clean();
    }
}

/// What the kernel would have in these files.
fn write_all(files: &[(String, &str)]) {
    for (path, text) in files {
        fs::create_dir_all(PathBuf::from(path).parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn what_is_measured_is_in_the_statistics() {
    let rdt = Resctrl::new();
    let at = |file: &str| rdt.root.join(file).to_str().unwrap().to_owned();
    write_all(&[
        (at("info/L3/cbm_mask"), "7ff\n"),
        (at("info/L3/min_cbm_bits"), "1\n"),
        (at("info/L3/num_closids"), "16\n"),
        (at("info/MB/bandwidth_gran"), "10\n"),
        (at("info/MB/delay_linear"), "1\n"),
        (at("info/MB/min_bandwidth"), "10\n"),
        (at("info/MB/num_closids"), "8\n"),
    ]);
    let info = json!({
        "l3_cache_info": { "cbm_mask": "7ff", "min_cbm_bits": 1, "num_closids": 16 },
        "l3_cache_schema_root": "L3:0=7ff;1=7ff",
        "mem_bw_info": { "bandwidth_gran": 10, "delay_linear": 1, "min_bandwidth": 10, "num_closids": 8 },
        "mem_bw_schema_root": "MB:0=100;1= 50",
    });
    let stats = |id: &str| {
        let event: Value = serde_json::from_str(&rdt.lab.brig(&["events", "--stats", id]).success()).unwrap();
        event["data"]["intel_rdt"].clone()
    };
    let measure = |group: &str| {
        let caches = [("00", "1000", "500", "64"), ("01", "Unavailable", "7", "128")];
        for (number, total, local, occupancy) in caches {
            let cache = format!("{group}/mon_data/mon_L3_{number}");
            write_all(&[
                (at(&format!("{cache}/mbm_total_bytes")), total),
                (at(&format!("{cache}/mbm_local_bytes")), local),
                (at(&format!("{cache}/llc_occupancy")), occupancy),
            ]);
        }
    };
    let id = rdt.lab.id("measured");
    // Of a monitoring group, and of a class that is the container's own.
    for (monitoring, group) in [(true, format!("{id}/mon_groups/{id}")), (false, id.clone())] {
        rdt.write(json!({ "l3CacheSchema": "L3:0=f;1=f0", "enableMonitoring": monitoring }));
        rdt.brig(&["create", &id]).success();
        measure(&group);
        let mut expected = info.clone();
        expected["l3_cache_schema"] = json!("L3:0=f;1=f0");
        expected["mbm_stats"] = json!([{ "mbm_total_bytes": 1000, "mbm_local_bytes": 500 }]);
        expected["cmt_stats"] = json!([{ "llc_occupancy": 64 }, { "llc_occupancy": 128 }]);
        assert_eq!(stats(&id), expected, "monitoring {monitoring}");
        rdt.lab.brig(&["delete", &id]).success();
    }
    // Of one that others may be in nothing is the container's.
    rdt.class("gold", "    L3:0=00f;1=0f0\n");
    measure("gold");
    rdt.write(json!({ "closID": "gold" })).brig(&["create", &id]).success();
    let mut expected = info.clone();
    expected["l3_cache_schema"] = json!("L3:0=00f;1=0f0");
    assert_eq!(stats(&id), expected);
    rdt.lab.brig(&["delete", &id]).success();
    // Nor is there anything without a class.
    rdt.lab.write(&["sleep", "1000"], edit::nothing);
    rdt.lab.brig(&["create", &id]).success();
    assert_eq!(stats(&id), json!({}));
}

#[test]
fn an_update_changes_the_class_or_nothing() {
    let rdt = Resctrl::new();
    let id = rdt.lab.id("changed");
    rdt.write(json!({ "l3CacheSchema": "L3:0=f;1=f0", "memBwSchema": "MB:0=20;1=70" }));
    rdt.brig(&["create", &id]).success();
    let schemata = || rdt.read(&format!("{id}/schemata"));
    let update = |args: &[&str]| rdt.brig(&[&["update"], args, &[&id]].concat());
    // The kernel takes what it is told of; behind this directory there is none, so that all lines are given.
    update(&["--l3-cache-schema", "L3:0=3;1=30", "--mem-bw-schema", "MB:0=10;1=30"]).success();
    assert_eq!(schemata(), "L3:0=3;1=30\nMB:0=10;1=30\n");
    update(&["--l3-cache-schema", "L3:0=7;1=70\nMB:0=1", "--mem-bw-schema", "MB:0=40;1=50"]).success();
    assert_eq!(schemata(), "L3:0=7;1=70\nMB:0=40;1=50\n");

    // A limit that the kernel does not take: both stay.
    let limits = rdt.lab.path.join("limits.json");
    fs::write(&limits, r#"{"unified": {"no.such": "1"}}"#).unwrap();
    let done = update(&[
        "-r",
        limits.to_str().unwrap(),
        "--l3-cache-schema",
        "L3:0=1;1=10",
        "--mem-bw-schema",
        "MB:0=90;1=90",
    ]);
    assert!(done.failure().contains("/unified/no.such"), "{}", done.err());
    assert_eq!(schemata(), "L3:0=7;1=70\nMB:0=40;1=50\n");
    // And the other way round.
    let pids = rdt.lab.brig(&["events", "--stats", &id]).success();
    for (flags, expected) in [
        (["--mem-bw-schema", "L3:0=f"], "/memBwSchema: "),
        (["--mem-bw-schema", "MB:0=1\nL3:0=f"], "/memBwSchema: "),
        (["--l3-cache-schema", "f"], "/l3CacheSchema: "),
    ] {
        let error = update(&[&flags[..], &["--pids-limit", "7"]].concat()).failure();
        assert!(error.contains(expected), "{flags:?}: {error}");
    }
    fs::rename(rdt.root.join(&id).join("schemata"), rdt.root.join("away")).unwrap();
    let error = update(&["--pids-limit", "7", "--mem-bw-schema", "MB:0=10"]).failure();
    assert!(error.contains("cannot read") && error.contains("schemata: No such file"), "{error}");
    let limit = |stats: &str| serde_json::from_str::<Value>(stats).unwrap()["data"]["pids"]["limit"].clone();
    assert_eq!(limit(&rdt.lab.brig(&["events", "--stats", &id]).success()), limit(&pids));
    fs::rename(rdt.root.join("away"), rdt.root.join(&id).join("schemata")).unwrap();
    rdt.lab.brig(&["delete", &id]).success();

    // A class with a name is changed for all who are in it.
    rdt.class("gold", "MB:0=50\n");
    rdt.write(json!({ "closID": "gold" })).brig(&["create", &id]).success();
    update(&["--mem-bw-schema", "MB:0=60"]).success();
    assert_eq!(rdt.read("gold/schemata"), "MB:0=60\n");
    rdt.lab.brig(&["delete", &id]).success();

    rdt.lab.write(&["sleep", "1000"], edit::nothing);
    rdt.lab.brig(&["create", &id]).success();
    let error = update(&["--mem-bw-schema", "MB:0=60"]).failure();
    assert!(error.contains("the container was created without linux.intelRdt"), "{error}");
}

/// A create that fails later on takes its groups along, but none that was there.
#[test]
fn a_create_that_fails_undoes_them() {
    let rdt = Resctrl::new();
    rdt.class("gold", "");
    for section in [
        json!({ "enableMonitoring": true }),
        json!({ "closID": "gold", "enableMonitoring": true }),
        json!({ "closID": "/", "enableMonitoring": true }),
        json!({ "closID": "silver", "schemata": ["L3:0=f"] }),
    ] {
        rdt.write(section.clone());
        let config = rdt.lab.bundle().join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["args"] = json!(["/no/such/program"]);
        fs::write(&config, spec.to_string()).unwrap();
        let error = rdt.brig(&["create", &rdt.lab.id("fails")]).failure();
        assert!(error.contains("/no/such/program"), "{error}");
        // Somebody may be in a class with a name, as here the init that has ended is.
        let left: Vec<_> = rdt.groups().into_iter().filter(|group| group != "silver").collect();
        assert_eq!(left, ["gold"], "{section}");
        rdt.lab.assert_clean();
    }
    // A monitoring group with this name is another's.
    let id = rdt.lab.id("fails");
    fs::create_dir_all(rdt.root.join("gold/mon_groups").join(&id)).unwrap();
    let section = json!({ "closID": "gold", "enableMonitoring": true });
    let error = rdt.write(section).brig(&["create", &id]).failure();
    assert!(error.contains("cannot make the monitoring group") && error.contains("File exists"), "{error}");
    assert!(rdt.root.join("gold/mon_groups").join(&id).exists());
    rdt.lab.assert_clean();
}

#[test]
fn without_resctrl_it_is_refused() {
    if fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - resctrl ") {
        return skip("a host without resctrl: this one has it");
    }
    let lab = lab();
    lab.write(&["true"], |spec| spec["linux"]["intelRdt"] = json!({ "closID": "gold" }));
    let error = lab.run().failure();
    assert!(error.contains("/linux/intelRdt: no resctrl filesystem is mounted"), "{error}");
    lab.assert_clean();
}

/// The real thing, where there is one.
#[test]
fn on_real_hardware() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let Some(root) = mounts.lines().find(|line| line.contains(" - resctrl ")).and_then(|line| line.split(' ').nth(4))
    else {
        return skip("RDT on real hardware: no resctrl filesystem is mounted (CONFIG_X86_CPU_RESCTRL)");
    };
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| spec["linux"]["intelRdt"] = json!({}));
    let id = lab.launch("real");
    let group = PathBuf::from(root).join(&id);
    let tasks = fs::read_to_string(group.join("tasks")).unwrap();
    assert!(tasks.lines().any(|pid| pid == lab.pid(&id).to_string()), "{tasks}");
    lab.brig(&["delete", "--force", &id]).success();
    assert!(!group.exists());
}
