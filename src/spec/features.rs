// SPDX-License-Identifier: Apache-2.0
//! The OCI features structure (features.md, features-linux.md). Its lists and switches are, as the specification has it,
//! what this build knows, on whatever kernel; what this kernel lacks of them is in the annotations.

mod kernel;

use libseccomp::{ScmpAction, ScmpArch, ScmpFilterContext, ScmpVersion};
use serde_json::{Value, json};

use super::mount_options::MOUNT_OPTIONS;
use crate::error::{Error, Kind, Result};
use crate::sys;

/// The features as JSON.
pub fn features() -> Result<String> {
    let mut features = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.3.0",
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": mount_options(),
        "linux": {
            "namespaces": namespaces(),
            "capabilities": capabilities(),
            "cgroup": { "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": seccomp(),
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "memoryPolicy": memory_policy(),
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true },
        },
        "annotations": annotations(),
        // Those that act on the host, or on what of it the container has.
        "potentiallyUnsafeConfigAnnotations": [
            "org.criu.config", "org.systemd.property.", "run.oci.keep_original_groups",
        ],
    });
    features["annotations"]["org.brig.kernel.lacks"] = json!(kernel::lacks(&features));
    let text = serde_json::to_string_pretty(&features);
    text.map_err(|error| Error::new(Kind::Bug, format!("cannot write the features: {error}")))
}

fn mount_options() -> Vec<&'static str> {
    MOUNT_OPTIONS.iter().map(|option| option.name).collect()
}

/// In config.json, and below /proc/self/ns; namespaces(7).
const NAMESPACES: &[(&str, &str)] = &[
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mount", "mnt"),
    ("network", "net"),
    ("pid", "pid"),
    ("time", "time"),
    ("user", "user"),
    ("uts", "uts"),
];

fn namespaces() -> Vec<&'static str> {
    NAMESPACES.iter().map(|(name, _)| *name).collect()
}

/// In the order of their numbers.
fn capabilities() -> Vec<String> {
    let mut capabilities: Vec<_> = caps::all().into_iter().collect();
    capabilities.sort_by_key(|capability| capability.index());
    capabilities.iter().map(ToString::to_string).collect()
}

fn memory_policy() -> Value {
    json!({
        "modes": [
            "MPOL_BIND",
            "MPOL_DEFAULT",
            "MPOL_INTERLEAVE",
            "MPOL_LOCAL",
            "MPOL_PREFERRED",
            "MPOL_PREFERRED_MANY",
            "MPOL_WEIGHTED_INTERLEAVE",
        ],
        "flags": ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"],
    })
}

/// In config.json, and what a filter returns.
const SECCOMP_ACTIONS: &[(&str, u32)] = &[
    ("SCMP_ACT_ALLOW", libc::SECCOMP_RET_ALLOW),
    ("SCMP_ACT_ERRNO", libc::SECCOMP_RET_ERRNO),
    ("SCMP_ACT_KILL", libc::SECCOMP_RET_KILL_THREAD),
    ("SCMP_ACT_KILL_PROCESS", libc::SECCOMP_RET_KILL_PROCESS),
    ("SCMP_ACT_KILL_THREAD", libc::SECCOMP_RET_KILL_THREAD),
    ("SCMP_ACT_LOG", libc::SECCOMP_RET_LOG),
    ("SCMP_ACT_NOTIFY", libc::SECCOMP_RET_USER_NOTIF),
    ("SCMP_ACT_TRACE", libc::SECCOMP_RET_TRACE),
    ("SCMP_ACT_TRAP", libc::SECCOMP_RET_TRAP),
];

fn seccomp() -> Value {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let flags = [
        ("SECCOMP_FILTER_FLAG_LOG", libc::SECCOMP_FILTER_FLAG_LOG),
        ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW),
        ("SECCOMP_FILTER_FLAG_TSYNC", libc::SECCOMP_FILTER_FLAG_TSYNC),
        // Allowed together with a listener only.
        ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | listener),
    ];
    let supported = flags.iter().filter(|(_, bits)| sys::seccomp::has_flags(*bits as u32));
    json!({
        "enabled": true,
        "actions": SECCOMP_ACTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "operators": [
            "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
            "SCMP_CMP_NE",
        ],
        "archs": architectures(),
        "knownFlags": flags.iter().map(|(name, ..)| *name).collect::<Vec<_>>(),
        "supportedFlags": supported.map(|(name, ..)| *name).collect::<Vec<_>>(),
    })
}

/// Those that this libseccomp knows and can have in one filter with the native one (of the same byte order).
fn architectures() -> Vec<&'static str> {
    const NAMES: &[&str] = &[
        "SCMP_ARCH_AARCH64",
        "SCMP_ARCH_ARM",
        "SCMP_ARCH_LOONGARCH64",
        "SCMP_ARCH_M68K",
        "SCMP_ARCH_MIPS",
        "SCMP_ARCH_MIPS64",
        "SCMP_ARCH_MIPS64N32",
        "SCMP_ARCH_MIPSEL",
        "SCMP_ARCH_MIPSEL64",
        "SCMP_ARCH_MIPSEL64N32",
        "SCMP_ARCH_PARISC",
        "SCMP_ARCH_PARISC64",
        "SCMP_ARCH_PPC",
        "SCMP_ARCH_PPC64",
        "SCMP_ARCH_PPC64LE",
        "SCMP_ARCH_RISCV64",
        "SCMP_ARCH_S390",
        "SCMP_ARCH_S390X",
        "SCMP_ARCH_SH",
        "SCMP_ARCH_SHEB",
        "SCMP_ARCH_X32",
        "SCMP_ARCH_X86",
        "SCMP_ARCH_X86_64",
    ];
    let Ok(mut filter) = ScmpFilterContext::new(ScmpAction::Allow) else { return Vec::new() };
    let mut known = NAMES.to_vec();
    known.retain(|name| name.parse::<ScmpArch>().is_ok_and(|arch| filter.add_arch(arch).is_ok()));
    known
}

fn annotations() -> Value {
    let mut annotations = json!({
        "org.brig.version": env!("CARGO_PKG_VERSION"),
        "org.brig.kernel.cgroups": kernel::cgroups(),
        "org.brig.kernel.lsm": kernel::security_modules(),
        // As runc and crun tell it, to those who look for it.
        "org.opencontainers.runc.checkpoint.enabled": "true",
        "run.oci.checkpoint.enabled": "true",
    });
    if let Ok(version) = ScmpVersion::current() {
        annotations["io.github.seccomp.libseccomp.version"] = json!(version.to_string());
    }
    annotations
}
