// SPDX-License-Identifier: Apache-2.0
//! brig and its peers, which all have the same command line.

use std::process::Command;

use serde_json::Value;

use crate::common::{Done, Lab};

/// Whose containers the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Brig,
    Runc,
    Crun,
}

/// What is run of a row, and how.
pub enum Program<'a> {
    /// The container's own.
    First,
    /// The same on a terminal.
    OnTerminal,
    /// This process, executed in the container.
    Exec(&'a str),
    /// The same, and then an update of the container's limits.
    Update(&'a str, &'a str),
}

impl Runtime {
    /// As it is called, and as the head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brig => "brig",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// Its name with the version, as its first line says it.
    pub fn version(self) -> String {
        let program = if self == Self::Brig { env!("CARGO_BIN_EXE_brig") } else { self.name() };
        let done = Command::new(program).arg("--version").output().unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8_lossy(&done.stdout).lines().next().unwrap_or_default().replace("version ", "")
    }

    /// What has to be done before it, in the mount namespace that it gets.
    fn setup(self) -> &'static str {
        match self {
            // It refuses hybrid hosts.
            Self::Crun => "umount /sys/fs/cgroup/unified 2>/dev/null || true\n",
            Self::Brig | Self::Runc => "",
        }
    }

    fn command(self, lab: &Lab, args: &[&str]) -> Command {
        match self {
            Self::Brig => lab.command(args),
            Self::Runc | Self::Crun => {
                let mut command = Command::new(self.name());
                command.arg("--root").arg(lab.path.join("peer")).args(args);
                command
            }
        }
    }

    /// Runs the laboratory's bundle after the shell script `before`.
    pub fn run(self, lab: &Lab, before: &str, program: Program) -> Done {
        let id = lab.id("row");
        let setup = format!("{}{before}", self.setup());
        let end = |setup: &str, args: &[&str]| lab.end(&mut lab.behind(setup, &self.command(lab, args)));
        let done = match program {
            Program::OnTerminal => {
                let mut console = Command::new("python3");
                console.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/table/console.py"));
                let create = self.command(lab, &["create", "--console-socket", "@SOCKET@", &id]);
                console.arg(create.get_program()).args(create.get_args()).arg("--");
                let start = self.command(lab, &["start", &id]);
                console.arg(start.get_program()).args(start.get_args());
                lab.end(&mut lab.behind(&setup, &console))
            }
            Program::First => end(&setup, &["run", &id]),
            Program::Exec(process) | Program::Update(process, _) => {
                std::fs::write(lab.bundle().join("process.json"), process).unwrap();
                let created = end(&setup, &["create", &id]);
                if created.code() != Some(0) {
                    return created;
                }
                end(self.setup(), &["start", &id]);
                let executed = end(self.setup(), &["exec", "--process", "process.json", &id]);
                match program {
                    Program::Update(_, resources) if executed.code() == Some(0) => {
                        std::fs::write(lab.bundle().join("resources.json"), resources).unwrap();
                        end(self.setup(), &["update", "--resources", "resources.json", &id])
                    }
                    _ => executed,
                }
            }
        };
        if self != Self::Brig || !matches!(program, Program::First) {
            end(self.setup(), &["delete", "--force", &id]);
        }
        done
    }
}

/// Sets the member at `pointer`, whose parents are made if missing; `-` appends to a list, and `null` removes.
pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if !parent.is_empty() && document.pointer(parent).is_none_or(Value::is_null) {
        set(document, parent, if key == "-" { Value::Array(Vec::new()) } else { Value::Object(Default::default()) });
    }
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        Value::Object(object) if value.is_null() => drop(object.remove(&key)),
        Value::Object(object) => drop(object.insert(key, value)),
        other => panic!("{pointer}: {other}"),
    }
}
