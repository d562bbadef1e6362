// SPDX-License-Identifier: Apache-2.0
//! What a configuration must be beyond having the right types: a list of checks that know nothing of each
//! other. Each looks at the specification and says what is wrong with it, and where.

mod linux;
mod memory_policy;
mod mounts;
mod namespaces;
mod net_devices;
mod process;
mod rdt;
mod scheduling;
mod seccomp;
mod sysctl;

use oci_spec::runtime::{Hook, LinuxIntelRdt, LinuxResources, Process, Spec};

pub use mounts::{is_bind, may_be_mounted_in_proc};
pub use rdt::RESCTRL_NAMES;
pub use sysctl::{sysctl_namespace, sysctl_path};

use super::pointer::join;
use crate::error::Error;

/// What was found wrong.
#[derive(Default)]
struct Problems(Vec<Error>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, message: impl AsRef<str>) {
        self.0.push(Error::config(pointer, message));
    }
}

const SPEC: &[fn(&Spec, &mut Problems)] = &[
    version,
    root,
    namespaces::list,
    namespaces::mappings,
    namespaces::time_offsets,
    namespaces::host_names,
    has_process,
    process::mapped,
    namespaces::root_is_mapped,
    mounts::destinations,
    mounts::sources,
    mounts::mappings,
    mounts::copy_up,
    linux::paths,
    linux::propagation,
    linux::cgroups_path,
    linux::devices,
    net_devices::names,
    linux::personality,
    memory_policy::memory_policy,
    rdt::intel_rdt,
    sysctl::namespaced,
    seccomp::listener,
    seccomp::rules,
    hooks,
    scheduling::deadline_and_hooks,
    annotations,
];

const PROCESS: &[fn(&Process, &mut Problems)] = &[
    process::program,
    process::environment,
    process::user,
    process::rlimits,
    process::capabilities,
    process::oom_score,
    process::console,
    scheduling::scheduler,
    scheduling::io_priority,
];

const RESOURCES: &[fn(&LinuxResources, &mut Problems)] = &[linux::device_rules, linux::ranges];

/// What is wrong with a whole configuration.
pub fn spec(spec: &Spec) -> Vec<Error> {
    let mut problems = Problems::default();
    run(SPEC, spec, &mut problems);
    if let Some(process) = spec.process() {
        run(PROCESS, process, &mut problems);
    }
    if let Some(resources) = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()) {
        run(RESOURCES, resources, &mut problems);
    }
    problems.0
}

/// What is wrong with a process.
pub fn process(process: &Process) -> Vec<Error> {
    let mut problems = Problems::default();
    run(PROCESS, process, &mut problems);
    problems.0
}

/// What is wrong with resource limits.
pub fn resources(resources: &LinuxResources) -> Vec<Error> {
    let mut problems = Problems::default();
    run(RESOURCES, resources, &mut problems);
    problems.0
}

/// What is wrong with a class of service.
pub fn rdt(section: &LinuxIntelRdt) -> Vec<Error> {
    let mut problems = Problems::default();
    rdt::section(section, &mut problems);
    problems.0
}

fn run<T>(checks: &[fn(&T, &mut Problems)], subject: &T, problems: &mut Problems) {
    for check in checks {
        check(subject, problems);
    }
}

/// SemVer 2.0.0; within a major version every configuration is understood (config.md, "Specification version").
fn version(spec: &Spec, problems: &mut Problems) {
    let version = spec.version();
    match major(version) {
        _ if version.is_empty() => problems.add("/ociVersion", "is missing"),
        None => problems.add("/ociVersion", format!("\"{version}\" is not a version such as 1.3.0")),
        Some("1") => {}
        Some(_) => problems.add("/ociVersion", format!("version {version} is not supported, only 1.x.y are")),
    }
}

/// The major version, if all of `version` is a SemVer.
fn major(version: &str) -> Option<&str> {
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let is_number = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| c.is_ascii_digit()) && (word == "0" || !word.starts_with('0'))
    };
    let numbers: Vec<_> = core.split('.').collect();
    let tails = [pre, build].into_iter().flatten().flat_map(|tail| tail.split('.'));
    (numbers.len() == 3 && numbers.iter().all(|word| is_number(word)) && tails.into_iter().all(is_word))
        .then_some(numbers[0])
}

fn root(spec: &Spec, problems: &mut Problems) {
    match spec.root() {
        None => problems.add("/root", "is missing"),
        Some(root) if root.path().as_os_str().is_empty() => problems.add("/root/path", "is empty"),
        Some(_) => {}
    }
}

/// Optional in the specification until start; brig prepares the whole container in create.
fn has_process(spec: &Spec, problems: &mut Problems) {
    if spec.process().is_none() {
        problems.add("/process", "is missing");
    }
}

#[allow(deprecated, reason = "prestart hooks are still asked for")]
fn hooks(spec: &Spec, problems: &mut Problems) {
    let Some(hooks) = spec.hooks() else { return };
    for (name, list) in [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ] {
        for (index, item) in list.iter().flatten().enumerate() {
            hook(item, &format!("/hooks/{name}/{index}"), problems);
        }
    }
}

fn hook(hook: &Hook, at: &str, problems: &mut Problems) {
    if !hook.path().is_absolute() {
        problems.add(join(at, "path"), format!("{:?} is not an absolute path", hook.path()));
    }
    process::variables(hook.env(), &join(at, "env"), problems);
    if let Some(timeout) = hook.timeout()
        && timeout <= 0
    {
        problems.add(join(at, "timeout"), format!("must be more than 0 seconds, not {timeout}"));
    }
}

fn annotations(spec: &Spec, problems: &mut Problems) {
    if spec.annotations().as_ref().is_some_and(|annotations| annotations.contains_key("")) {
        problems.add("/annotations/", "the name of an annotation must not be empty");
    }
}
