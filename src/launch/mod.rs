// SPDX-License-Identifier: Apache-2.0
//! The host's half of a create: record, cgroup, spawn, id maps, hooks, the conversation with init, and the
//! undoing of all of it, in reverse order, when something fails; and in `exec` that of an exec.

mod checkpoint;
mod criu;
mod exec;
mod fault;
mod files;
mod filter;
mod forbidden;
pub mod gate;
mod helper;
pub mod hooks;
mod id_map;
mod last_word;
mod listener;
mod maps;
mod net_devices;
mod newborn;
mod record;
mod restore;
mod supervisor;
mod talk;
mod undo;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use brig_wire::{POINT_COMMIT, POINT_HOOKS, POINT_LIMITS, POINT_MAPS, kind};
use oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Spec};

use crate::cgroup::Version;
use crate::error::{Error, Result};
use crate::plan::{self, Plan, Slot};
use crate::sys::socket::Received;
use crate::sys::{memfd, pidfd};
pub use checkpoint::{CheckpointRequest, checkpoint};
pub use exec::{ExecRequest, exec};
use files::Files;
pub use filter::read as filter;
use last_word::LastWord;
use net_devices::NetDevices;
use newborn::Newborn;
pub use record::{Identity, Record};
pub use restore::{RestoreRequest, restore};
pub use supervisor::{Supervisor, end as end_supervisor};
pub use talk::{Talk, death};
use undo::Undo;
pub use undo::clear;

/// What to create.
pub struct Request<'a> {
    /// The container's directory: made, locked and empty.
    pub directory: &'a Path,
    /// The validated spec.
    pub spec: &'a Spec,
    /// Its plan.
    pub plan: &'a Plan,
    /// The root filesystem, if it is given as a descriptor.
    pub rootfs: Option<BorrowedFd<'a>>,
    /// The container's descriptors 0, 1, 2 and on.
    pub files: Vec<BorrowedFd<'a>>,
    /// Whether a supervisor stays.
    pub supervised: bool,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

/// What was created.
pub struct Created {
    /// The init process, which waits at the gate.
    pub init: Identity,
    /// The same, unmistakably.
    pub pidfd: OwnedFd,
    /// Its supervisor, if it was asked for.
    pub supervisor: Option<Supervisor>,
    /// The terminal, if the spec asked for one.
    pub console: Option<OwnedFd>,
}

/// Creates a container, or leaves nothing but the directory, empty. `record` has no process yet.
pub fn create(request: &Request<'_>, record: Record) -> Result<Created> {
    let files = Files::open(request.plan, request.rootfs, request.files.clone())?;
    fault::at("record")?;
    let mut undo = Undo::new(request.directory, record)?;
    fault::at("cgroup")?;
    undo.record.cgroup.create(Version::V2)?;
    if let Some(rdt) = &mut undo.record.rdt {
        rdt.create()?;
    }
    fault::at("spawn")?;
    let talk = spawn(&mut undo, request, files)?;

    // From here on init works beside us; it joins the cgroups when it needs them.
    fault::at("cgroups")?;
    let resources = request.spec.linux().as_ref().and_then(|linux| linux.resources().clone()).unwrap_or_default();
    let first = undo.init()?.child()?.pid;
    let Record { cgroup, id, rdt, .. } = &mut undo.record;
    cgroup.enclose(id, first, request.spec.annotations().as_ref(), &resources)?;
    cgroup.create(Version::V1)?;
    if let Some(rdt) = rdt {
        rdt.join(first)?;
    }
    if cgroup.is_awaited() || rdt.is_some() {
        talk.cgroups(&cgroup.join_files()?)?;
    }
    undo.write()?;
    // Only now that init has left the host's memory: a limit that is too tight kills init, not the host.
    fault::at("limits")?;
    undo.record.cgroup.apply_limits(&resources)?;
    fault::at("gate")?;
    let gate = gate::open(request.directory)?;
    // Now, while init is at work: later it waits for us.
    if let Some(filter) = &request.plan.filter {
        filter::write(request.directory, filter)?;
    }
    // Of two inits it is the other one's that counts; and why one has ended already it will tell itself.
    let early = if request.plan.namespaces.two_stages() { None } else { Identity::of(first).ok() };

    let console = converse(&talk, &mut undo, request, &resources)?;
    fault::at("commit")?;
    let pid = undo.init()?.child()?.pid;
    if let Some(rdt) = &undo.record.rdt
        && request.plan.namespaces.two_stages()
    {
        // The second of two inits, which has inherited it, but whose pid nobody has written.
        rdt.join(pid)?;
    }
    let init = early.map_or_else(|| Identity::of(pid), Ok)?;
    undo.record.init = Some(init.clone());
    undo.write()?;
    fault::at("reply")?;
    let state = || memfd::data("brig-state", undo.record.state("created", Some(pid)).as_bytes());
    let state = start_hooks(request.spec).then(state).transpose()?;
    talk.reply(state.as_ref().map(AsFd::as_fd), Some(gate.as_fd()))?;
    fault::at("done")?;
    let supervisor = Supervisor::open(request.directory, &undo.record)?;
    Ok(Created { init, pidfd: undo.forget()?.pidfd, supervisor, console })
}

/// Starts init: by ourselves, or by a supervisor that stays out of its namespaces and cgroups.
fn spawn(undo: &mut Undo<'_>, request: &Request<'_>, files: Files<'_>) -> Result<Talk> {
    let Plan { steps, namespaces, .. } = request.plan;
    let cgroup = undo.record.cgroup.directory()?;
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);
    if !request.supervised {
        let number = |slot| files.number(slot);
        let spawned = Talk::spawn(steps, number, &files.all(), namespaces.spawn_flags(), cgroup, files.above);
        let (talk, child) =
            spawned.map_err(|error| undo.record.cgroup.explain(forbidden::explain(error, request.plan)))?;
        undo.init = Some(Newborn::new(child));
        return Ok(talk);
    }
    let exit = supervisor::make_file(request.directory)?;
    let number = |slot| match slot {
        Slot::Exit => exit.as_raw_fd(),
        Slot::Cgroup => cgroup.map_or(-1, |cgroup| cgroup.as_raw_fd()),
        slot => files.number(slot),
    };
    let own = [Some(exit.as_raw_fd()), cgroup.map(|cgroup| cgroup.as_raw_fd())];
    let keep: Vec<_> = files.all().into_iter().chain(own.into_iter().flatten()).collect();
    let (talk, child) = Talk::spawn(steps, number, &keep, 0, None, files.above)?;
    let supervisor = undo.supervisor.insert(Newborn::new(child));
    undo.init = Some(supervisor::meet(&talk, steps, supervisor)?);
    fault::at("supervise")?;
    undo.record.supervisor = Some(Identity::of(supervisor.child()?.pid)?);
    Ok(talk)
}

/// Answers init until everything is done; gives the terminal that it sent.
fn converse(
    talk: &Talk,
    undo: &mut Undo<'_>,
    request: &Request<'_>,
    resources: &LinuxResources,
) -> Result<Option<OwnedFd>> {
    let mut console = None;
    let mut restricted = false;
    loop {
        let Some(received) = talk.next(request.cancel)? else {
            return Err(death(pidfd::exit(&undo.init()?.child()?.pidfd)));
        };
        let early = [POINT_LIMITS, POINT_MAPS];
        let is_set_up = received.message.kind == kind::REACHED && !early.contains(&(received.message.value as u32));
        // While init works, it makes device nodes and mounts disks; and hooks may allow devices by themselves.
        if is_set_up && !restricted {
            fault::at("devices")?;
            undo.record.cgroup.apply_devices(resources)?;
            restricted = true;
        }
        match (received.message.kind, received.message.value as u32) {
            (kind::FORKED, pid) => undo.init()?.replace(pid as i32, received.file)?,
            (kind::CONSOLE, _) => console = received.file,
            (kind::NETWORK, _) => {
                fault::at("network")?;
                let devices = request.spec.linux().as_ref().and_then(|linux| linux.net_devices().as_ref());
                if let (Some(devices), Some(socket)) = (devices, received.file) {
                    let pid = undo.init()?.child()?.pid;
                    undo.network = Some(NetDevices::give(devices, socket, pid)?);
                }
                talk.reply(None, None)?;
            }
            (kind::REACHED, POINT_MAPS) => {
                fault::at("maps")?;
                let pid = undo.init()?.child()?.pid;
                match request.plan.namespaces.makes(LinuxNamespaceType::User) {
                    true => maps::write(pid, request.spec)?,
                    false => maps::compare(pid, request.spec)?,
                }
                talk.reply(None, None)?;
            }
            // We are here since they were set.
            (kind::REACHED, POINT_LIMITS) => talk.reply(None, None)?,
            (kind::REACHED, POINT_HOOKS) => {
                fault::at("hooks")?;
                undo.hooked = true;
                let pid = undo.init()?.child()?.pid;
                let state = undo.record.state("creating", Some(pid));
                runtime_hooks(request.spec, &undo.record.bundle, &state)?;
                let state = memfd::data("brig-state", state.as_bytes())?;
                talk.reply(Some(state.as_fd()), None)?;
            }
            (kind::REACHED, POINT_COMMIT) => return Ok(console),
            _ => return Err(forbidden::explain(talk.error(&request.plan.steps, &received), request.plan)),
        }
    }
}

fn runtime_hooks(spec: &Spec, bundle: &Path, state: &str) -> Result<()> {
    let Some(all) = spec.hooks() else { return Ok(()) };
    for (pointer, hook) in plan::hooks::runtime(all) {
        hooks::run(hook, &pointer, state, hooks::directory(bundle))?;
    }
    Ok(())
}

fn start_hooks(spec: &Spec) -> bool {
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_ref());
    hooks.is_some_and(|hooks| !hooks.is_empty())
}

/// What became of a start.
pub enum Started {
    /// The program runs. If its caller is to answer notifications, with the listener for that.
    Running(Option<OwnedFd>),
    /// The container's init could not run it, and ends.
    Failed(Error),
    /// The container's init was ended before it came to the program.
    Died,
    /// Nobody answers notifications of the filter; init has to be ended.
    Unheard(Error),
    /// There is no init that waits.
    NobodyWaits,
}

/// Lets a created container run its program.
pub fn start(directory: &Path, record: &Record) -> Result<Started> {
    let pid = record.init.as_ref().map_or(0, |init| init.pid);
    let mut taken = None;
    let last_word = LastWord::new(record.filter.is_some())?;
    let answer = gate::start(directory, last_word.as_ref(), |file| {
        taken = listener::hand_over(record, "created", pid, file)?;
        Ok(())
    })?;
    Ok(match answer {
        gate::Answer::Running => Started::Running(taken),
        gate::Answer::Died => Started::Died,
        gate::Answer::Closed => Started::NobodyWaits,
        gate::Answer::Unheard(error) => Started::Unheard(error),
        gate::Answer::Failed(Received { message, text, .. }) => {
            Started::Failed(plan::Place::failure(record.after_gate.get(&message.step), &message, &text))
        }
    })
}
