// SPDX-License-Identifier: Apache-2.0
//! `brig --version`

use serde::Deserialize;

use super::print;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::ffi;

/// The lines of it, which Docker and containerd take apart.
pub fn print_version() -> Result<ExitCode> {
    let mut text = format!("brig version {}\n", ffi::version());
    let features = ffi::features().ok().and_then(|json| serde_json::from_str::<Features>(&json).ok());
    // That the rest could not be found out is no reason to hide the version.
    if let Some(features) = features {
        text += &format!("spec: {}\n", features.oci_version_max);
        if let Some(version) = features.annotations.libseccomp {
            text += &format!("libseccomp: {version}\n");
        }
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_max: String,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "io.github.seccomp.libseccomp.version")]
    libseccomp: Option<String>,
}
