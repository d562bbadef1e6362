// SPDX-License-Identifier: Apache-2.0
//! A plan for people: `brig plan`, and the snapshots of the tests.

use std::fmt::Write;

use brig_wire::Step;

use super::{Plan, Slot, Source};

impl Plan {
    /// One step a line: its number, what it does, and the field of config.json that asks for it.
    pub fn show(&self) -> String {
        let mut text = String::new();
        let slots: Vec<_> = self.steps.slots().collect();
        for (index, (step, origin)) in self.steps.iter().enumerate() {
            let mut line = format!("{index:3}  {step}");
            if let Step::JoinCgroups {} = step {
                self.cgroups.iter().for_each(|path| line.extend([" ", &path.to_string_lossy()]));
            }
            for (_, slot) in slots.iter().filter(|(step, _)| *step as usize == index) {
                let _ = write!(line, " [{}]", self.slot(*slot));
            }
            if !origin.is_empty() {
                let _ = write!(line, "  # {origin}");
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn slot(&self, slot: Slot) -> String {
        match slot {
            Slot::Namespace(index) => match self.namespaces.join.get(index) {
                Some(join) => join.path.display().to_string(),
                None => "namespace".into(),
            },
            Slot::Source(index) => match self.sources.get(index) {
                Some(Source { path: Some(path), id_map: None, .. }) => format!("host {}", path.display()),
                Some(Source { path: Some(path), .. }) => format!("host {}, ID-mapped", path.display()),
                _ => "root filesystem".into(),
            },
            Slot::File(index) => format!("file {index}"),
            Slot::State => "state".into(),
            Slot::Terminal => "terminal".into(),
            Slot::Exit => "exit".into(),
            Slot::Cgroup => "cgroup".into(),
            Slot::LastWord => "last word".into(),
        }
    }
}
