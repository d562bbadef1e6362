// SPDX-License-Identifier: Apache-2.0
//! The exit status of this program: std's own cannot be read, and `ffi::start` has to.

/// What the caller sees of this program's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    pub const SUCCESS: Self = Self(0);
    pub const FAILURE: Self = Self(1);
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}
