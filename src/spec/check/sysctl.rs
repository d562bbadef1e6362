// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.sysctl`: only what belongs to a namespace of the container may be set, or it would be
//! set for the whole host.

use oci_spec::runtime::{LinuxNamespaceType as Type, Spec};

use super::Problems;
use super::namespaces::{self, find};
use crate::spec::pointer::join;

/// Of the ipc namespace, with all of fs.mqueue; ipc_namespaces(7).
const IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// Each sysctl is one of a namespace that the container has.
pub fn namespaced(spec: &Spec, problems: &mut Problems) {
    let Some(sysctls) = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref()) else { return };
    let mut names: Vec<_> = sysctls.iter().collect();
    names.sort();
    for (name, value) in names {
        if let Err(message) = judge(spec, name, value) {
            problems.add(join("/linux/sysctl", name), message);
        }
    }
}

fn judge(spec: &Spec, name: &str, value: &str) -> Result<(), String> {
    let dotted = dotted(name);
    let parts: Vec<_> = dotted.split('.').collect();
    // A '/' in the dotted form is a dot in the name of the file; `..` must not come out of it.
    if parts.len() < 2 || parts.iter().any(|part| matches!(*part, "" | "/" | "//")) {
        return Err("is not the name of a sysctl".into());
    }
    match dotted.as_str() {
        "kernel.hostname" => return Err("is what /hostname is for".into()),
        "kernel.domainname" if spec.domainname().as_ref().is_some_and(|domain| domain != value) => {
            return Err("contradicts /domainname".into());
        }
        _ => {}
    }
    match sysctl_namespace(name) {
        Some(kind) if find(spec, kind).is_some() => Ok(()),
        Some(kind) => {
            let called = namespaces::name(kind);
            Err(format!("needs a namespace of type {called} in /linux/namespaces: it would be the host's"))
        }
        None => Err(format!(
            "does not belong to a namespace and would be set for the host; allowed are net.*, fs.mqueue.*, \
             kernel.domainname, {}",
            IPC.join(", ")
        )),
    }
}

/// The namespace that a sysctl is of.
pub fn sysctl_namespace(name: &str) -> Option<Type> {
    match dotted(name).as_str() {
        "kernel.domainname" => Some(Type::Uts),
        ipc if IPC.contains(&ipc) || ipc.starts_with("fs.mqueue.") => Some(Type::Ipc),
        net if net.starts_with("net.") => Some(Type::Network),
        _ => None,
    }
}

/// The file of a sysctl below /proc/sys.
pub fn sysctl_path(name: &str) -> String {
    let turned = |c| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    dotted(name).chars().map(turned).collect()
}

/// The name with dots as separators. Whichever of '.' and '/' comes first is the separator, and the other
/// stands for itself turned round: `net/ipv4/conf/eth0.1/x` is `net.ipv4.conf.eth0/1.x` (sysctl(8)).
fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => {
            let turned = |c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            };
            name.chars().map(turned).collect()
        }
        _ => name.to_owned(),
    }
}
