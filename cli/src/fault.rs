// SPDX-License-Identifier: Apache-2.0
//! A crash of this program, for the tests that prove what is left of one: `BRIG_FAULT` is `panic:terminal` or
//! `abort:terminal`, and it happens while our terminal is the container's. Only in builds with the feature
//! `fault-injection`; in all others this is nothing.

/// Crashes, if that is wanted here.
#[cfg(feature = "fault-injection")]
pub fn at(place: &str) {
    match std::env::var("BRIG_FAULT").ok().as_deref().and_then(|fault| fault.split_once(':')) {
        Some(("panic", name)) if name == place => panic!("injected panic at {place}"),
        Some(("abort", name)) if name == place => std::process::abort(),
        _ => {}
    }
}

/// Nothing.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn at(_place: &str) {}
