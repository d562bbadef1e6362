// SPDX-License-Identifier: Apache-2.0
//! What containers have used: the counters of their cgroups and of their network, as `runc events --stats` prints them.

use std::fs;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Container, Runtime};
use crate::cgroup::Stats;
use crate::error::{Error, Kind, Result};
use crate::launch::{Identity, Record};
use crate::rdt::{Rdt, RdtStats};

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    cgroup: Stats,
    intel_rdt: RdtStats,
    network_interfaces: Option<Vec<Interface>>,
}

/// The counters of a network interface.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Interface {
    name: String,
    rx_bytes: u64,
    rx_packets: u64,
    rx_errors: u64,
    rx_dropped: u64,
    tx_bytes: u64,
    tx_packets: u64,
    tx_errors: u64,
    tx_dropped: u64,
}

impl Container {
    /// What the container has used, as JSON.
    pub fn stats(&self) -> Result<String> {
        Ok(data(&self.record()?)?.to_string())
    }
}

impl Runtime {
    /// The same of many, or with `None` of all: an array with an object for each.
    pub fn stats(self: &std::sync::Arc<Self>, ids: Option<&[&str]>) -> Result<String> {
        let event = |id: &str| {
            let stats = || data(&Container::open(self.clone(), id)?.record()?);
            stats().map(|data| json!({ "type": "stats", "id": id, "data": data }))
        };
        let events: Vec<Value> = match ids {
            Some(ids) => ids.iter().map(|id| event(id).unwrap_or_else(|error| failure(id, &error))).collect(),
            // Those that come and go meanwhile are not there.
            None => {
                let results = self.ids()?.into_iter().map(|id| (event(&id), id));
                results
                    .filter_map(|(result, id)| match result {
                        Err(error) if matches!(error.kind, Kind::NotFound | Kind::State) => None,
                        result => Some(result.unwrap_or_else(|error| failure(&id, &error))),
                    })
                    .collect()
            }
        };
        Ok(json!(events).to_string())
    }
}

/// What stands for a container that could not be asked.
pub(super) fn failure(id: &str, error: &Error) -> Value {
    json!({ "type": "error", "id": id, "status": error.kind as i32, "message": error.message })
}

fn data(record: &Record) -> Result<Value> {
    let network_interfaces = match &record.init {
        Some(init) if record.namespaces & libc::CLONE_NEWNET as u64 != 0 => interfaces(init),
        // Counters of a network that it shares with others are not the container's.
        _ => None,
    };
    if record.cgroup.is_nowhere() {
        return Err(Error::new(Kind::Unsupported, "without a cgroup of its own nothing is counted for a container"));
    }
    let intel_rdt = record.rdt.as_ref().map(Rdt::stats).unwrap_or_default();
    let data = Data { cgroup: record.cgroup.stats()?, intel_rdt, network_interfaces };
    serde_json::to_value(data).map_err(|error| Error::new(Kind::Bug, error.to_string()))
}

/// Those of the network namespace that init is in; `None` once it has ended. It has a file for them in procfs, so that
/// nobody has to enter the namespace.
fn interfaces(init: &Identity) -> Option<Vec<Interface>> {
    let held = init.open().ok().flatten()?;
    let text = fs::read_to_string(format!("/proc/{}/net/dev", init.pid)).ok()?;
    // As long as it is not reaped its pid is nobody else's.
    init.open().ok().flatten()?;
    drop(held);
    Some(text.lines().filter_map(interface).collect())
}

/// A line of proc_pid_net(5), `dev`: the name, eight numbers of what was received and eight of what was sent.
fn interface(line: &str) -> Option<Interface> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, tx_bytes, tx_packets, tx_errors, tx_dropped, ..] =
        numbers[..]
    else {
        return None;
    };
    let name = name.trim().to_owned();
    Some(Interface { name, rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped })
}

#[cfg(test)]
mod tests {
    use super::{Interface, interface};

    #[test]
    fn lines_of_net_dev() {
        assert_eq!(interface(" face |bytes    packets errs drop fifo frame compressed multicast|bytes"), None);
        let line = "  eth0:1500 10    1    2    3     4          5         6     2500      20    7    8    9     1       2          3";
        let expected = Interface {
            name: "eth0".into(),
            rx_bytes: 1500,
            rx_packets: 10,
            rx_errors: 1,
            rx_dropped: 2,
            tx_bytes: 2500,
            tx_packets: 20,
            tx_errors: 7,
            tx_dropped: 8,
        };
        assert_eq!(interface(line), Some(expected));
    }
}
