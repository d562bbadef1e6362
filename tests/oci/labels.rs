// SPDX-License-Identifier: Apache-2.0
//! AppArmor profiles and SELinux labels. On a kernel without these modules each field is refused; with them, and in the
//! virtual machine there is one, the program is what the field says.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Done, Lab, skip};
use crate::{edit, lab};

fn has_apparmor() -> bool {
    fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|enabled| enabled.starts_with('Y'))
}

fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

fn exec(lab: &Lab, flags: &[&str], id: &str, script: &str) -> Done {
    lab.brig(&[&["exec"], flags, &[id, "sh", "-c", script]].concat())
}

#[test]
fn what_the_kernel_has_not_is_refused() {
    type Absent = (bool, &'static str, &'static str, &'static str);
    let table: [Absent; 3] = [
        (has_apparmor(), "AppArmor", "/process/apparmorProfile", "/apparmorProfile"),
        (has_selinux(), "SELinux", "/process/selinuxLabel", "/selinuxLabel"),
        (has_selinux(), "SELinux", "/linux/mountLabel", ""),
    ];
    for (there, module, pointer, of_exec) in table {
        if there {
            skip(&format!("{module} is enabled: {pointer} is not refused"));
            continue;
        }
        let lab = lab();
        lab.write(&["sleep", "1000"], |spec| {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[member] = json!("some:thing");
        });
        let text = format!("{pointer}: this kernel has no {module} enabled");
        for command in ["run", "create", "plan"] {
            let id = lab.id("bad");
            let args = if command == "plan" { vec![command] } else { vec![command, &id] };
            let error = lab.brig(&args).failure();
            assert!(error.contains(&text), "{error}");
            lab.assert_clean();
        }
        if of_exec.is_empty() {
            continue;
        }
        lab.write(&["sleep", "1000"], edit::nothing);
        let id = lab.launch("plain");
        let flag = if module == "AppArmor" { "--apparmor=x" } else { "--process-label=x" };
        let done = exec(&lab, &[flag], &id, "true");
        assert_eq!(done.code(), Some(255));
        assert!(done.err().contains(&format!("{of_exec}: this kernel has no {module} enabled")), "{}", done.err());
    }
}

/// Empty means none, as Go programs write it.
#[test]
fn empty_ones_are_none() {
    lab().sh("true", |spec| {
        spec["process"]["apparmorProfile"] = json!("");
        spec["process"]["selinuxLabel"] = json!("");
        spec["linux"]["mountLabel"] = json!("");
    });
}

/// A profile of the kernel, loaded for the length of a test.
struct Profile(String);

impl Profile {
    /// Everything but to write to `denied`.
    fn load(name: &str, denied: &str) -> Self {
        let text = format!(
            "profile {name} flags=(attach_disconnected,mediate_deleted) {{\n  file,\n  capability,\n  network,\n  signal,\n  deny {denied} w,\n}}\n"
        );
        Self::parser("--replace", &text);
        Self(text)
    }

    fn parser(action: &str, text: &str) {
        let mut parser = Command::new("apparmor_parser").arg(action).stdin(Stdio::piped()).spawn().unwrap();
        parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(parser.wait().unwrap().success());
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        Self::parser("--remove", &self.0);
    }
}

#[test]
fn a_profile_confines_the_program_and_what_is_executed_beside_it() {
    if !has_apparmor() {
        return skip("AppArmor: it is not enabled in this kernel (CONFIG_SECURITY_APPARMOR, lsm=apparmor)");
    }
    let lab = lab();
    let (one, other) = (lab.id("one"), lab.id("other"));
    let _profiles = [Profile::load(&one, "/tmp/denied"), Profile::load(&other, "/tmp/*")];
    let script = "cat /proc/self/attr/current; echo > /tmp/allowed && echo > /tmp/denied";
    for (user, privileges) in [(0, false), (1000, true), (1000, false), (0, true)] {
        lab.write(&["sh", "-c", &format!("{script}; exec sleep 1000")], |spec| {
            spec["process"]["apparmorProfile"] = json!(one);
            spec["process"]["noNewPrivileges"] = json!(privileges);
            edit::user(spec, user, 0, &[]);
            edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["mode=1777"]);
        });
        let id = lab.launch("confined");
        let current = format!("/proc/{}/attr/current", lab.pid(&id));
        assert_eq!(fs::read_to_string(current).unwrap().trim(), format!("{one} (enforce)"));
        // The profile of the container, unless another one is asked for; also where the process comes as a file.
        let done = exec(&lab, &[], &id, script);
        assert!(done.out().starts_with(&format!("{one} (enforce)")), "{}{}", done.out(), done.err());
        assert!(done.err().contains("denied: Permission denied") && !done.err().contains("allowed"), "{}", done.err());
        let done = exec(&lab, &["--apparmor", &other], &id, script);
        assert!(done.out().starts_with(&format!("{other} (enforce)")), "{}{}", done.out(), done.err());
        assert!(done.err().contains("allowed: Permission denied"), "{}", done.err());
        let process = json!({ "args": ["cat", "/proc/self/attr/current"], "cwd": "/", "env": ["PATH=/bin"] });
        let file = lab.path.join("process.json");
        fs::write(&file, process.to_string()).unwrap();
        let seen = lab.brig(&["exec", "--process", file.to_str().unwrap(), &id]).success();
        assert_eq!(seen, format!("{one} (enforce)"));
        lab.brig(&["delete", "--force", &id]).success();
    }
}

#[test]
fn a_profile_that_is_not_loaded_is_told() {
    if !has_apparmor() {
        return skip("AppArmor: it is not enabled in this kernel (CONFIG_SECURITY_APPARMOR, lsm=apparmor)");
    }
    let lab = lab();
    let error = lab.write(&["true"], |spec| spec["process"]["apparmorProfile"] = json!("brig-no-such")).run().failure();
    assert!(error.contains("/process/apparmorProfile") && error.contains("no such profile is loaded"), "{error}");
    lab.assert_clean();
}

/// The label of a process, and of a directory.
fn own_label() -> String {
    fs::read_to_string("/proc/self/attr/current").unwrap().trim_end_matches(['\0', '\n']).to_owned()
}

#[test]
fn a_label_is_the_programs() {
    if !has_selinux() {
        return skip("SELinux: it is not enabled in this kernel (CONFIG_SECURITY_SELINUX, security=selinux)");
    }
    let lab = lab();
    let label = own_label();
    lab.write(&["sleep", "1000"], |spec| spec["process"]["selinuxLabel"] = json!(label));
    let id = lab.launch("labelled");
    let current = fs::read_to_string(format!("/proc/{}/attr/current", lab.pid(&id))).unwrap();
    assert_eq!(current.trim_end_matches(['\0', '\n']), label);
    let seen = exec(&lab, &[], &id, "cat /proc/self/attr/current").success();
    assert_eq!(seen.trim_end_matches('\0'), label);
    let error = lab.brig(&["exec", "--process-label", "no:such:label", &id, "true"]);
    assert!(error.err().contains("/selinuxLabel"), "{}", error.err());
    let error = lab.write(&["true"], |spec: &mut Value| spec["process"]["selinuxLabel"] = json!("no:such:label")).run();
    assert!(error.failure().contains("/process/selinuxLabel"));
}

#[test]
fn new_filesystems_are_labelled() {
    if !has_selinux() {
        return skip("SELinux: it is not enabled in this kernel (CONFIG_SECURITY_SELINUX, security=selinux)");
    }
    let lab = lab();
    let found = Command::new("stat").args(["-c", "%C", "/etc/passwd"]).output().unwrap();
    let label = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    lab.write(&["sleep", "1000"], |spec| {
        spec["linux"]["mountLabel"] = json!(label);
        edit::mount(spec, "/m", "tmpfs", "tmpfs", &[]);
    });
    let id = lab.launch("labelled");
    for place in ["m", "dev", "dev/shm", "dev/pts", "dev/mqueue"] {
        let path = format!("/proc/{}/root/{place}", lab.pid(&id));
        let found = Command::new("stat").args(["-c", "%C", &path]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), label, "{place}");
    }
}

/// With the type for programs of containers and the one for their files, which the policy of the guest of `make test-vm` has.
#[test]
fn a_label_confines_the_program() {
    if !has_selinux() {
        return skip("SELinux: it is not enabled in this kernel (CONFIG_SECURITY_SELINUX, security=selinux)");
    }
    let lab = lab();
    let script = "cat /proc/self/attr/current; cat /etc/ours; cat /etc/theirs";
    lab.write(&["sh", "-c", &format!("{script}; exec sleep 1000")], |spec| {
        spec["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0:c1,c2");
        spec["linux"]["mountLabel"] = json!("system_u:object_r:container_file_t:s0:c1,c2");
    });
    for name in ["ours", "theirs"] {
        fs::write(lab.rootfs().join("etc").join(name), format!("{name}\n")).unwrap();
    }
    let relabel = |label: &str, path: &Path| {
        Command::new("chcon")
            .args(["-R", &format!("system_u:object_r:{label}:s0")])
            .arg(path)
            .status()
            .unwrap()
            .success()
    };
    if !relabel("container_file_t", &lab.rootfs()) {
        return skip("SELinux: this policy has no container_file_t");
    }
    assert!(relabel("shadow_t", &lab.rootfs().join("etc/theirs")));
    let id = lab.launch("confined");
    let done = exec(&lab, &[], &id, script);
    let label = "system_u:system_r:container_t:s0:c1,c2";
    assert_eq!(done.out().replace(['\0', '\n'], ""), format!("{label}ours"), "{}", done.err());
    assert!(done.err().contains("'/etc/theirs': Permission denied"), "{}", done.err());
    // Nor may what is executed beside it be of a type that the policy does not know.
    let done = exec(&lab, &["--process-label", "system_u:system_r:no_such_t:s0"], &id, script);
    assert!(done.err().contains("/selinuxLabel"), "{}", done.err());
}
