// SPDX-License-Identifier: Apache-2.0
//! `brig events`

use std::time::{Duration, Instant};

use clap::Args;
use jiff::SignedDuration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Deserialize;

use super::print;
use crate::arguments::Globals;
use crate::error::{Context, Error, Result};
use crate::exit_code::ExitCode;
use crate::ffi::Container;
use crate::log::Log;

#[derive(Args)]
pub struct Events {
    /// Print what the container has used, once
    #[arg(long)]
    stats: bool,
    /// How often to print what it has used, such as 500ms or 1m30s
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = interval, allow_hyphen_values = true)]
    interval: Duration,
    /// The container
    id: String,
}

/// What is read of an event.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    /// A word in the events that are looked for.
    #[serde(default)]
    status: serde_json::Value,
}

/// What is read of a container's state.
#[derive(Deserialize)]
struct State {
    status: String,
}

impl super::Run for Events {
    const NAME: &'static str = "events";
    const ABOUT: &'static str = "Print what a container uses, and when it runs out of memory";

    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        let container = globals.runtime()?.container(&self.id)?;
        if has_ended(&container)? {
            return Err(Error::refused(format!("container with id {} is not running", self.id)));
        }
        match self.stats {
            true => self.print_stats(&container.stats()?)?,
            false => self.follow(&container, log)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Events {
    /// Prints until the container has ended.
    fn follow(&self, container: &Container, log: &Log) -> Result<()> {
        let monitor = container.monitor()?;
        let file = monitor.file()?;
        let mut next = Some(Instant::now() + self.interval);
        // Whether the present lack of memory was told of already, before somebody was killed for it.
        let mut told = false;
        loop {
            while let Some(event) = monitor.next()? {
                let event: Event = serde_json::from_str(&event).context(|| "cannot read the library's JSON")?;
                match event.kind.as_str() {
                    "oom" => told = true,
                    "oom_kill" if told => {
                        told = false;
                        continue;
                    }
                    "oom_kill" => {}
                    "state" if event.status == "stopped" || event.status == "deleted" => return Ok(()),
                    _ => continue,
                }
                self.print("oom", None)?;
            }
            let left = next.map(|next| next.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                next = Some(Instant::now() + self.interval);
                match container.stats() {
                    // It went away meanwhile.
                    Err(_) if has_ended(container)? => return Ok(()),
                    // An ordinary user's container without a cgroup has its other events nevertheless.
                    Err(error) if error.is_unsupported() => {
                        log.warning(error.message());
                        next = None;
                    }
                    stats => self.print_stats(&stats?)?,
                }
                continue;
            }
            let left = left.map(|left| Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            });
            match poll(&mut [PollFd::new(&file, PollFlags::IN)], left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context(|| "cannot wait for the container"),
            }
        }
    }

    fn print_stats(&self, stats: &str) -> Result<()> {
        self.print("stats", Some(stats))
    }

    /// One line; the names are those that readers of other runtimes know. An id needs no escaping.
    fn print(&self, kind: &str, data: Option<&str>) -> Result<()> {
        let data = data.map(|data| format!(",\"data\":{data}")).unwrap_or_default();
        print(&format!("{{\"type\":\"{kind}\",\"id\":\"{}\"{data}}}\n", self.id))
    }
}

/// Whether it has stopped, or is gone.
fn has_ended(container: &Container) -> Result<bool> {
    let state = match container.state() {
        Err(error) if error.is_not_found() => return Ok(true),
        state => state?,
    };
    let state: State = serde_json::from_str(&state).context(|| "cannot read the library's JSON")?;
    Ok(state.status == "stopped")
}

/// As Go writes durations, of which jiff's are a superset.
fn interval(text: &str) -> std::result::Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|_| "it is not a duration, such as 500ms or 1m30s")?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "duration interval must be greater than 0".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::interval;

    #[test]
    fn durations_are_those_of_go() {
        let is = |text, milliseconds| assert_eq!(interval(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        is("5s", 5000);
        is("100ms", 100);
        is("1m30s", 90_000);
        is("1h2m3s", 3_723_000);
        is("1.5s", 1500);
        is("+2s", 2000);
        assert_eq!(interval("7us"), Ok(Duration::from_micros(7)));
        assert_eq!(interval("7µs"), Ok(Duration::from_micros(7)));
        assert_eq!(interval("9ns"), Ok(Duration::from_nanos(9)));
        for text in ["", "5", "s", "five", "5 apples", "5s5"] {
            assert!(interval(text).unwrap_err().contains("not a duration"), "{text}");
        }
        for text in ["0s", "-5s", "-0s"] {
            assert!(interval(text).unwrap_err().contains("greater than 0"), "{text}");
        }
    }
}
