// SPDX-License-Identifier: Apache-2.0
//! What resctrl tells of a container: what its class may use, what there is to be given, and what was measured. The
//! structure is that of `runc events --stats`.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Rdt;

/// Members that this processor has nothing for are missing.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct RdtStats {
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_info: Option<CacheInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_schema_root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_info: Option<BandwidthInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_schema_root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_schema: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mbm_stats: Vec<Bandwidth>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmt_stats: Vec<Occupancy>,
}

#[derive(Debug, PartialEq, Serialize)]
struct CacheInfo {
    cbm_mask: String,
    min_cbm_bits: u64,
    num_closids: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct BandwidthInfo {
    bandwidth_gran: u64,
    delay_linear: u64,
    min_bandwidth: u64,
    num_closids: u64,
}

/// Of one cache; in the order of their numbers.
#[derive(Debug, PartialEq, Serialize)]
struct Bandwidth {
    mbm_total_bytes: u64,
    mbm_local_bytes: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Occupancy {
    llc_occupancy: u64,
}

impl Rdt {
    /// Reads it anew.
    pub(crate) fn stats(&self) -> RdtStats {
        let info = self.root.join("info");
        let root = fs::read_to_string(self.root.join("schemata")).unwrap_or_default();
        let class = fs::read_to_string(self.group.join("schemata")).unwrap_or_default();
        let mut stats = RdtStats {
            l3_cache_info: CacheInfo::read(&info.join("L3")),
            l3_cache_schema_root: schemata(&root, "L3"),
            l3_cache_schema: schemata(&class, "L3"),
            mem_bw_info: BandwidthInfo::read(&info.join("MB")),
            mem_bw_schema_root: schemata(&root, "MB"),
            mem_bw_schema: schemata(&class, "MB"),
            ..RdtStats::default()
        };
        // What is measured of a class that others may be in is not the container's.
        if let Some(measured) = self.monitor.as_ref().or(self.own.then_some(&self.group)) {
            stats.measure(&measured.join("mon_data"));
        }
        stats
    }
}

impl RdtStats {
    fn measure(&mut self, data: &Path) {
        let caches = fs::read_dir(data).into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("mon_L3_")?.parse::<u64>().ok()?;
            Some((number, entry.path()))
        });
        let mut caches: Vec<_> = caches.collect();
        caches.sort();
        for (_, cache) in caches {
            // The kernel may say "Unavailable" instead.
            if let (Some(mbm_total_bytes), Some(mbm_local_bytes)) =
                (number(&cache, "mbm_total_bytes"), number(&cache, "mbm_local_bytes"))
            {
                self.mbm_stats.push(Bandwidth { mbm_total_bytes, mbm_local_bytes });
            }
            if let Some(llc_occupancy) = number(&cache, "llc_occupancy") {
                self.cmt_stats.push(Occupancy { llc_occupancy });
            }
        }
    }
}

impl CacheInfo {
    fn read(directory: &Path) -> Option<Self> {
        let cbm_mask = fs::read_to_string(directory.join("cbm_mask")).ok()?.trim().to_owned();
        let of = |file| number(directory, file);
        Some(Self { cbm_mask, min_cbm_bits: of("min_cbm_bits")?, num_closids: of("num_closids")? })
    }
}

impl BandwidthInfo {
    fn read(directory: &Path) -> Option<Self> {
        let of = |file| number(directory, file);
        Some(Self {
            bandwidth_gran: of("bandwidth_gran")?,
            delay_linear: of("delay_linear")?,
            min_bandwidth: of("min_bandwidth")?,
            num_closids: of("num_closids")?,
        })
    }
}

fn number(directory: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(directory.join(file)).ok()?.trim().parse().ok()
}

/// The lines about a resource, of which there are two if code and data have caches of their own (L3CODE, L3DATA).
fn schemata(text: &str, resource: &str) -> Option<String> {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| line.starts_with(resource)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
