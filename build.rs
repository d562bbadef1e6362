// SPDX-License-Identifier: Apache-2.0
//! Builds the init program that the library embeds, and names the shared library.
//!
//! init is a package of its own with its own lock file, since no_std, `panic = "abort"` and its link
//! arguments cannot be had for one member of a workspace. Nothing is written outside OUT_DIR.

use std::env;
use std::path::Path;
use std::process::{Command, exit};

/// What init is made of.
const SOURCES: [&str; 7] =
    ["init/src", "init/build.rs", "init/Cargo.toml", "init/Cargo.lock", "wire/src", "wire/Cargo.toml", "build.rs"];

/// What is meant for the library and would break init: flags, wrappers (clippy, coverage), profiles.
const FOREIGN: [&str; 7] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_DIR",
    "RUSTC_W",
    "RUSTFLAGS",
];

/// Fixed addresses need no relocation at start, and nobody unwinds.
const FLAGS: &str = "-Crelocation-model=static\x1f-Cforce-unwind-tables=no";

fn main() {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libbrig.so.0");
    println!("cargo:rustc-env=BRIG_INIT={}", build_init());
}

/// Builds init for the target of the library; the path of the program.
fn build_init() -> String {
    let variable = |name| env::var(name).unwrap_or_else(|error| fail(&format!("{name}: {error}")));
    let (target, directory) = (variable("TARGET"), variable("OUT_DIR") + "/init");
    let mut cargo = Command::new(variable("CARGO"));
    for (name, _) in env::vars_os() {
        if FOREIGN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS)
        .args(["build", "--quiet", "--release", "--locked", "--manifest-path", "init/Cargo.toml"])
        .args(["--target-dir", &directory, "--target", &target]);
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("building init: {status}")),
        Err(error) => fail(&format!("building init: {error}")),
    }
    let program = Path::new(&directory).join(target).join("release/brig-init");
    program.to_string_lossy().into_owned()
}

fn fail(why: &str) -> ! {
    println!("cargo:warning={why}");
    exit(1)
}
