// SPDX-License-Identifier: Apache-2.0
//! The registers, and for each step of the vocabulary what does it.

use core::ffi::CStr;

use brig_wire::{GATE, LastWord, Message, STATE, Step, kind};
use linux_raw_sys::general::{CLONE_NEWNS, O_CLOEXEC, O_DIRECTORY, O_PATH};
use linux_raw_sys::net::{AF_NETLINK, SOCK_RAW};
use linux_raw_sys::prctl::{PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS};
use linux_raw_sys::ptrace::SECCOMP_FILTER_FLAG_NEW_LISTENER;

use crate::control::{Memory, Outcome, Text, map_last_word, receive, send};
use crate::gate::Lists;
use crate::home::{self, Home, ListenPid};
use crate::hook::Hook;
use crate::mount::Covers;
use crate::sys::{self, Abi, Errno, Fd, exit};
use crate::{console, copy, file, gate, mount, namespace, process, supervise};

/// Of linux/netlink.h.
const NETLINK_ROUTE: u32 = 0;

/// What init keeps from step to step.
pub struct Init {
    /// The control socket, later the connection of the starter; none while it waits at the gate.
    pub channel: Option<Fd>,
    /// The index of the current step.
    pub step: u32,
    /// What the current step has to say beyond an errno.
    pub text: Text,
    /// Where its last word is written, if there is a place.
    pub last_word: Option<Memory>,
    mount: Option<Fd>,
    root: Option<Fd>,
    proc: Option<Fd>,
    tty: Option<Fd>,
    state: Option<Fd>,
    gate: Option<Fd>,
    program: usize,
    home: Option<Home>,
    listen: Option<ListenPid>,
    covers: Covers,
}

impl Init {
    /// Starts with nothing but the control socket.
    pub fn new(channel: Fd) -> Self {
        Self {
            channel: Some(channel),
            step: 0,
            text: Text::new(),
            last_word: None,
            mount: None,
            root: None,
            proc: None,
            tty: None,
            state: None,
            gate: None,
            program: 0,
            home: None,
            listen: None,
            covers: Covers::default(),
        }
    }

    /// Does one step.
    pub fn execute(&mut self, step: Step) -> Outcome {
        match step {
            Step::Undumpable {} => set(PR_SET_DUMPABLE, 0),
            Step::JoinNamespace { fd, kind } => self.join(fd, kind),
            Step::Unshare { flags } => Ok(sys::unshare(flags)?),
            Step::JoinCgroups {} => self.join_cgroups(),
            Step::Fork { flags } => namespace::fork(held(&self.channel)?, self.step, flags),
            Step::Supervise { exit, cgroup, flags } => {
                supervise::fork(held(&self.channel)?, self.step, flags, Fd::adopt(exit), cgroup)
            }
            Step::Sync { point } => self.synchronize(point),
            Step::BecomeRoot { keep_groups } => namespace::become_root(keep_groups != 0),
            Step::TimeOffsets { text } => namespace::write_self(held(&self.proc)?, c"timens_offsets", text),
            Step::NetSocket {} => self.open_network(),
            Step::LoopbackUp {} => namespace::loopback_up(),
            Step::Hostname { name } => Ok(sys::sethostname(name)?),
            Step::Domainname { name } => Ok(sys::setdomainname(name)?),
            Step::OpenProc {} => keep(&mut self.proc, namespace::open_proc()),
            Step::Sysctl { path, value } => namespace::write_proc(held(&self.proc)?, path, value),
            Step::ProcSelf { path, value } => namespace::write_self(held(&self.proc)?, path, value),
            Step::SessionKeyring { name, permissions } => namespace::join_keyring(name, permissions),

            Step::RootPropagation { propagation, recursive } => mount::set_root_propagation(propagation, recursive),
            Step::NewMount { fstype, source, options, attrs } => {
                keep(&mut self.mount, mount::new(fstype, source, options.iter(), attrs, &mut self.text))
            }
            Step::NewMountOrClone { fstype, source, attrs, path } => {
                keep(&mut self.mount, mount::new_or_clone(fstype, source, attrs, path, &mut self.text))
            }
            Step::Resemble { path, flags } => {
                copy::resemble(held(&self.root)?, held(&self.mount)?, path, flags, &mut self.text)
            }
            Step::Label { label } => mount::label(held(&self.mount)?, label),
            Step::Reconfigure { path, options } => {
                mount::reconfigure(held(&self.root)?, path, options.iter(), &mut self.text)
            }
            Step::CloneTree { path, recursive } => keep(&mut self.mount, mount::clone_host(path, recursive)),
            Step::CloneFd { fd } => keep(&mut self.mount, Ok(Fd::adopt(fd))),
            Step::MountAttr { set, clear, propagation, recursive } => {
                mount::set_attributes(held(&self.mount)?, set, clear, propagation, recursive)
            }
            Step::Attach { target, flags } => mount::attach(held(&self.root)?, &take(&mut self.mount)?, target, flags),
            Step::SetRoot {} => {
                let mount = take(&mut self.mount)?;
                mount::set_root(&mount)?;
                keep(&mut self.root, Ok(mount))
            }
            Step::SetRootAt { path } => {
                let mount = take(&mut self.mount)?;
                mount::set_root_at(&mount, path)?;
                keep(&mut self.root, Ok(mount))
            }
            Step::RootAttr { set, clear, propagation, recursive } => {
                mount::set_attributes(held(&self.root)?, set, clear, propagation, recursive)
            }
            Step::InsideAttr { path, set, clear, propagation, recursive } => {
                let mount = mount::open_inside(held(&self.root)?, path)?;
                mount::set_attributes(&mount, set, clear, propagation, recursive)
            }
            Step::Mkdir { path, mode } => file::make_directory(held(&self.root)?, path, mode),
            Step::ShowDirectory { path } => self.show_directory(path),
            Step::Touch { path } => file::touch(held(&self.root)?, path),
            Step::Symlink { path, target, replace } => file::make_link(held(&self.root)?, path, target, replace),
            Step::Device { path, mode, major, minor, uid, gid } => {
                file::make_device(held(&self.root)?, path, mode, (major, minor), (uid, gid))
            }
            Step::Mask { path } => self.covers.mask(held(&self.root)?, path, &mut self.text),
            Step::ReadOnly { path } => mount::read_only(held(&self.root)?, path),
            Step::Console { rows, columns, uid } => self.open_console(rows, columns, uid),
            Step::AttachConsole {} => mount::attach_file(held(&self.root)?, held(&self.tty)?, c"dev/console"),
            Step::Pivot { slave } => mount::pivot(&self.leave()?, slave),
            Step::Chroot {} => mount::chroot(&self.leave()?),

            Step::HookState { fd } => keep(&mut self.state, Ok(Fd::adopt(fd))),
            Step::RunHook { path, args, env, timeout_ms } => {
                Hook { path, arguments: args, environment: env, timeout_ms }.run(self.state.as_ref(), &mut self.text)
            }
            Step::HooksDone {} => self.end_hooks(),

            Step::Fds { list } => {
                self.lift(list.len())?;
                process::arrange(list, self.tty.as_ref())
            }
            Step::StdioOwner { uid } => process::own_stdio(uid),
            Step::Setsid {} => Ok(sys::setsid()?),
            Step::ControllingTty {} => console::control(held(&self.tty)?),
            Step::Rlimit { resource, soft, hard } => process::limit(resource, soft, hard),
            Step::Cwd { path } => process::enter(path),
            Step::Umask { mask } => Ok(sys::umask(mask)?),
            Step::BoundingSet { keep } => process::bound(keep),
            Step::KeepCaps {} => set(PR_SET_KEEPCAPS, 1),
            Step::Groups { list } => process::join_groups(list),
            Step::User { uid, gid } => process::become_user(uid, gid),
            Step::Capabilities { effective, permitted, inheritable } => {
                process::set_capabilities(effective, permitted, inheritable)
            }
            Step::Ambient { raise } => process::set_ambient(raise),
            Step::NoNewPrivileges {} => set(PR_SET_NO_NEW_PRIVS, 1),
            Step::Seccomp { flags, program } => process::filter(flags, program).map(drop),
            Step::SeccompListener { flags, program } => self.hand_over_listener(flags, program),
            Step::FindProgram { candidates } => {
                self.program = gate::find(candidates)?;
                Ok(())
            }
            Step::Gate {} => {
                self.channel = None;
                let (connection, memory) = gate::wait(take(&mut self.gate)?)?;
                self.channel = Some(connection);
                self.last_word = memory.map(|memory| map_last_word(&memory)).transpose()?;
                Ok(())
            }
            Step::Home { uid } => {
                self.home = Some(home::find(uid)?);
                Ok(())
            }
            Step::ListenPid {} => {
                self.listen = Some(home::listen_pid()?);
                Ok(())
            }
            Step::Scheduler { policy, flags, nice, priority, runtime, deadline, period } => {
                let attributes = sys::sched_attr {
                    size: size_of::<sys::sched_attr>() as u32,
                    sched_policy: policy,
                    sched_flags: flags,
                    sched_nice: nice,
                    sched_priority: priority,
                    sched_runtime: runtime,
                    sched_deadline: deadline,
                    sched_period: period,
                    ..sys::sched_attr::zeroed()
                };
                Ok(sys::sched_setattr(0, &attributes, 0)?)
            }
            Step::IoPriority { value } => Ok(sys::ioprio_set(process::IOPRIO_WHO_PROCESS, 0, value)?),
            Step::Affinity { cpus } => Ok(sys::sched_setaffinity(0, cpus.len(), cpus)?),
            Step::Personality { value } => Ok(sys::personality(value)?),
            Step::MemoryPolicy { mode, nodes } => process::set_memory_policy(mode, nodes),
            Step::LastWord { fd } => {
                self.last_word = Some(map_last_word(&Fd::adopt(fd))?);
                Ok(())
            }
            Step::Exec { candidates, args, env } => {
                let more =
                    [self.home.as_mut().map(|home| home.string(0)), self.listen.as_mut().map(|pid| pid.string(0))];
                let lists = Lists::new(args, env, more)?;
                if let Some(memory) = &mut self.last_word {
                    LastWord::write(memory, &Message { kind: kind::EXECUTING, ..Message::default() }, b"");
                }
                gate::execute(self.program, candidates, &lists)
            }
        }
    }

    /// setns(2). In another mount namespace the root is another one too: setns has moved us there, and nothing that is
    /// outside of it is held open any longer.
    fn join(&mut self, fd: u32, kind: u32) -> Outcome {
        sys::setns(&Fd::host(fd), kind)?;
        if kind & CLONE_NEWNS != 0 {
            self.proc = None;
            self.root = Some(sys::open(c"/", O_PATH | O_DIRECTORY)?);
        }
        Ok(())
    }

    /// Agrees with the host. An init that lost its host has nobody to tell, and ends.
    fn synchronize(&mut self, point: u32) -> Outcome {
        self.say(kind::REACHED, point.into(), None)?;
        self.await_reply()
    }

    /// Lets the host into the network namespace.
    #[cold]
    #[inline(never)]
    fn open_network(&mut self) -> Outcome {
        let socket = sys::socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, NETLINK_ROUTE)?;
        self.say(kind::NETWORK, 0, Some(&socket))?;
        self.await_reply()
    }

    fn await_reply(&mut self) -> Outcome {
        let Some((Message { kind: kind::REPLY, value, .. }, files)) = receive(held(&self.channel)?) else { exit(1) };
        let mut files = files.into_iter();
        for (bit, register) in [(STATE, &mut self.state), (GATE, &mut self.gate)] {
            if value & bit != 0 {
                *register = files.next().flatten();
            }
        }
        Ok(())
    }

    /// Loads a filter, and gives its listener away. Our own copy closes on exec: close(2) may be notified of.
    fn hand_over_listener(&self, flags: u32, program: &[u8]) -> Outcome {
        let listener = process::filter(flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, program)?;
        self.say(kind::LISTENER, 0, Some(&Fd::host(listener)))?;
        match receive(held(&self.channel)?) {
            Some((Message { kind: kind::REPLY, .. }, _)) => Ok(()),
            _ => exit(1),
        }
    }

    fn join_cgroups(&mut self) -> Outcome {
        let Some((Message { kind: kind::CGROUPS, .. }, files)) = receive(held(&self.channel)?) else { exit(1) };
        for file in files.iter().flatten() {
            sys::write(file, b"0")?;
        }
        Ok(())
    }

    /// The root, to be entered now; from here on nothing outside of it is held open.
    fn leave(&mut self) -> Outcome<Fd> {
        (self.proc, self.covers) = (None, Covers::default());
        Ok(take(&mut self.root)?)
    }

    fn open_console(&mut self, rows: u32, columns: u32, uid: u32) -> Outcome {
        let (master, peer) = console::open(held(&self.root)?, rows, columns, uid)?;
        self.tty = Some(peer);
        self.say(kind::CONSOLE, 0, Some(&master))
    }

    #[cold]
    #[inline(never)]
    fn show_directory(&self, path: &CStr) -> Outcome {
        let directory = mount::open_inside(held(&self.root)?, path)?;
        self.say(kind::DIRECTORY, 0, Some(&directory))
    }

    fn end_hooks(&self) -> Outcome {
        self.say(kind::HOOK_DONE, 0, None)?;
        exit(0)
    }

    fn say(&self, kind: u32, value: i64, fd: Option<&Fd>) -> Outcome {
        let message = Message { kind, step: self.step, value, ..Message::default() };
        match send(held(&self.channel)?, message, b"", fd) {
            Err(Errno::EPIPE | Errno::ECONNRESET) => exit(1),
            result => Ok(result?),
        }
    }

    /// Moves the registers out of the way of the numbers below `floor`.
    fn lift(&mut self, floor: usize) -> Outcome {
        let covers = self.covers.registers();
        let registers = [&mut self.channel, &mut self.mount, &mut self.root, &mut self.proc];
        for register in
            registers.into_iter().chain([&mut self.tty, &mut self.state, &mut self.gate]).chain(covers).flatten()
        {
            process::lift(register, floor)?;
        }
        Ok(())
    }
}

fn set(option: u32, value: u64) -> Outcome {
    sys::prctl(option, value, 0, 0, 0)?;
    Ok(())
}

fn held(register: &Option<Fd>) -> sys::Result<&Fd> {
    register.as_ref().ok_or(Errno::EBADF)
}

fn take(register: &mut Option<Fd>) -> sys::Result<Fd> {
    register.take().ok_or(Errno::EBADF)
}

fn keep(register: &mut Option<Fd>, value: Outcome<Fd>) -> Outcome {
    *register = Some(value?);
    Ok(())
}
