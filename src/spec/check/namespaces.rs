// SPDX-License-Identifier: Apache-2.0
//! Checks of the namespaces and of what needs one: mappings, clocks, names.

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespace, LinuxNamespaceType as Type, Spec};

use super::Problems;
use crate::spec::pointer::join;

/// UID_GID_MAP_MAX_EXTENTS of the kernel, user_namespaces(7).
const MAPPINGS_MAX: usize = 340;
/// __NEW_UTS_LEN of the kernel, uname(2).
const NAME_MAX: usize = 64;

/// The entry for namespaces of this type: the container gets a new one, or joins one.
pub fn find(spec: &Spec, kind: Type) -> Option<&LinuxNamespace> {
    let linux = spec.linux().as_ref()?;
    linux.namespaces().iter().flatten().find(|namespace| namespace.typ() == kind)
}

/// Whether the container gets a new namespace of this type.
pub fn is_new(spec: &Spec, kind: Type) -> bool {
    find(spec, kind).is_some_and(|namespace| namespace.path().is_none())
}

/// The name that config.json has for a type; oci-spec prints that of /proc/PID/ns.
pub fn name(kind: Type) -> &'static str {
    match kind {
        Type::Mount => "mount",
        Type::Cgroup => "cgroup",
        Type::Uts => "uts",
        Type::Ipc => "ipc",
        Type::User => "user",
        Type::Pid => "pid",
        Type::Network => "network",
        Type::Time => "time",
    }
}

/// `linux.namespaces`. The names of the types are checked by their type.
pub fn list(spec: &Spec, problems: &mut Problems) {
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    for (index, namespace) in namespaces.iter().enumerate() {
        let kind = namespace.typ();
        if namespaces[..index].iter().any(|other| other.typ() == kind) {
            let message = format!("a second {} namespace: one of each type is allowed", name(kind));
            problems.add(format!("/linux/namespaces/{index}"), message);
        }
        if let Some(path) = namespace.path()
            && !path.is_absolute()
        {
            problems.add(format!("/linux/namespaces/{index}/path"), format!("{path:?} is not an absolute path"));
        }
    }
    // Without one, the change of the root would be the host's.
    if !namespaces.iter().any(|namespace| namespace.typ() == Type::Mount) {
        problems.add("/linux/namespaces", "a container needs a mount namespace; add {\"type\": \"mount\"}");
    }
}

/// `linux.uidMappings` and `gidMappings`.
///
/// With a user namespace to join, mappings are allowed: containerd and podman repeat those of the namespace,
/// and only the host can compare the two.
pub fn mappings(spec: &Spec, problems: &mut Problems) {
    let Some(linux) = spec.linux() else { return };
    for (at, mappings) in [("/linux/uidMappings", linux.uid_mappings()), ("/linux/gidMappings", linux.gid_mappings())] {
        let mappings = mappings.as_deref().unwrap_or_default();
        match find(spec, Type::User) {
            None if !mappings.is_empty() => {
                problems.add(at, "mappings need a user namespace in /linux/namespaces");
            }
            Some(user) if mappings.is_empty() && user.path().is_none() => {
                problems.add(at, "is missing: a new user namespace needs it");
            }
            _ => {}
        }
        count(mappings, at, problems);
        ranges(mappings, at, problems);
    }
}

/// Root of a new user namespace exists: it is who sets up the container.
pub fn root_is_mapped(spec: &Spec, problems: &mut Problems) {
    let Some(linux) = spec.linux().as_ref().filter(|_| is_new(spec, Type::User)) else { return };
    for (at, mappings) in [("/linux/uidMappings", linux.uid_mappings()), ("/linux/gidMappings", linux.gid_mappings())] {
        // Without any, or with an empty one, that is the mistake.
        let mappings = mappings.as_deref().unwrap_or_default();
        if !mappings.is_empty() && mappings.iter().all(|map| map.size() > 0) && !is_mapped(mappings, 0) {
            problems.add(at, "does not map 0: it is root of the namespace who sets up the container");
        }
    }
}

/// No more ranges than the kernel takes.
pub fn count(mappings: &[LinuxIdMapping], at: &str, problems: &mut Problems) {
    if mappings.len() > MAPPINGS_MAX {
        let message = format!("{} ranges are more than the {MAPPINGS_MAX} that the kernel allows", mappings.len());
        problems.add(at, message);
    }
}

/// The first id of a mapping, inside or outside.
type Side = fn(&LinuxIdMapping) -> u32;

/// No range is empty, ends beyond the ids there are, or overlaps with another on either side.
pub fn ranges(mappings: &[LinuxIdMapping], at: &str, problems: &mut Problems) {
    for (index, mapping) in mappings.iter().enumerate() {
        let at = join(at, index);
        if mapping.size() == 0 {
            problems.add(join(&at, "size"), "must be at least 1, not 0");
            continue;
        }
        let sides: [(&str, Side); 2] =
            [("containerID", LinuxIdMapping::container_id), ("hostID", LinuxIdMapping::host_id)];
        for (side, first) in sides {
            // user_namespaces(7): the last id, 4294967295, cannot be mapped.
            let end = |mapping: &LinuxIdMapping| u64::from(first(mapping)) + u64::from(mapping.size());
            if end(mapping) > u64::from(u32::MAX) {
                let message = format!("{} ids from {} on are more than there are", mapping.size(), first(mapping));
                problems.add(join(&at, "size"), message);
            }
            let overlaps = |other: &&LinuxIdMapping| {
                u64::from(first(other)) < end(mapping) && u64::from(first(mapping)) < end(other)
            };
            if mappings[..index].iter().find(overlaps).is_some() {
                problems.add(join(&at, side), "this range overlaps with one before it");
            }
        }
    }
}

/// Whether the mappings give the id a meaning.
pub fn is_mapped(mappings: &[LinuxIdMapping], id: u32) -> bool {
    mappings.iter().any(|mapping| {
        let first = u64::from(mapping.container_id());
        (first..first + u64::from(mapping.size())).contains(&u64::from(id))
    })
}

/// `linux.timeOffsets`, time_namespaces(7).
pub fn time_offsets(spec: &Spec, problems: &mut Problems) {
    let Some(offsets) = spec.linux().as_ref().and_then(|linux| linux.time_offsets().as_ref()) else { return };
    if !is_new(spec, Type::Time) {
        problems.add("/linux/timeOffsets", "offsets need a new time namespace in /linux/namespaces");
    }
    let mut clocks: Vec<_> = offsets.iter().collect();
    clocks.sort_by_key(|(clock, _)| *clock);
    for (clock, offset) in clocks {
        let at = join("/linux/timeOffsets", clock);
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            problems.add(at, "no such clock; there are monotonic and boottime");
        } else if let Some(nanoseconds) = offset.nanosecs()
            && nanoseconds > 999_999_999
        {
            problems.add(join(&at, "nanosecs"), format!("must be at most 999999999, not {nanoseconds}"));
        }
    }
}

/// `hostname` and `domainname`.
pub fn host_names(spec: &Spec, problems: &mut Problems) {
    for (at, name) in [("/hostname", spec.hostname()), ("/domainname", spec.domainname())] {
        let Some(name) = name else { continue };
        if find(spec, Type::Uts).is_none() {
            problems.add(at, "needs a uts namespace in /linux/namespaces: it would be the host's");
        }
        if name.len() > NAME_MAX {
            problems.add(at, format!("must be at most {NAME_MAX} bytes long, not {}", name.len()));
        }
    }
}
