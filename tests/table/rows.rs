// SPDX-License-Identifier: Apache-2.0
//! The fields of config.md: the root, mounts, the process, hooks; and what is not for Linux.

use serde_json::json;

use crate::row::{Row, elsewhere, row};

const CAPABILITIES: &str = r#"["CAP_KILL", "CAP_NET_RAW"]"#;
/// Bits 5 and 13.
const CAPABILITY_BITS: &str = "0000000000002020";

const HAS_APPARMOR: &str = "grep -q Y /sys/module/apparmor/parameters/enabled";
pub const HAS_SELINUX: &str = "grep -qw selinuxfs /proc/filesystems";
pub const LACKS_SELINUX: &str = "SELinux (CONFIG_SECURITY_SELINUX, security=selinux)";

/// A hook that runs a script, with @LOG@ as the bundle's directory `log`.
fn hook(kind: &str, script: &str) -> [(String, String); 2] {
    // In the container, the directory is mounted there.
    let log = if kind == "startContainer" { "/log" } else { "@BUNDLE@/log" };
    let script = script.replace("@LOG@", log);
    let mount = json!({ "destination": "/log", "type": "none", "source": "@BUNDLE@/log", "options": ["bind"] });
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script, "zero", "one"], "env": ["PATH=/bin:/usr/bin", "WHO=me"] });
    [("/mounts/-".into(), mount.to_string()), (format!("/hooks/{kind}/-"), hook.to_string())]
}

fn hook_row(name: &str, kind: &str, script: &str, output: &str) -> Row {
    let edits = hook(kind, script);
    let edits = edits.each_ref().map(|(pointer, value)| (pointer.as_str(), value.as_str()));
    row(name, &edits, "sleep 0.1", output).before("mkdir log").after("cat log/hook").preparing(1)
}

/// Each kind is run, at its time: the state on its stdin has a status.
fn hooks() -> Vec<Row> {
    let status = "grep -o 'creat[a-z]*\\|running\\|stopped' | head -n 1 > @LOG@/hook";
    let mut rows = vec![
        hook_row("hooks.prestart", "prestart", status, "creating"),
        hook_row("hooks.createRuntime", "createRuntime", status, "creating"),
        hook_row("hooks.createContainer", "createContainer", status, "creating"),
        hook_row("hooks.startContainer", "startContainer", status, "created"),
        hook_row("hooks.poststart", "poststart", status, "running"),
        hook_row("hooks.poststop", "poststop", status, "stopped"),
        hook_row("hooks.*.path", "createRuntime", "readlink -f /proc/$$/exe | grep -c bin/ > @LOG@/hook", "1"),
        hook_row("hooks.*.args", "createRuntime", "echo $0 $1 > @LOG@/hook", "zero one"),
        hook_row("hooks.*.env", "createRuntime", "echo $WHO > @LOG@/hook", "me"),
    ];
    let slow = r#"{"path": "/bin/sleep", "args": ["sleep", "5"], "timeout": 1}"#;
    rows.push(
        row("hooks.*.timeout", &[("/hooks/createRuntime/-", slow)], "echo ran", "").refused("/hooks/createRuntime/0"),
    );
    rows
}

/// The rows.
pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("ociVersion", &[("/ociVersion", r#""2.0.0""#)], "true", "").refused("/ociVersion"),
        row("root.path", &[("/root/path", r#""other""#)], "cat /etc/name", "other")
            .before("mkdir -p other; cp -a rootfs/. other; echo other > other/etc/name"),
        row("root.readonly", &[("/root/readonly", "true")], "touch /x 2>/dev/null || echo readonly", "readonly")
            .true_anyway(),
    ];
    rows.extend(mounts());
    rows.extend(process());
    rows.extend([
        row("hostname", &[("/hostname", r#""somehost""#)], "hostname", "somehost"),
        row("domainname", &[("/domainname", r#""some.domain""#)], "cat /proc/sys/kernel/domainname", "some.domain"),
    ]);
    rows.extend(hooks());
    let told = hook("createRuntime", "grep -o 'org.example[a-z\": .]*' | tr -d '\": ' > @LOG@/hook");
    let edits = [&told[0], &told[1]].map(|(pointer, value)| (pointer.as_str(), value.as_str()));
    let edits = [edits[0], edits[1], ("/annotations", r#"{"org.example": "told"}"#)];
    let annotations = row("annotations", &edits, "", "org.exampletold");
    rows.push(annotations.before("mkdir log").after("cat log/hook").preparing(2));
    rows
}

fn mounts() -> Vec<Row> {
    let tmpfs = |more: &str| format!(r#"{{"destination": "/data", "type": "tmpfs", "source": "here"{more}}}"#);
    let bind = r#"{"destination": "/data", "type": "none", "source": "@BUNDLE@/mine", "options": ["bind"]}"#;
    let kind = "line /data | sed 's/.* - //' | cut -d' ' -f1,2";
    vec![
        row("mounts.destination", &[("/mounts/-", &tmpfs(""))], "line /data | cut -d' ' -f5", "/data"),
        row("mounts.type", &[("/mounts/-", &tmpfs(""))], kind, "tmpfs here"),
        row("mounts.source", &[("/mounts/-", bind)], "cat /data/file", "mine")
            .before("mkdir mine; echo mine > mine/file"),
        shifted("uidMappings", "%u", "1000"),
        shifted("gidMappings", "%g", "1000"),
        row(
            "mounts.options",
            &[("/mounts/-", &tmpfs(r#", "options": ["size=64k"]"#))],
            "has $(superblock /data) size=64k",
            "yes",
        ),
    ]
}

/// A bind mount on which what is root's is of another owner.
fn shifted(member: &str, format: &str, output: &str) -> Row {
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let mount = json!({ "destination": "/data", "type": "none", "source": "@BUNDLE@/mine", "options": ["bind"] });
    // The two need each other.
    let mut mapped = mount.clone();
    mapped["uidMappings"] = ids.clone();
    mapped["gidMappings"] = ids;
    let edits = [("/mounts/-", mount.to_string()), ("/mounts/7", mapped.to_string())];
    let edits = edits.each_ref().map(|(pointer, value)| (*pointer, value.as_str()));
    let script = format!("stat -c {format} /data");
    row(&format!("mounts.{member}"), &edits, &script, output)
        .preparing(1)
        .before("mkdir mine; mount -t tmpfs -o mode=755 mine mine")
}

fn process() -> Vec<Row> {
    let member = |name: &str| format!("/process/capabilities/{name}");
    let mut rows = vec![
        row(
            "process.terminal",
            &[("/process/terminal", "true")],
            "test -t 0 && test -t 1 && echo terminal",
            "terminal",
        )
        .terminal()
        .true_anyway(),
        row("process.consoleSize", &[("/process/consoleSize", r#"{"height": 12, "width": 34}"#)], "stty size", "12 34")
            .terminal(),
        row("process.cwd", &[("/process/cwd", r#""/tmp""#)], "pwd", "/tmp"),
        row("process.env", &[("/process/env/-", r#""COLOUR=red""#)], "echo $COLOUR", "red"),
        row("process.args", &[("/process/args", r#"["echo", "one", "two words"]"#)], "", "one two words"),
        row(
            "process.rlimits",
            &[("/process/rlimits", r#"[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]"#)],
            "ulimit -S -n; ulimit -H -n",
            "100 200",
        ),
        row(
            "process.apparmorProfile",
            &[("/process/apparmorProfile", r#""@ID@""#)],
            "cat /proc/self/attr/current",
            "@ID@ (enforce)",
        )
        .needs(HAS_APPARMOR, "AppArmor (CONFIG_SECURITY_APPARMOR, lsm=apparmor)")
        .before("echo 'profile @ID@ flags=(attach_disconnected,mediate_deleted) { file, }' | apparmor_parser --replace")
        .after("apparmor_parser --remove << END\nprofile @ID@ {}\nEND"),
        row(
            "process.selinuxLabel",
            &[("/process/selinuxLabel", r#""system_u:system_r:container_t:s0:c1,c2""#)],
            "cat /proc/self/attr/current | tr -d '\\0'",
            "system_u:system_r:container_t:s0:c1,c2",
        )
        .needs(HAS_SELINUX, LACKS_SELINUX)
        .before("chcon -R system_u:object_r:container_file_t:s0 rootfs"),
        row(
            "process.noNewPrivileges",
            &[("/process/noNewPrivileges", "false")],
            "grep NoNewPrivs /proc/self/status",
            "NoNewPrivs: 0",
        ),
        row("process.oomScoreAdj", &[("/process/oomScoreAdj", "567")], "cat /proc/self/oom_score_adj", "567"),
        row("process.user.uid", &[("/process/user/uid", "1234")], "id -u", "1234"),
        row("process.user.gid", &[("/process/user/gid", "2345")], "id -g", "2345"),
        row("process.user.umask", &[("/process/user/umask", "63")], "umask", "0077"),
        row("process.user.additionalGids", &[("/process/user/additionalGids", "[5, 7]")], "id -G", "0 5 7"),
    ];
    for (set, line) in [
        ("bounding", "CapBnd"),
        ("effective", "CapEff"),
        ("inheritable", "CapInh"),
        ("permitted", "CapPrm"),
        ("ambient", "CapAmb"),
    ] {
        let all = ["bounding", "effective", "permitted", "inheritable", "ambient"].map(member);
        // The effective ones must be permitted, the ambient ones permitted and inheritable.
        let edits: Vec<_> = all.iter().map(|pointer| (pointer.as_str(), CAPABILITIES)).collect();
        let script = format!("grep {line} /proc/self/status");
        let name = format!("process.capabilities.{set}");
        // An ambient set makes the others visible after the exec of a program; without it, these are.
        let row = row(&name, &edits, &script, &format!("{line}: {CAPABILITY_BITS}"));
        rows.push(row);
    }
    rows
}

/// What is for other platforms.
pub fn not_on_linux() -> Vec<Row> {
    const NOT_ON_LINUX: &str = "not on Linux";
    ["process.commandLine", "process.user.username", "windows", "solaris", "zos", "freebsd", "vm"]
        .map(|name| elsewhere(name, NOT_ON_LINUX))
        .into()
}
