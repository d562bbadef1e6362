// SPDX-License-Identifier: Apache-2.0
//! What stands in a `schemata` file: a line a resource, such as `L3:0=7ff;1=7ff` or `MB:0=100`.

use oci_spec::runtime::LinuxIntelRdt;

/// The lines that a container asks for, in the order in which they count: config-linux.md, "IntelRdt".
pub fn lines(wish: &LinuxIntelRdt) -> Vec<String> {
    let bandwidth = wish.mem_bw_schema().as_deref();
    let is_bandwidth = |line: &&str| line.trim_start().starts_with("MB:");
    let cache = wish.l3_cache_schema().as_deref().unwrap_or_default().lines();
    let is_left_out = |line: &&str| line.trim().is_empty() || (bandwidth.is_some() && is_bandwidth(line));
    let cache = cache.filter(|line| !is_left_out(line));
    let rest = wish.schemata().iter().flatten().map(String::as_str);
    cache.chain(bandwidth).chain(rest).map(str::to_owned).collect()
}

/// Whether a file says what is `wanted`, which may be less than all; if not, what it says otherwise.
pub fn compare(wanted: &[String], found: &str) -> Result<(), String> {
    for line in wanted {
        let Some((resource, entries)) = split(line) else { continue };
        let Some((_, there)) = found.lines().filter_map(split).find(|(name, _)| *name == resource) else {
            return Err(format!("it has no {resource}"));
        };
        for (domain, value) in domains(resource, entries) {
            let Some((_, other)) = domains(resource, there).find(|(name, _)| *name == domain) else {
                return Err(format!("its {resource} has no {domain}"));
            };
            if value != other {
                return Err(format!("{:?} differs from {:?}", line.trim(), format!("{resource}:{}", there.trim())));
            }
        }
    }
    Ok(())
}

/// Of the lines of a file those about the resources of `lines`.
pub fn same_resources(lines: &[String], found: &str) -> Vec<String> {
    let names: Vec<_> = lines.iter().filter_map(|line| split(line)).map(|(name, _)| name).collect();
    let is_meant = |line: &&str| split(line).is_some_and(|(name, _)| names.contains(&name));
    found.lines().map(str::trim).filter(is_meant).map(str::to_owned).collect()
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.split_once(':').map(|(resource, entries)| (resource.trim(), entries))
}

/// Domain and value of each entry. The kernel pads values, with zeros or with spaces; a mask is a number of base 16.
fn domains<'a>(resource: &str, entries: &'a str) -> impl Iterator<Item = (&'a str, String)> + use<'a> {
    let is_mask = resource.starts_with('L');
    entries.split(';').filter_map(move |entry| {
        let (domain, value) = entry.split_once('=')?;
        let value = value.trim();
        let digits = if is_mask { value.trim_start_matches("0x") } else { value };
        Some((domain.trim(), digits.trim_start_matches('0').to_ascii_lowercase()))
    })
}
