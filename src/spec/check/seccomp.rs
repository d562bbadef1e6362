// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.seccomp` that need no libseccomp.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, Spec};

use super::Problems;

/// MAX_ERRNO of the kernel, which cuts off what is larger.
const ERRNO_MAX: u32 = 4095;
/// SECCOMP_RET_DATA.
const DATA_MAX: u32 = 0xffff;

fn seccomp(spec: &Spec) -> Option<&LinuxSeccomp> {
    spec.linux().as_ref()?.seccomp().as_ref()
}

/// Notifications have somebody to be sent to.
pub fn listener(spec: &Spec, problems: &mut Problems) {
    let Some(seccomp) = seccomp(spec) else { return };
    let first = seccomp.syscalls().iter().flatten().position(|rule| rule.action() == Action::ScmpActNotify);
    if seccomp.default_action() == Action::ScmpActNotify {
        // The message with the listener could not be sent any more.
        problems.add("/linux/seccomp/defaultAction", "must not be SCMP_ACT_NOTIFY: nobody could be told");
    }
    match (seccomp.listener_path(), first) {
        (Some(path), _) if !path.is_absolute() => {
            problems.add("/linux/seccomp/listenerPath", format!("{path:?} is not an absolute path"));
        }
        (Some(_), None) => {
            problems.add("/linux/seccomp/listenerPath", "has no use: no action is SCMP_ACT_NOTIFY");
        }
        (None, Some(index)) => {
            let message = "SCMP_ACT_NOTIFY needs a listener in /linux/seccomp/listenerPath";
            problems.add(format!("/linux/seccomp/syscalls/{index}/action"), message);
        }
        (None, None) if seccomp.listener_metadata().is_some() => {
            problems.add("/linux/seccomp/listenerMetadata", "has no use without a listenerPath");
        }
        _ => {}
    }
}

/// Rules, and what actions return.
pub fn rules(spec: &Spec, problems: &mut Problems) {
    let Some(seccomp) = seccomp(spec) else { return };
    let at = "/linux/seccomp/defaultErrnoRet";
    returned(seccomp.default_action(), seccomp.default_errno_ret(), at, problems);
    for (index, rule) in seccomp.syscalls().iter().flatten().enumerate() {
        let at = format!("/linux/seccomp/syscalls/{index}");
        returned(rule.action(), rule.errno_ret(), &format!("{at}/errnoRet"), problems);
        if rule.names().is_empty() {
            problems.add(format!("{at}/names"), "must have at least one name");
        }
        for (index, name) in rule.names().iter().enumerate() {
            if name.is_empty() {
                problems.add(format!("{at}/names/{index}"), "is empty");
            }
        }
        for (index, arg) in rule.args().iter().flatten().enumerate() {
            if arg.index() > 5 {
                problems.add(format!("{at}/args/{index}/index"), format!("must be from 0 to 5, not {}", arg.index()));
            }
        }
    }
}

/// config-linux.md, "Seccomp": an error where the action has no errno.
fn returned(action: Action, value: Option<u32>, at: &str, problems: &mut Problems) {
    let Some(value) = value else { return };
    let most = match action {
        Action::ScmpActErrno => ERRNO_MAX,
        Action::ScmpActTrace => DATA_MAX,
        _ => return problems.add(at, format!("{action} returns no errno, so none can be given")),
    };
    if value > most {
        problems.add(at, format!("must be at most {most}, not {value}"));
    }
}
