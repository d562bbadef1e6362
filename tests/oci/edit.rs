// SPDX-License-Identifier: Apache-2.0
//! Changes to a spec that several tests want.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The host's ids that root and the others of a user namespace are.
pub const FIRST_ID: u32 = 100_000;
const IDS: u32 = 65_536;

/// For a test that needs no change.
pub fn nothing(_: &mut Value) {}

/// A new namespace of this kind, or with `path` one to join, in place of the one there is.
pub fn namespace(spec: &mut Value, kind: &str, path: Option<&str>) {
    remove_namespace(spec, kind);
    let entry = path.map_or_else(|| json!({ "type": kind }), |path| json!({ "type": kind, "path": path }));
    spec["linux"]["namespaces"].as_array_mut().unwrap().push(entry);
}

/// The caller's own namespace of this kind.
pub fn remove_namespace(spec: &mut Value, kind: &str) {
    spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != kind);
    if kind == "uts" {
        spec.as_object_mut().unwrap().remove("hostname");
    }
}

/// A user namespace whose ids are from [`FIRST_ID`] on.
pub fn user_namespace(spec: &mut Value) {
    namespace(spec, "user", None);
    let mapping = json!([{ "containerID": 0, "hostID": FIRST_ID, "size": IDS }]);
    spec["linux"]["uidMappings"] = mapping.clone();
    spec["linux"]["gidMappings"] = mapping;
}

/// Gives a root filesystem to root of such a namespace.
pub fn give_away(rootfs: &Path) {
    let owner = format!("{FIRST_ID}:{FIRST_ID}");
    assert!(Command::new("chown").args(["-Rh", &owner]).arg(rootfs).status().unwrap().success());
}

/// One more mount.
pub fn mount(spec: &mut Value, destination: &str, kind: &str, source: &str, options: &[&str]) {
    let mount = json!({ "destination": destination, "type": kind, "source": source, "options": options });
    spec["mounts"].as_array_mut().unwrap().push(mount);
}

/// A root filesystem that can be written.
pub fn writable(spec: &mut Value) {
    spec["root"]["readonly"] = json!(false);
}

/// The program's user.
pub fn user(spec: &mut Value, uid: u32, gid: u32, more: &[u32]) {
    spec["process"]["user"] = json!({ "uid": uid, "gid": gid, "additionalGids": more });
}

/// Lets everybody execute a file.
pub fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
