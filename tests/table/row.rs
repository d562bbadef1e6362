// SPDX-License-Identifier: Apache-2.0
//! A row: a change of the default configuration, a script in the container, and what it must say.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::Lab;
use crate::runtime::{Program, Runtime, set};

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is honoured.
    Yes,
    /// It is not: what was seen.
    No(String),
    /// This kernel lacks it: what.
    Lacks(String),
    /// It cannot be shown here: where it is, or why it is nowhere.
    Elsewhere(&'static str),
}

/// Where the row can be run.
#[derive(Clone)]
enum Needs {
    Nothing,
    /// A shell script of the host that succeeds where the kernel has it, and what it has then.
    Host(String, &'static str),
    Elsewhere(&'static str),
}

/// What is looked at.
#[derive(Clone)]
enum Expected {
    /// The words that the scripts print.
    Output(String),
    /// An error; brig's has this JSON pointer.
    Refusal(&'static str),
}

/// One row.
#[derive(Clone)]
pub struct Row {
    /// The field, in the words of the specification.
    pub name: String,
    edits: Vec<(String, String)>,
    script: String,
    expected: Expected,
    before: String,
    after: &'static str,
    needs: Needs,
    terminal: bool,
    exec: Option<String>,
    update: Option<&'static str>,
    /// How many of the edits only prepare; `None` if the row is true without its field.
    preparing: Option<usize>,
}

/// Functions for the scripts: fields of the last mount at a place, as /proc/self/mountinfo numbers them.
const PRELUDE: &str = r#"
line() { awk -v p="$1" '$5 == p { l = $0 } END { print l }' /proc/self/mountinfo; }
attributes() { line "$1" | cut -d' ' -f6; }
superblock() { line "$1" | awk '{ print $NF }'; }
has() { case ",$1," in *,$2,*) echo yes;; *) echo no;; esac; }
propagation() { line "$1" | sed 's/ - .*//' | cut -d' ' -f7- | tr -d '0-9:'; }
limit() { cat "/sys/fs/cgroup/$1"; }
"#;

/// A row whose script, in a container of the default configuration with these members set, prints `output`. In values
/// and scripts of the host, @BUNDLE@ is the bundle and @ID@ a name that nobody else has.
pub fn row(name: &str, edits: &[(&str, &str)], script: &str, output: &str) -> Row {
    Row {
        name: name.to_owned(),
        edits: edits.iter().map(|(pointer, value)| ((*pointer).to_owned(), (*value).to_owned())).collect(),
        script: script.to_owned(),
        expected: Expected::Output(output.to_owned()),
        before: String::new(),
        after: "",
        needs: Needs::Nothing,
        terminal: false,
        exec: None,
        update: None,
        preparing: Some(0),
    }
}

/// A row that no container here can show.
pub fn elsewhere(name: &str, why: &'static str) -> Row {
    Row { needs: Needs::Elsewhere(why), ..row(name, &[], "", "") }
}

impl Row {
    /// The container must be refused, by brig with this pointer.
    pub fn refused(self, pointer: &'static str) -> Self {
        Self { expected: Expected::Refusal(pointer), ..self }
    }

    /// A shell script of the host, in the bundle, before; mounts in it are seen by the runtime only.
    pub fn before(self, script: &str) -> Self {
        Self { before: script.to_owned(), ..self }
    }

    /// The runtime gets a network namespace of its own, which a shell script prepares.
    pub fn private_network(self, script: &str) -> Self {
        let enter = format!("exec unshare --net -- sh -c '{script}; exec \"$@\"' sh \"$@\"");
        self.before(&enter)
    }

    /// A shell script of the host, in the bundle, whose output is looked at as well.
    pub fn after(self, script: &'static str) -> Self {
        Self { after: script, ..self }
    }

    /// A shell script of the host that succeeds where the kernel has `what`.
    pub fn needs(self, script: &str, what: &'static str) -> Self {
        match self.needs {
            Needs::Elsewhere(_) => self,
            Needs::Nothing | Needs::Host(..) => Self { needs: Needs::Host(script.to_owned(), what), ..self },
        }
    }

    /// One more member, which the field needs beside it.
    pub fn with(mut self, pointer: &str, value: &str) -> Self {
        self.edits.insert(0, (pointer.to_owned(), value.to_owned()));
        Self { preparing: self.preparing.map(|edits| edits + 1), ..self }
    }

    /// With a terminal.
    pub fn terminal(self) -> Self {
        Self { terminal: true, ..self }
    }

    /// The script is executed in a container that waits, with these members in its process.
    pub fn exec(self, members: &str) -> Self {
        Self { exec: Some(members.to_owned()), ..self }
    }

    /// The script is executed in a container that waits, whose limits are changed then, by what `brig update` reads.
    pub fn update(self, resources: &'static str) -> Self {
        Self { update: Some(resources), ..self.exec("{}") }
    }

    /// The first `edits` of the edits are not about the field.
    pub fn preparing(self, edits: usize) -> Self {
        Self { preparing: Some(edits), ..self }
    }

    /// It asks for what happens anyway.
    pub fn true_anyway(self) -> Self {
        Self { preparing: None, ..self }
    }

    /// The row without its field, which must not be true.
    pub fn without_its_field(&self) -> Option<Self> {
        let keep = self.preparing?;
        match (&self.needs, &self.expected, &self.exec) {
            (Needs::Elsewhere(_), ..) | (_, _, Some(_)) => None,
            (_, Expected::Refusal(_), _) => None,
            _ => Some(Self { edits: self.edits[..keep].to_vec(), ..self.clone() }),
        }
    }

    /// Runs it.
    pub fn run(&self, runtime: Runtime) -> Outcome {
        match &self.needs {
            Needs::Elsewhere(why) => return Outcome::Elsewhere(why),
            Needs::Host(probe, what) if !shell(probe, "/").0 => return Outcome::Lacks((*what).to_owned()),
            Needs::Host(..) | Needs::Nothing => {}
        }
        let lab = Lab::new(env!("CARGO_BIN_EXE_brig"));
        let fill =
            |text: &str| text.replace("@BUNDLE@", lab.bundle().to_str().unwrap()).replace("@ID@", &lab.id("own"));
        let script = format!("{PRELUDE}{}", self.script);
        let waits = ["sh", "-c", "sleep 1000"];
        let args = if self.exec.is_some() { &waits[..] } else { &["sh", "-c", &script] };
        let mut process = Value::Null;
        lab.write(args, |spec| {
            // Debian's crun knows no later one.
            spec["ociVersion"] = json!("1.0.2");
            spec["process"]["terminal"] = json!(self.terminal);
            for (pointer, value) in &self.edits {
                let value = fill(value);
                set(spec, pointer, serde_json::from_str(&value).unwrap_or_else(|error| panic!("{value}: {error}")));
            }
            process = spec["process"].clone();
        });
        let exec = self.exec.as_ref().map(|members| {
            process["args"] = json!(["sh", "-c", script]);
            let members: Value = serde_json::from_str(members).unwrap();
            members.as_object().unwrap().iter().for_each(|(key, value)| process[key] = value.clone());
            process.to_string()
        });
        let before = fill(&self.before);
        let program = match (&exec, self.update) {
            (None, _) if self.terminal => Program::OnTerminal,
            (None, _) => Program::First,
            (Some(process), None) => Program::Exec(process),
            (Some(process), Some(resources)) => Program::Update(process, resources),
        };
        let done = runtime.run(&lab, &before, program);
        let outcome = match &self.expected {
            Expected::Refusal(pointer) => match done.code() {
                Some(1) if runtime != Runtime::Brig || done.err().contains(pointer) => Outcome::Yes,
                _ => Outcome::No(format!("not refused: {}{}", done.out(), done.err())),
            },
            Expected::Output(expected) => {
                let out = done.out() + &shell(&fill(self.after), lab.bundle().to_str().unwrap()).1;
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                match words(&out) == words(&fill(expected)) {
                    true => Outcome::Yes,
                    false => Outcome::No(format!("says {:?}, not {expected:?}; {}", out.trim(), done.err().trim())),
                }
            }
        };
        // What a peer left in the way is not brig's.
        if runtime != Runtime::Brig {
            let _ = fs::remove_dir_all(lab.path.join("peer"));
            for _ in 0..100 {
                let left = lab.leftovers();
                left.iter().for_each(|directory| drop(fs::remove_dir(directory)));
                if left.is_empty() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        outcome
    }
}

fn shell(script: &str, directory: &str) -> (bool, String) {
    let done = Command::new("sh").args(["-c", script]).current_dir(directory).output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
}
