// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.seccomp` that need no libseccomp.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, Spec};

use super::Problems;

/// MAX_ERRNO of the kernel, which cuts off what is larger.
const ERRNO_MAX: u32 = 4095;
/// SECCOMP_RET_DATA.
const DATA_MAX: u32 = 0xffff;

/// unix(7): sun_path without its NUL.
const ADDRESS_MAX: usize = 107;

fn seccomp(spec: &Spec) -> Option<&LinuxSeccomp> {
    spec.linux().as_ref()?.seccomp().as_ref()
}

/// Notifications can be answered. Who does so is not told by the text alone.
pub fn listener(spec: &Spec, problems: &mut Problems) {
    let Some(seccomp) = seccomp(spec) else { return };
    if seccomp.default_action() == Action::ScmpActNotify {
        // The message with the listener could not be sent any more.
        problems.add("/linux/seccomp/defaultAction", "must not be SCMP_ACT_NOTIFY: nobody could be told");
    }
    if seccomp.listener_metadata().is_some() && seccomp.listener_path().is_none() {
        problems.add("/linux/seccomp/listenerMetadata", "has no use without a listenerPath");
    }
    let mut notifies = false;
    for (index, rule) in seccomp.syscalls().iter().flatten().enumerate() {
        if rule.action() != Action::ScmpActNotify {
            continue;
        }
        notifies = true;
        if let Some(name) = rule.names().iter().position(|name| name == "sendmsg") {
            let at = format!("/linux/seccomp/syscalls/{index}/names/{name}");
            problems.add(at, "must not be notified of: it is what the listener is sent with");
        }
    }
    // config-linux.md, "Seccomp": ignored otherwise.
    let Some(path) = seccomp.listener_path().as_ref().filter(|_| notifies) else { return };
    let at = "/linux/seccomp/listenerPath";
    if !path.is_absolute() {
        problems.add(at, format!("{path:?} is not an absolute path"));
    } else if path.as_os_str().len() > ADDRESS_MAX {
        problems.add(at, format!("must have at most {ADDRESS_MAX} bytes, as the address of a socket"));
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
