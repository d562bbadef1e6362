// SPDX-License-Identifier: Apache-2.0
//! Who the program is to the security modules of this kernel: its AppArmor profile, its SELinux label, that of its
//! mounts; and the session keyring.

use std::ffi::CString;

use brig_wire::Step;
use oci_spec::runtime::{Process, Spec};

use super::builder::{Steps, text};
use crate::error::{Error, Kind, Result};
use crate::sys::security;

/// Possession is worth everything; the owner may see, read, link and, so that an exec finds it by its name, search it.
const KEYRING_PERMISSIONS: u32 = 0x3f1b_0000;

/// What execve(2) is to change the program to. `at` is where the process is in the document. Written while procfs can be
/// reached unseen by the container; until it is executed nothing changes, but for the startContainer hooks, which are
/// confined likewise.
pub fn process(steps: &mut Steps, process: &Process, at: &str) -> Result<()> {
    let profile = process.apparmor_profile().as_deref().filter(|profile| !profile.is_empty());
    if let Some(profile) = profile {
        let pointer = format!("{at}/apparmorProfile");
        if !security::has_apparmor() {
            return Err(missing(&pointer, "AppArmor"));
        }
        // Other modules may have the file without the directory (Linux 5.8).
        let path = if security::has_apparmor_attributes() { c"attr/apparmor/exec" } else { c"attr/exec" };
        let value = text(format!("exec {profile}"), &pointer)?;
        steps.origin(pointer).push(Step::OpenProc {});
        steps.push(Step::ProcSelf { path, value: &value });
    }
    if let Some((label, pointer)) = selinux_label(process, at)? {
        steps.origin(pointer).push(Step::OpenProc {});
        steps.push(Step::ProcSelf { path: c"attr/exec", value: &label });
    }
    Ok(())
}

/// The label that the session keyring is to have: that of the process. execve(2) forgets what new keys are labelled.
pub fn keyring_label(steps: &mut Steps, process: &Process, at: &str) -> Result<()> {
    if let Some((label, pointer)) = selinux_label(process, at)? {
        steps.origin(pointer).push(Step::OpenProc {});
        steps.push(Step::ProcSelf { path: c"attr/keycreate", value: &label });
    }
    Ok(())
}

/// The session keyring of the container `id`, by which it keeps its keys from the host and from others.
pub fn keyring(steps: &mut Steps, id: &str) -> Result<()> {
    let name = text(format!("_ses.{id}"), "")?;
    steps.origin("").push(Step::SessionKeyring { name: &name, permissions: KEYRING_PERMISSIONS });
    Ok(())
}

fn selinux_label(process: &Process, at: &str) -> Result<Option<(CString, String)>> {
    let label = process.selinux_label().as_deref().filter(|label| !label.is_empty());
    label.map(|label| selinux(label, format!("{at}/selinuxLabel"))).transpose()
}

/// linux.mountLabel.
pub fn mounts(spec: &Spec) -> Result<Option<CString>> {
    let label = spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref());
    let label = label.filter(|label| !label.is_empty());
    Ok(label.map(|label| selinux(label, "/linux/mountLabel".into())).transpose()?.map(|(label, _)| label))
}

fn selinux(label: &str, pointer: String) -> Result<(CString, String)> {
    if !security::has_selinux() {
        return Err(missing(&pointer, "SELinux"));
    }
    Ok((text(label, &pointer)?, pointer))
}

fn missing(pointer: &str, module: &str) -> Error {
    Error::config(pointer, format!("this kernel has no {module} enabled")).kind(Kind::Unsupported)
}
