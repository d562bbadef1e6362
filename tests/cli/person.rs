// SPDX-License-Identifier: Apache-2.0
//! A person in front of a real terminal, in which `brig run` or `brig exec --tty` runs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};
use serde_json::json;

use crate::common::{Lab, until};

/// The two commands that show a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Run,
    Exec,
}

/// Both of them: a test goes both ways.
pub const WAYS: [Way; 2] = [Way::Run, Way::Exec];

impl Way {
    /// The arguments that run a script on a new terminal. An exec needs a container, which is made here.
    pub fn on_a_terminal(self, lab: &Lab, script: &str) -> Vec<String> {
        self.prepare(lab, script, true)
    }

    /// The same on the caller's own files.
    pub fn passed_through(self, lab: &Lab, script: &str) -> Vec<String> {
        self.prepare(lab, script, false)
    }

    fn prepare(self, lab: &Lab, script: &str, terminal: bool) -> Vec<String> {
        let shell = ["sh", "-c", script];
        match self {
            Self::Run => {
                write(lab, &shell, terminal);
                vec!["run".into(), lab.id("run")]
            }
            Self::Exec => {
                write(lab, &["sleep", "1000"], false);
                let id = lab.launch("exec");
                let tty = terminal.then_some("--tty");
                let words = ["exec"].into_iter().chain(tty).chain([id.as_str()]).chain(shell);
                words.map(String::from).collect()
            }
        }
    }

    /// Fails if anything is left that should not be: the container of an exec should.
    #[track_caller]
    pub fn assert_clean(self, lab: &Lab) {
        if self == Self::Exec {
            let id = lab.id("exec");
            let processes = lab.brig(&["ps", "--format", "json", &id]).success();
            assert_eq!(processes, format!("[{}]", lab.pid(&id)), "a program was left");
            lab.brig(&["delete", "--force", &id]).success();
        }
        lab.assert_clean();
    }
}

/// Writes the bundle.
pub fn write(lab: &Lab, arguments: &[&str], terminal: bool) {
    lab.write(arguments, |spec| {
        spec["process"]["terminal"] = json!(terminal);
        spec["process"].as_object_mut().unwrap().remove("consoleSize");
    });
}

/// A person in front of a terminal of 33 × 77.
pub struct Person {
    screen: File,
    shell: Child,
    seen: Vec<u8>,
    modes: Modes,
}

/// The modes of a terminal; how it treats control characters is of no interest.
type Modes = (InputModes, OutputModes, ControlModes, LocalModes);

fn modes(terminal: impl AsFd) -> Modes {
    let all = tcgetattr(terminal).unwrap();
    (all.input_modes, all.output_modes, all.control_modes, all.local_modes)
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Person {
    /// Starts `brig` with these arguments in a shell that has the terminal as its controlling one, and looks
    /// what is left of its modes: it says "as before" if they are.
    pub fn starts(lab: &Lab, arguments: &[impl AsRef<str>]) -> Self {
        Self::starts_with(lab, arguments, &[])
    }

    /// The same with more in its environment.
    pub fn starts_with(lab: &Lab, arguments: &[impl AsRef<str>], environment: &[(&str, &str)]) -> Self {
        let (screen, terminal) = terminal();
        let modes = modes(&screen);
        tcsetwinsize(&terminal, size(33, 77)).unwrap();
        // It outlives a Ctrl-C that is for brig.
        let line = r#"trap : INT QUIT; modes=$(stty -g); "$0" "$@"; code=$?
                      [ "$modes" = "$(stty -g)" ] && echo as before; exit $code"#;
        let inner = lab.command(&arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "sh", "-c", line]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(lab.bundle()).envs(environment.iter().copied());
        let file = || Stdio::from(terminal.try_clone().unwrap());
        let shell = command.stdin(file()).stdout(file()).stderr(file()).spawn().unwrap();
        Self { screen, shell, seen: Vec::new(), modes }
    }

    /// A script on a new terminal.
    pub fn runs(lab: &Lab, way: Way, script: &str) -> Self {
        Self::starts(lab, &way.on_a_terminal(lab, script))
    }

    pub fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.screen.write_all(keys.as_ref()).unwrap();
    }

    /// Types a lot, while watching.
    pub fn pastes(&self, keys: Vec<u8>) -> std::thread::JoinHandle<()> {
        let mut keyboard = self.screen.try_clone().unwrap();
        std::thread::spawn(move || keyboard.write_all(&keys).unwrap())
    }

    /// Watches until this is on the screen.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        self.watches(&format!("{text:?} is seen"), |seen| String::from_utf8_lossy(seen).contains(text));
    }

    /// Watches until something is true of what was seen since this began.
    #[track_caller]
    pub fn watches(&mut self, what: &str, mut enough: impl FnMut(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(&self.seen) {
            let end = String::from_utf8_lossy(&self.seen[self.seen.len().saturating_sub(500)..]).into_owned();
            assert!(Instant::now() < deadline, "waited in vain until {what}: {end:?}");
            let mut files = [PollFd::new(&self.screen, PollFlags::IN)];
            if poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })).unwrap() > 0 {
                let mut bytes = [0; 65536];
                match self.screen.read(&mut bytes) {
                    Ok(count) => self.seen.extend(&bytes[..count]),
                    // Nobody has the terminal open any more.
                    Err(error) => panic!("waited in vain until {what}, and then {error}: {end:?}"),
                }
            }
        }
    }

    /// All that was seen.
    pub fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub fn resizes(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.screen, size(rows, columns)).unwrap();
    }

    /// Whether brig has taken the terminal's modes over. Both ends of a terminal have one set of them.
    pub fn has_raw_modes(&self) -> bool {
        !tcgetattr(&self.screen).unwrap().local_modes.intersects(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Whether they are those that the terminal had before brig.
    pub fn has_modes_of_before(&self) -> bool {
        modes(&self.screen) == self.modes
    }

    /// Sets modes as a shell does that edits its line.
    pub fn sets_modes_of_a_shell(&self) {
        let mut modes = tcgetattr(&self.screen).unwrap();
        modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        modes.local_modes |= LocalModes::ISIG;
        tcsetattr(&self.screen, OptionalActions::Now, &modes).unwrap();
    }

    /// Whether they are still those.
    pub fn has_modes_of_a_shell(&self) -> bool {
        let (_, output, _, local) = modes(&self.screen);
        self.has_raw_modes() && output.contains(OutputModes::OPOST) && local.contains(LocalModes::ISIG)
    }

    /// The pid of brig itself.
    pub fn brig(&self) -> i32 {
        let file = format!("/proc/{0}/task/{0}/children", self.shell.id());
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    /// Sends a signal to it.
    pub fn signals(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.brig()).unwrap(), signal).unwrap();
    }

    /// Closes the terminal's window, and waits for brig and the shell to go.
    pub fn hangs_up(self) {
        let Self { ref shell, .. } = self;
        let shell = format!("/proc/{}", shell.id());
        let (closed, _) = terminal();
        let mut person = self;
        drop(std::mem::replace(&mut person.screen, closed));
        until("the shell has ended", || !crate::common::is_alive(shell.as_ref()));
    }

    pub fn waits(&mut self) -> Option<i32> {
        self.shell.wait().unwrap().code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Nothing to do if it has ended, as it should have.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A new terminal: its screen and keyboard, and the end for programs.
fn terminal() -> (File, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    (File::from(screen), open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap())
}

fn size(ws_row: u16, ws_col: u16) -> Winsize {
    Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }
}
