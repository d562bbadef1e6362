// SPDX-License-Identifier: Apache-2.0
//! The container's compiled seccomp filter, kept beside its record for whoever starts more processes in it: only they
//! need it, and it is too long to be read by all others too.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Record;
use crate::error::{Context, Error, Kind, Result};
use crate::plan::seccomp::Filter;

const NAME: &str = "filter";

/// Keeps the filter.
pub fn write(directory: &Path, filter: &Filter) -> Result<()> {
    let path = directory.join(NAME);
    let what = || format!("cannot write {}", path.display());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).context(what)?;
    file.write_all(&filter.program).context(what)
}

/// Reads it again. That it cannot be read is an error: without it there would be no filter.
pub fn read(directory: &Path, record: &Record) -> Result<Option<Filter>> {
    let Some(flags) = record.filter else { return Ok(None) };
    let path = directory.join(NAME);
    let program = fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
    if program.is_empty() || !program.len().is_multiple_of(size_of::<libc::sock_filter>()) {
        return Err(Error::new(Kind::Failed, format!("{} is no seccomp filter", path.display())));
    }
    Ok(Some(Filter { flags, program, listener: record.listener.clone() }))
}
