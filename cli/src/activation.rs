// SPDX-License-Identifier: Apache-2.0
//! Socket activation: files that this program was started with, for the program in the container (sd_listen_fds(3)).

use std::env;

use serde_json::Value;

use crate::environment;

/// The files that came, from 3 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// How many.
    pub count: u16,
}

impl Activation {
    /// What the environment says of them. Those that are meant for another process were only inherited.
    pub fn received() -> Self {
        let variable = |name| env::var(name).ok();
        Self::from(variable("LISTEN_FDS").as_deref(), variable("LISTEN_PID").as_deref())
    }

    fn from(count: Option<&str>, pid: Option<&str>) -> Self {
        let ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        Self { count: count.filter(|_| ours).and_then(|count| count.parse().ok()).unwrap_or(0) }
    }

    /// Tells a program of them, in its `process` object. Its pid, which goes with it, is added by the library.
    pub fn tell(self, process: &mut Value) {
        if self.count == 0 {
            return;
        }
        environment::remove(process, "LISTEN_PID");
        let names = env::var("LISTEN_FDNAMES").ok().map(|names| format!("LISTEN_FDNAMES={names}"));
        let variables: Vec<_> = [format!("LISTEN_FDS={}", self.count)].into_iter().chain(names).collect();
        environment::set(process, &variables);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours() {
        let own = std::process::id().to_string();
        for (count, pid, expected) in [
            (None, None, 0),
            (Some("2"), None, 2),
            (Some("2"), Some(own.as_str()), 2),
            (Some("2"), Some("1"), 0),
            (Some("2"), Some(""), 0),
            (Some("-1"), None, 0),
            (Some("x"), None, 0),
            (None, Some(own.as_str()), 0),
        ] {
            assert_eq!(Activation::from(count, pid).count, expected, "{count:?} {pid:?}");
        }
    }
}
