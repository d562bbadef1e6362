// SPDX-License-Identifier: Apache-2.0
//! Where the library's log goes: nowhere, until the host names a file.
use crate::error::Result;

pub fn to_fd(_fd: Option<i32>, _level: u32, _json: bool) -> Result<()> {
    Ok(())
}
