// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.intelRdt`.

use oci_spec::runtime::{LinuxIntelRdt, Spec};

use super::Problems;

/// What is in the root of a resctrl filesystem, and no class of service.
pub const RESCTRL_NAMES: &[&str] = &["info", "mon_groups", "mon_data"];

/// A class that can be one, and lines that are lines.
pub fn intel_rdt(spec: &Spec, problems: &mut Problems) {
    if let Some(rdt) = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref()) {
        section(rdt, problems);
    }
}

/// The same of the section alone.
pub fn section(rdt: &LinuxIntelRdt, problems: &mut Problems) {
    let at = |member: &str| format!("/linux/intelRdt/{member}");
    if let Some(class) = rdt.clos_id().as_deref()
        && class != "/"
        && (class.contains(['/', '\n']) || [".", ".."].contains(&class) || RESCTRL_NAMES.contains(&class))
    {
        problems.add(at("closID"), format!("{class:?} is no name of a class; \"/\" is the default class"));
    }
    if let Some(schema) = rdt.mem_bw_schema().as_deref()
        && (!schema.starts_with("MB:") || schema.contains('\n'))
    {
        problems.add(at("memBwSchema"), format!("{schema:?} is not one line that starts with \"MB:\""));
    }
    for (index, line) in rdt.l3_cache_schema().iter().flat_map(|schema| schema.lines()).enumerate() {
        if !line.contains(':') {
            problems.add(at("l3CacheSchema"), format!("line {}, {line:?}, is none such as \"L3:0=f\"", index + 1));
        }
    }
    for (index, line) in rdt.schemata().iter().flatten().enumerate() {
        if line.contains('\n') || !line.contains(':') {
            problems.add(at(&format!("schemata/{index}")), format!("{line:?} is not one line such as \"L3:0=f\""));
        }
    }
}
