// SPDX-License-Identifier: Apache-2.0
//! `brig update`

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::arguments::Globals;
use crate::error::{Context, Result};
use crate::exit_code::ExitCode;
use crate::log::Log;
use crate::size;

/// The flags that are fields of `linux.resources`.
#[derive(Args)]
#[group(skip)]
struct Limits {
    /// Share of the bandwidth of disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", allow_hyphen_values = true)]
    blkio_weight: Option<u16>,
    /// Length of a period for --cpu-quota, in microseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_period: Option<u64>,
    /// Processor time in each period, in microseconds; -1 for no limit
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Processor time that may be saved up and used at once, in microseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_burst: Option<u64>,
    /// Share of processor time, relative to others
    #[arg(long, value_name = "SHARES", allow_hyphen_values = true)]
    cpu_share: Option<u64>,
    /// Length of a real-time period, in microseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_rt_period: Option<u64>,
    /// Real-time processor time in each period, in microseconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// Processors to use, such as 0-3,7
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cpuset_cpus: Option<String>,
    /// Memory nodes to use, such as 0-1
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    /// 1 to get only processor time that nobody else wants
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    cpu_idle: Option<i64>,
    /// Memory, in bytes or with a unit such as 512m; -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size::parse)]
    memory: Option<i64>,
    /// Memory that is left to it when memory is short
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size::parse)]
    memory_reservation: Option<i64>,
    /// Memory and swap together; -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size::parse)]
    memory_swap: Option<i64>,
    /// Number of processes and threads; -1 for no limit
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
}

#[derive(Args)]
pub struct Update {
    /// Read the changes as JSON from a file, or "-" from stdin: the resources object of config.json, but for its devices
    #[arg(short, long, value_name = "FILE", conflicts_with_all = LIMITS)]
    resources: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    /// Which parts of the L3 cache its class of service may use, such as L3:0=f (Intel RDT)
    #[arg(long, value_name = "SCHEMA")]
    l3_cache_schema: Option<String>,
    /// Which part of the memory bandwidth its class of service may use, such as MB:0=50 (Intel RDT)
    #[arg(long, value_name = "SCHEMA")]
    mem_bw_schema: Option<String>,
    /// Has no effect, as in the kernel
    #[arg(long, value_name = "SIZE", hide = true, allow_hyphen_values = true)]
    kernel_memory: Option<String>,
    /// Has no effect
    #[arg(long, value_name = "SIZE", hide = true, allow_hyphen_values = true)]
    kernel_memory_tcp: Option<String>,
    /// The container
    id: String,
}

const LIMITS: [&str; 14] = [
    "blkio_weight",
    "cpu_period",
    "cpu_quota",
    "cpu_burst",
    "cpu_share",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpuset_cpus",
    "cpuset_mems",
    "cpu_idle",
    "memory",
    "memory_reservation",
    "memory_swap",
    "pids_limit",
];

impl super::Run for Update {
    const NAME: &'static str = "update";
    const ABOUT: &'static str = "Change the limits of a container";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let container = globals.runtime()?.container(&self.id)?;
        let resources = match &self.resources {
            Some(path) => without_devices(read(path)?),
            None => self.limits.json().to_string(),
        };
        container.update(&resources, self.intel_rdt().as_deref())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Update {
    /// The `linux.intelRdt` object, if there is something to be in it.
    fn intel_rdt(&self) -> Option<String> {
        let members = [("l3CacheSchema", &self.l3_cache_schema), ("memBwSchema", &self.mem_bw_schema)];
        let given = members.iter().filter_map(|(name, schema)| schema.as_ref().map(|schema| (*name, schema)));
        let members: BTreeMap<_, _> = given.collect();
        (!members.is_empty()).then(|| json!(members).to_string())
    }
}

impl Limits {
    fn json(&self) -> Value {
        let object = |members: &[(&str, Value)]| {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>())
        };
        let mut resources = json!({
            "memory": object(&[
                ("limit", json!(self.memory)),
                ("reservation", json!(self.memory_reservation)),
                ("swap", json!(self.memory_swap)),
            ]),
            "cpu": object(&[
                ("shares", json!(self.cpu_share)),
                ("quota", json!(self.cpu_quota)),
                ("period", json!(self.cpu_period)),
                ("burst", json!(self.cpu_burst)),
                ("realtimeRuntime", json!(self.cpu_rt_runtime)),
                ("realtimePeriod", json!(self.cpu_rt_period)),
                ("cpus", json!(self.cpuset_cpus)),
                ("mems", json!(self.cpuset_mems)),
                ("idle", json!(self.cpu_idle)),
            ]),
            "pids": object(&[("limit", json!(self.pids_limit))]),
            "blockIO": object(&[("weight", json!(self.blkio_weight))]),
        });
        if let Value::Object(resources) = &mut resources {
            resources.retain(|_, value| value.as_object().is_some_and(|object| !object.is_empty()));
        }
        resources
    }
}

fn read(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        stdin().read_to_string(&mut text).context(|| "cannot read stdin")?;
        return Ok(text);
    }
    fs::read_to_string(path).context(|| format!("--resources: cannot read {}", path.display()))
}

/// Callers send what they have of a container, its devices as well. By hooks and others it may have more devices by now
/// than that, which are not to be taken away; so other runtimes do not look at these either.
fn without_devices(text: String) -> String {
    // What is wrong with it, the library will say.
    let Ok(mut members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(&text) else { return text };
    match members.remove("devices") {
        Some(_) => serde_json::to_string(&members).unwrap_or(text),
        None => text,
    }
}
