// SPDX-License-Identifier: Apache-2.0
//! The OCI features structure: what this build does on this kernel.
use crate::error::{Error, Kind, Result};

/// The features as JSON.
pub fn features() -> Result<String> {
    Err(Error::new(Kind::Unsupported, "not built yet"))
}
