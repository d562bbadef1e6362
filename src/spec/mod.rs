// SPDX-License-Identifier: Apache-2.0
//! config.json: parsing, validation, the default, the features. Knows nothing of the host.
//!
//! A configuration is refused as a whole, and before anything is touched: everything that can be seen
//! wrong from the text alone is seen here, with the field it is about. [`validate`] tells all of it, whoever
//! loads a configuration the first.

mod check;
mod default;
mod features;
pub mod mount_options;
pub mod number_list;
mod parse;
pub mod personality;
pub mod pointer;
mod repair;
mod shape;

use std::collections::BTreeMap;

use oci_spec::runtime::{LinuxIntelRdt, LinuxResources, Process, Spec};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub use check::{RESCTRL_NAMES, is_bind, may_be_mounted_in_proc, sysctl_namespace, sysctl_path};
pub use default::default_spec;
pub use features::features;

use crate::error::{Error, Kind, Result, place};

/// Reads and checks a config.json.
///
/// Afterwards: `root`, `process`, `process.args`, `linux.namespaces` with a mount namespace are there; strings that
/// may be empty to mean "not set" are `None` then; mount destinations are absolute.
pub fn load(json: &[u8]) -> Result<Spec> {
    read(json).map_err(|mistakes| {
        let more = match mistakes.len() - 1 {
            0 => return first(mistakes),
            1 => "one more mistake".into(),
            more => format!("{more} more mistakes"),
        };
        let first = first(mistakes);
        Error { message: format!("{} (and {more}: brig spec --check)", first.message), ..first }
    })
}

/// Everything that is wrong with a config.json, as far as can be told from the text alone: a JSON list of objects with
/// `pointer`, `message` and `status`.
pub fn validate(json: &[u8]) -> Result<String> {
    let mistakes = read(json).err().unwrap_or_default();
    let list: Vec<_> = mistakes
        .into_iter()
        .map(|Error { kind, pointer, message, .. }| {
            json!({ "pointer": pointer.unwrap_or_default(), "message": message, "status": kind as i32 })
        })
        .collect();
    let text = serde_json::to_string(&list);
    text.map_err(|error| Error::new(Kind::Bug, format!("cannot write the mistakes: {error}")))
}

/// A configuration, or all that is wrong with it, which is not nothing.
fn read(json: &[u8]) -> std::result::Result<Spec, Vec<Error>> {
    let mut document = parse::document(json).map_err(|error| vec![error])?;
    shape::normalize(&mut document);
    let shape = shape::check(&document);
    shape::respell(&mut document);
    if shape.is_empty()
        && let Ok(spec) = parse::typed(&document)
    {
        let mistakes = check::spec(&spec);
        return if mistakes.is_empty() { Ok(spec) } else { Err(mistakes) };
    }
    let mut repaired = repair::read(document, json.len(), shape);
    if let Some(spec) = &repaired.spec {
        check::spec(spec).into_iter().for_each(|mistake| repaired.add(mistake));
    }
    Err(repaired.mistakes)
}

/// The one mistake that a caller is told who can be told of one.
fn first(mistakes: Vec<Error>) -> Error {
    let none = || Error::new(Kind::Bug, "refused without a reason");
    mistakes.into_iter().next().unwrap_or_else(none)
}

/// An error if there are mistakes.
fn refuse(mistakes: Vec<Error>) -> Result<()> {
    if mistakes.is_empty() { Ok(()) } else { Err(first(mistakes)) }
}

/// Members of a config.json as they are written there.
pub struct Parts<'a> {
    json: &'a [u8],
    process: &'a RawValue,
    seccomp: Option<&'a RawValue>,
}

impl<'a> Parts<'a> {
    /// Finds them; what is wrong with the rest, [`load`] says better.
    pub fn of(json: &'a [u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(borrow)]
            process: &'a RawValue,
            #[serde(borrow)]
            linux: Option<Linux<'a>>,
        }
        #[derive(Deserialize)]
        struct Linux<'a> {
            #[serde(borrow)]
            seccomp: Option<&'a RawValue>,
        }
        let Whole { process, linux } = serde_json::from_slice(json).map_err(malformed)?;
        Ok(Self { json, process, seccomp: linux.and_then(|linux| linux.seccomp) })
    }

    /// The text of `process`, on one line.
    pub fn process(&self) -> Result<Box<RawValue>> {
        // In JSON a newline is never inside of a string.
        RawValue::from_string(self.process.get().replace(['\n', '\r'], " ")).map_err(malformed)
    }

    /// The text of `linux.seccomp`.
    pub fn seccomp(&self) -> Option<&'a str> {
        self.seccomp.map(RawValue::get)
    }

    /// The configuration without `linux.seccomp`.
    pub fn without_seccomp(&self) -> Vec<u8> {
        let Some(text) = self.seccomp() else { return self.json.to_vec() };
        let start = text.as_ptr().addr() - self.json.as_ptr().addr();
        [&self.json[..start], b"null", &self.json[start + text.len()..]].concat()
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Error::config("/process", error.to_string())
}

/// What a process has of the container's own unless it says otherwise, as with other runtimes.
const INHERITED: [&str; 6] =
    ["capabilities", "rlimits", "oomScoreAdj", "execCPUAffinity", "apparmorProfile", "selinuxLabel"];

/// Reads and checks the `process` object of an exec; pointers of errors are relative to it. `own` is the container's own
/// process, which was checked when it was created.
pub fn load_process(json: &[u8], own: Option<&RawValue>) -> Result<Process> {
    #[derive(Deserialize)]
    struct Whole {
        process: Process,
    }
    part(json, "process", "/process", |mut object| {
        if let Some(own) = own {
            inherit(&mut object, own);
        }
        let document = complete(json!({ "process": object }))?;
        let Whole { process } = parse::typed(&document)?;
        refuse(check::process(&process))?;
        Ok(process)
    })
}

fn inherit(process: &mut Value, own: &RawValue) {
    let Value::Object(process) = process else { return };
    let own: BTreeMap<String, &RawValue> = serde_json::from_str(own.get()).unwrap_or_default();
    for key in INHERITED {
        if process.get(key).is_some_and(|value| !value.is_null() && value != "") {
            continue;
        }
        if let Some(value) = own.get(key).and_then(|text| serde_json::from_str(text.get()).ok()) {
            process.insert(key.to_owned(), value);
        }
    }
}

/// Reads and checks the `linux.resources` object of an update; pointers of errors are relative to it.
pub fn load_resources(json: &[u8]) -> Result<LinuxResources> {
    #[derive(Deserialize)]
    struct Whole {
        linux: Linux,
    }
    #[derive(Deserialize)]
    struct Linux {
        // Without a member: only limits that mean nothing were given.
        #[serde(default)]
        resources: LinuxResources,
    }
    part(json, "resources", RESOURCES, |object| {
        let document = complete(json!({ "linux": { "resources": object } }))?;
        let Whole { linux: Linux { resources } } = parse::typed(&document)?;
        refuse(check::resources(&resources))?;
        Ok(resources)
    })
}

/// Reads and checks the `linux.intelRdt` object of an update, which may change what the class of a container may use and
/// not which one it is in; pointers of errors are relative to it.
pub fn load_rdt(json: &[u8]) -> Result<LinuxIntelRdt> {
    part(json, "intelRdt", RDT, |object| {
        for member in ["closID", "enableMonitoring", "enableCMT", "enableMBM"] {
            if object.get(member).is_some() {
                return Err(Error::config(format!("{RDT}/{member}"), "cannot be changed"));
            }
        }
        let document = complete(json!({ "linux": { "intelRdt": object } }))?;
        #[derive(Deserialize)]
        struct Whole {
            linux: Linux,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Linux {
            #[serde(default)]
            intel_rdt: LinuxIntelRdt,
        }
        let Whole { linux: Linux { intel_rdt: rdt } } = parse::typed(&document)?;
        refuse(check::rdt(&rdt))?;
        Ok(rdt)
    })
}

/// An error about `linux.intelRdt` for those who have that object alone.
pub fn relative_to_rdt(error: Error) -> Error {
    relative(error, "intelRdt", RDT)
}

const RDT: &str = "/linux/intelRdt";

/// An error about `linux.resources` for those who have that object alone.
pub fn relative_to_resources(error: Error) -> Error {
    relative(error, "resources", RESOURCES)
}

const RESOURCES: &str = "/linux/resources";

/// Brings it into the shape that the types of oci-spec read.
fn complete(mut document: Value) -> Result<Value> {
    shape::normalize(&mut document);
    refuse(shape::check(&document))?;
    shape::respell(&mut document);
    Ok(document)
}

/// Runs `read` on a document that is only the part at `base` of a configuration.
fn part<T>(json: &[u8], name: &str, base: &str, read: impl FnOnce(Value) -> Result<T>) -> Result<T> {
    parse::document(json).and_then(read).map_err(|error| relative(error, name, base))
}

fn relative(error: Error, name: &str, base: &str) -> Error {
    let Some(pointer) = &error.pointer else { return error };
    let pointer = pointer.strip_prefix(base).unwrap_or(pointer).to_owned();
    relocate(error, pointer, name)
}

/// The same error at another place, of a document called `name`.
fn relocate(error: Error, pointer: String, name: &str) -> Error {
    let before = place(error.pointer.as_deref().unwrap_or_default(), "config.json");
    let text = error.message.strip_prefix(&*before).and_then(|text| text.strip_prefix(": ")).unwrap_or(&error.message);
    let message = format!("{}: {text}", place(&pointer, name));
    Error { message, pointer: Some(pointer), ..error }
}

#[cfg(test)]
mod tests;
