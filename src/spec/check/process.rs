// SPDX-License-Identifier: Apache-2.0
//! Checks of `process`.

use oci_spec::runtime::{Capability, Process, Spec};

use super::Problems;
use super::namespaces::is_mapped;
use crate::spec::pointer::join;

/// The -1 of setresuid(2), which means "leave it as it is": as an id it would leave the process root.
const NO_ID: u32 = u32::MAX;
/// NGROUPS_MAX of linux/limits.h.
const GROUPS_MAX: usize = 65536;

/// `args` and `cwd`.
pub fn program(process: &Process, problems: &mut Problems) {
    match process.args().as_deref() {
        None => problems.add("/process/args", "is missing"),
        Some([]) => problems.add("/process/args", "is empty: the program is its first element"),
        Some([program, ..]) if program.is_empty() => problems.add("/process/args/0", "is empty: it is the program"),
        Some(_) => {}
    }
    if !process.cwd().is_absolute() {
        problems.add("/process/cwd", format!("{:?} is not an absolute path", process.cwd()));
    }
}

/// `env`.
pub fn environment(process: &Process, problems: &mut Problems) {
    variables(process.env(), "/process/env", problems);
}

/// Every entry is NAME=value.
pub fn variables(list: &Option<Vec<String>>, at: &str, problems: &mut Problems) {
    for (index, variable) in list.iter().flatten().enumerate() {
        // The value may be a secret: it is not for logs.
        match variable.split_once('=') {
            None => problems.add(join(at, index), "has no '=': an environment variable is NAME=value"),
            Some(("", _)) => problems.add(join(at, index), "has no name before the '='"),
            Some(_) => {}
        }
    }
}

/// `user`.
pub fn user(process: &Process, problems: &mut Problems) {
    let user = process.user();
    for (at, id) in ids(process) {
        if id == NO_ID {
            problems.add(at, format!("{id} is no id: the kernel takes it for \"unchanged\""));
        }
    }
    let groups = user.additional_gids().as_ref().map_or(0, Vec::len);
    if groups > GROUPS_MAX {
        let message = format!("{groups} groups are more than the {GROUPS_MAX} that the kernel allows");
        problems.add("/process/user/additionalGids", message);
    }
    if let Some(umask) = user.umask()
        && umask > 0o777
    {
        problems.add("/process/user/umask", format!("must be at most 511 (0777), not {umask} ({umask:#o})"));
    }
}

fn ids(process: &Process) -> impl Iterator<Item = (String, u32)> {
    let user = process.user();
    let more = user.additional_gids().iter().flatten().enumerate();
    [("/process/user/uid".to_owned(), user.uid()), ("/process/user/gid".to_owned(), user.gid())]
        .into_iter()
        .chain(more.map(|(index, &gid)| (format!("/process/user/additionalGids/{index}"), gid)))
}

/// In a new user namespace, the ids of the process must exist.
pub fn mapped(spec: &Spec, problems: &mut Problems) {
    let (Some(process), Some(linux)) = (spec.process(), spec.linux()) else { return };
    for (at, id) in ids(process) {
        let (mappings, name) = match at.ends_with("/uid") {
            true => (linux.uid_mappings(), "uidMappings"),
            false => (linux.gid_mappings(), "gidMappings"),
        };
        if let Some(mappings) = mappings
            && !mappings.is_empty()
            && id != NO_ID
            && !is_mapped(mappings, id)
        {
            problems.add(at, format!("{id} is in none of the ranges of /linux/{name}"));
        }
    }
}

/// `rlimits`. The names are checked by their type.
pub fn rlimits(process: &Process, problems: &mut Problems) {
    let limits = process.rlimits().as_deref().unwrap_or_default();
    for (index, limit) in limits.iter().enumerate() {
        if limits[..index].iter().any(|other| other.typ() == limit.typ()) {
            problems.add(format!("/process/rlimits/{index}/type"), format!("{} is there twice", limit.typ()));
        }
        if limit.soft() > limit.hard() {
            let message = format!("must be at most the hard limit, {}, not {}", limit.hard(), limit.soft());
            problems.add(format!("/process/rlimits/{index}/soft"), message);
        }
    }
}

/// `capabilities`: what is effective must be permitted (capabilities(7)). The names are checked by their type.
pub fn capabilities(process: &Process, problems: &mut Problems) {
    let Some(capabilities) = process.capabilities() else { return };
    let permitted = |capability: &Capability| capabilities.permitted().iter().flatten().any(|one| one == capability);
    let effective = capabilities.effective().iter().flatten();
    if let Some(first) = effective.filter(|one| !permitted(one)).map(|one| format!("CAP_{one}")).min() {
        let message = format!("{first} cannot be effective without being permitted as well");
        problems.add("/process/capabilities/effective", message);
    }
}

/// `oomScoreAdj`, proc_pid_oom_score_adj(5).
pub fn oom_score(process: &Process, problems: &mut Problems) {
    if let Some(score) = process.oom_score_adj()
        && !(-1000..=1000).contains(&score)
    {
        problems.add("/process/oomScoreAdj", format!("must be from -1000 to 1000, not {score}"));
    }
}

/// `consoleSize`, which does not count without a terminal.
pub fn console(process: &Process, problems: &mut Problems) {
    let (Some(true), Some(size)) = (process.terminal(), process.console_size()) else { return };
    for (name, value) in [("height", size.height()), ("width", size.width())] {
        // struct winsize has 16 bits for it.
        if value > u64::from(u16::MAX) {
            problems.add(format!("/process/consoleSize/{name}"), format!("must be at most 65535, not {value}"));
        }
    }
}
