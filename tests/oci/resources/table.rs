// SPDX-License-Identifier: Apache-2.0
//! The table of rows.rs, tried as root and as a user, with each driver, and on each kind of host.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::rows::{Row, all};
use super::{Version, created, place, update};
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
