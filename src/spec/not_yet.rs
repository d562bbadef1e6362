// SPDX-License-Identifier: Apache-2.0
//! What the specification has and brig does not do yet. To ignore it would be to lie: it is refused.
//!
//! Whoever builds one of these removes its row; the features structure follows.

use serde_json::Value;

use super::pointer::each;
use crate::error::{Error, Kind, Result};

/// A place (see [`each`]), and what is missing.
type Row = (&'static str, &'static str);

const TABLE: &[Row] = &[("/linux/intelRdt", "Intel RDT")];

/// Whether a configuration that uses `place` is refused.
pub fn refuses(place: &str) -> bool {
    TABLE.iter().any(|row| row.0 == place)
}

/// Refuses what cannot be done yet.
pub fn check(document: &Value) -> Result<()> {
    let mut refusal = None;
    let mut refuse = |at: String, what: &str| {
        refusal.get_or_insert_with(|| {
            Error::config(at, format!("brig does not support {what} yet")).kind(Kind::Unsupported)
        });
    };
    for (place, what) in TABLE {
        each(document, place, &mut |at, value| {
            if !value.is_null() {
                refuse(at.to_string(), what);
            }
        });
    }
    refusal.map_or(Ok(()), Err)
}
