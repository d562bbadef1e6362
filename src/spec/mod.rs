// SPDX-License-Identifier: Apache-2.0
//! config.json: parsing, validation, the default, the features. Knows nothing of the host.
use crate::error::{Error, Kind, Result};

pub fn features() -> Result<String> {
    Err(Error::new(Kind::Unsupported, "not built yet"))
}

pub fn default_spec(_rootless: bool) -> Result<String> {
    Err(Error::new(Kind::Unsupported, "not built yet"))
}
