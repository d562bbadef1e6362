// SPDX-License-Identifier: Apache-2.0
//! The systemd driver: the container's cgroup is that of a transient scope, which systemd's manager makes around its
//! init, over D-Bus. The scope is delegated, so that all else is done on cgroupfs as without systemd; what systemd has
//! a property for is set there as well, since it writes its own idea of a unit's limits whenever it reloads.
//!
//! The manager is that of the system for root, and that of the user for everybody else, in a user namespace too.

mod bus;
mod limits;
mod name;
mod text;
mod value;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::bus::{Bus, Failure, Peer, Target};
use self::name::Name;
use self::value::Value;
use super::devices::Policy;
use super::{Host, Layout};
use crate::error::{Error, Kind, Result};
use crate::sys::privilege;

pub(super) use self::limits::{files as limit_files, of as limits};

/// How long systemd may take for one thing (D-Bus itself has 25 seconds for a call).
const PATIENCE: Duration = Duration::from_secs(25);

/// Where systemd is when it is process 1 (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// Annotations that begin so set properties of the unit.
const ANNOTATION: &str = "org.systemd.property.";

const MANAGER: Target = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};

const PROPERTIES: Target = Target { interface: "org.freedesktop.DBus.Properties", ..MANAGER };

const JOB_REMOVED: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
    interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// A property of a unit.
pub(super) type Property = (String, Value);

/// The scope of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unit {
    name: String,
    slice: String,
    /// Whose manager it is: a user's, or the system's.
    user: bool,
}

impl Unit {
    /// Computes the scope, and where its cgroup will be below the mount point of the unified hierarchy. Asks the manager
    /// for the latter, and so finds out whether it answers before anything is made.
    pub(super) fn plan(
        host: &Host,
        cgroups_path: Option<&Path>,
        id: &str,
        annotations: Option<&HashMap<String, String>>,
    ) -> Result<(Self, PathBuf)> {
        let user = privilege::is_limited();
        let name = Name::new(cgroups_path, id, user)?;
        annotated(annotations)?;
        let unsupported = |why: String| Err(Error::new(Kind::Unsupported, format!("the systemd driver: {why}")));
        if host.layout() != Layout::V2 {
            return unsupported(
                "this host has hierarchies of cgroup version 1, and it knows only version 2".to_owned(),
            );
        }
        if !Path::new(BOOTED).is_dir() {
            return unsupported(format!("systemd is not the service manager here, since there is no {BOOTED}"));
        }
        let unit = Self { slice: name.slice.clone(), name: name.scope.clone(), user };
        let arguments = [Value::text(MANAGER.interface), Value::text("ControlGroup")];
        let answer = unit.connect().and_then(|mut bus| bus.call(&PROPERTIES, "Get", &arguments));
        let root = match answer.map_err(|failure| unit.failed("cannot ask for its cgroup", &failure))?.as_slice() {
            [Value::Variant(root)] => match root.as_ref() {
                Value::Text(root) => root.trim_start_matches('/').to_owned(),
                other => return unsupported(format!("systemd says that its cgroup is {other:?}")),
            },
            other => return unsupported(format!("systemd says that its cgroup is {other:?}")),
        };
        Ok((unit, Path::new(&root).join(name.path())))
    }

    /// Has the scope made around process `pid`, and waits until that is done.
    pub(super) fn start(
        &self,
        id: &str,
        pid: i32,
        annotations: Option<&HashMap<String, String>>,
        limits: Vec<Property>,
    ) -> Result<()> {
        let flag = |name: &str, value| (name.to_owned(), Value::Bool(value));
        let mut properties = vec![
            ("Description".to_owned(), Value::Text(format!("brig container {id}"))),
            ("Slice".to_owned(), Value::text(&self.slice)),
            ("PIDs".to_owned(), Value::Array("u".to_owned(), vec![Value::U32(pid as u32)])),
            flag("Delegate", true),
            flag("DefaultDependencies", false),
            flag("CPUAccounting", true),
            flag("IOAccounting", true),
            flag("MemoryAccounting", true),
            flag("TasksAccounting", true),
        ];
        properties.extend(annotated(annotations)?);
        properties.extend(limits);
        let arguments = [
            Value::text(&self.name),
            Value::text("replace"),
            list(properties),
            Value::Array("(sa(sv))".to_owned(), Vec::new()),
        ];
        let start = |bus: &mut Bus| self.job(bus, "StartTransientUnit", &arguments);
        let started = self.watch().and_then(|mut bus| match start(&mut bus) {
            // One of this name has failed earlier, and nobody has looked at it: it holds the name until it is reset.
            Err(failure) if failure.is("UnitExists") => {
                bus.call(&MANAGER, "ResetFailedUnit", &[Value::text(&self.name)]).ok();
                start(&mut bus)
            }
            result => result,
        });
        started.map_err(|failure| {
            let error = self.failed("cannot start it", &failure);
            if failure.is("UnitExists") { error.at(super::path::POINTER) } else { error }
        })
    }

    /// Has a process brought into the cgroup at `path`, which is the scope's or one below it.
    pub(super) fn attach(&self, path: &Path, pid: i32) -> Result<()> {
        let below: PathBuf = path.iter().skip_while(|name| *name != self.name.as_str()).skip(1).collect();
        let below = Path::new("/").join(below).to_string_lossy().into_owned();
        let pids = Value::Array("u".to_owned(), vec![Value::U32(pid as u32)]);
        let arguments = [Value::text(&self.name), Value::Text(below), pids];
        let attached = self.connect().and_then(|mut bus| bus.call(&MANAGER, "AttachProcessesToUnit", &arguments));
        attached.map(drop).map_err(|failure| self.failed("cannot bring a process into it", &failure))
    }

    /// Changes properties of the running scope, until it ends.
    pub(super) fn set(&self, properties: Vec<Property>) -> Result<()> {
        let arguments = [Value::text(&self.name), Value::Bool(true), list(properties)];
        let set = self.connect().and_then(|mut bus| bus.call(&MANAGER, "SetUnitProperties", &arguments));
        set.map(drop).map_err(|failure| self.failed("cannot set its properties", &failure))
    }

    /// Tells systemd which devices the container may use, as far as it has words for that: the filter of brig's own says
    /// it all, but this one is what `systemctl show` shows. A user's manager cannot filter devices.
    pub(super) fn allow_devices(&self, policy: &Policy) -> Result<()> {
        match limits::devices(policy).filter(|_| !self.user) {
            Some(properties) => self.set(properties),
            None => Ok(()),
        }
    }

    /// Has the scope stopped, in which nobody lives any more, and forgotten. That it is gone already is fine: a scope
    /// ends with its last process.
    pub(super) fn stop(&self) -> Result<()> {
        let name = [Value::text(&self.name)];
        let stopped = self.watch().and_then(|mut bus| {
            match self.job(&mut bus, "StopUnit", &[Value::text(&self.name), Value::text("replace")]) {
                Err(failure) if failure.is("NoSuchUnit") => return Ok(()),
                result => result?,
            }
            match bus.call(&MANAGER, "ResetFailedUnit", &name) {
                // One that did not fail is gone by now.
                Err(failure) if !failure.is("NoSuchUnit") => Err(failure),
                _ => Ok(()),
            }
        });
        stopped.map_err(|failure| self.failed("cannot stop it", &failure))
    }

    /// Calls what makes a job of this unit, and waits for the end of that.
    fn job(&self, bus: &mut Bus, member: &str, arguments: &[Value]) -> bus::Result<()> {
        let answer = bus.call(&MANAGER, member, arguments)?;
        loop {
            // Its number, its object, the unit, and how it ended.
            if let [_, job, _, Value::Text(result)] = bus.signal("JobRemoved")?.as_slice()
                && answer.first() == Some(job)
            {
                return match result.as_str() {
                    "done" => Ok(()),
                    result => Err(Failure::new(format!("the job ended with {result:?}"))),
                };
            }
        }
    }

    /// A connection that hears of the ends of jobs.
    fn watch(&self) -> bus::Result<Bus> {
        let mut bus = self.connect()?;
        bus.subscribe(JOB_REMOVED)?;
        bus.call(&MANAGER, "Subscribe", &[])?;
        Ok(bus)
    }

    fn connect(&self) -> bus::Result<Bus> {
        let (address, peer) = address(self.user);
        Bus::connect(&address, peer, PATIENCE)
    }

    fn failed(&self, what: &str, failure: &Failure) -> Error {
        let manager = if self.user { "the user's systemd" } else { "systemd" };
        Error::new(Kind::Failed, format!("unit {}: {what}: {manager}: {failure}", self.name))
    }
}

/// Where the bus is, as sd-bus looks for it; or, where there is no bus, systemd's own socket.
fn address(user: bool) -> (String, Peer) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (given, directory, bus) = match user {
        false => (variable("DBUS_SYSTEM_BUS_ADDRESS"), "/run".to_owned(), "dbus/system_bus_socket"),
        true => {
            let own = || format!("/run/user/{}", rustix::process::getuid().as_raw());
            (variable("DBUS_SESSION_BUS_ADDRESS"), variable("XDG_RUNTIME_DIR").unwrap_or_else(own), "bus")
        }
    };
    if let Some(given) = given {
        return (given, Peer::Bus);
    }
    let (bus, private) = (format!("{directory}/{bus}"), format!("{directory}/systemd/private"));
    match !Path::new(&bus).exists() && Path::new(&private).exists() {
        true => (format!("unix:path={private}"), Peer::Systemd),
        false => (format!("unix:path={bus}"), Peer::Bus),
    }
}

/// Properties as systemd takes them.
fn list(properties: Vec<Property>) -> Value {
    let pair = |(name, value)| Value::Struct(vec![Value::Text(name), Value::Variant(Box::new(value))]);
    Value::Array("(sv)".to_owned(), properties.into_iter().map(pair).collect())
}

/// The properties that annotations set, such as `org.systemd.property.CollectMode: 'inactive-or-failed'`. One that ends in
/// `Sec` is a number of seconds, for the property in microseconds.
fn annotated(annotations: Option<&HashMap<String, String>>) -> Result<Vec<Property>> {
    let mut properties = Vec::new();
    for (key, given) in annotations.into_iter().flatten() {
        let Some(name) = key.strip_prefix(ANNOTATION) else { continue };
        let refuse = |why: String| Error::config(format!("/annotations/{key}"), why);
        if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(refuse(format!("{name:?} is no name of a property")));
        }
        let value = text::parse(given).map_err(refuse)?;
        properties.push(match name.strip_suffix("Sec").filter(|stem| !stem.ends_with('U')) {
            Some(stem) => {
                let microseconds =
                    microseconds(&value).ok_or_else(|| refuse(format!("{given} is no number of seconds")))?;
                (format!("{stem}USec"), Value::U64(microseconds))
            }
            None => (name.to_owned(), value),
        });
    }
    properties.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(properties)
}

fn microseconds(seconds: &Value) -> Option<u64> {
    let whole = match *seconds {
        Value::Byte(value) => value.into(),
        Value::I16(value) => value.try_into().ok()?,
        Value::U16(value) => value.into(),
        Value::I32(value) => value.try_into().ok()?,
        Value::U32(value) => value.into(),
        Value::I64(value) => value.try_into().ok()?,
        Value::U64(value) => value,
        Value::F64(value) if (0.0..1e12).contains(&value) => return Some((value * 1e6) as u64),
        _ => return None,
    };
    u64::checked_mul(whole, 1_000_000)
}
