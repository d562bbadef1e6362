// SPDX-License-Identifier: Apache-2.0
//! Hooks as steps: those that init runs in the container's namespaces, and plans of their own for those
//! of the runtime namespace, where a sealed init only supervises, so that the host needs no SIGCHLD.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use brig_wire::{POINT_HOOKS, Step};
use oci_spec::runtime::{Hook, Hooks, Spec};

use super::builder::{Slot, Steps, path, text, texts, with_strings};
use crate::error::Result;

/// How long a helper may take: it looks into files, or asks the network.
const HELPER_TIMEOUT: Duration = Duration::from_secs(60);

/// Before the root changes: the host runs its hooks while init waits, then init its own.
pub fn create(steps: &mut Steps, spec: &Spec, bundle: &Path) -> Result<()> {
    let Some(hooks) = spec.hooks() else { return Ok(()) };
    let own = hooks.create_container().as_deref().unwrap_or_default();
    if own.is_empty() && runtime(hooks).is_empty() {
        return Ok(());
    }
    steps.origin("/hooks").push(Step::Sync { point: POINT_HOOKS });
    if !own.is_empty() {
        steps.push(Step::Cwd { path: &path(bundle, "")? });
    }
    run(steps, own, "/hooks/createContainer")
}

/// After the gate, in the container.
pub fn start_container(steps: &mut Steps, spec: &Spec) -> Result<()> {
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_deref());
    run(steps, hooks.unwrap_or_default(), "/hooks/startContainer")
}

/// The hooks that run in the runtime namespace before the root changes, each with its pointer, in the
/// spec's order.
pub fn runtime(hooks: &Hooks) -> Vec<(String, &Hook)> {
    #[allow(deprecated)]
    let prestart = hooks.prestart();
    let lists = [("/hooks/prestart", prestart), ("/hooks/createRuntime", hooks.create_runtime())];
    lists.into_iter().flat_map(|(pointer, list)| numbered(pointer, list.as_deref().unwrap_or_default())).collect()
}

/// Hooks with their pointers.
pub fn numbered<'a>(pointer: &str, hooks: &'a [Hook]) -> Vec<(String, &'a Hook)> {
    hooks.iter().enumerate().map(|(index, hook)| (format!("{pointer}/{index}"), hook)).collect()
}

/// A plan that does nothing but run one hook of the runtime namespace in `directory`.
pub fn supervise(hook: &Hook, pointer: &str, directory: &Path) -> Result<Steps> {
    let mut steps = Steps::new();
    steps.origin(pointer).push_slot(Slot::State, Step::HookState { fd: 0 });
    steps.push(Step::Cwd { path: &path(directory, "")? });
    step(&mut steps, hook, pointer)?;
    steps.push(Step::HooksDone {});
    Ok(steps)
}

/// A plan that does nothing but run a program of the host, which is given `path` as its PATH.
pub fn helper(program: &Path, arguments: Vec<String>, search: &OsStr, pointer: &str) -> Result<Steps> {
    let mut steps = Steps::new();
    let program = path(program, pointer)?;
    let mut args = vec![program.clone()];
    args.extend(texts(&arguments, pointer)?);
    let env = [text([b"PATH=", search.as_bytes()].concat(), pointer)?];
    let timeout_ms = HELPER_TIMEOUT.as_millis() as u64;
    steps.origin(pointer);
    with_strings(&args, |args| {
        with_strings(&env, |env| steps.push(Step::RunHook { path: &program, args, env, timeout_ms }));
    });
    steps.push(Step::HooksDone {});
    Ok(steps)
}

fn run(steps: &mut Steps, hooks: &[Hook], pointer: &str) -> Result<()> {
    for (pointer, hook) in numbered(pointer, hooks) {
        steps.origin(pointer.as_str());
        step(steps, hook, &pointer)?;
    }
    Ok(())
}

fn step(steps: &mut Steps, hook: &Hook, pointer: &str) -> Result<()> {
    let program = path(hook.path(), &format!("{pointer}/path"))?;
    // Without args the program still gets its own name, as every program expects.
    let args = match hook.args().as_deref() {
        Some(args) if !args.is_empty() => texts(args, &format!("{pointer}/args"))?,
        _ => vec![program.clone()],
    };
    let env = texts(hook.env().as_deref().unwrap_or_default(), &format!("{pointer}/env"))?;
    let timeout_ms = hook.timeout().map_or(0, |seconds| seconds.max(0) as u64 * 1000);
    with_strings(&args, |args| {
        with_strings(&env, |env| steps.push(Step::RunHook { path: &program, args, env, timeout_ms }));
    });
    Ok(())
}
