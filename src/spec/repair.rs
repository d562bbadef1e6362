// SPDX-License-Identifier: Apache-2.0
//! How to go on after a value of the wrong type, so that one look at a configuration finds all that is wrong with it.
//!
//! serde stops at the first such value. It is taken out of the document, and the document read again, until it can be
//! read as a whole; what is left is checked like any other. This is for configurations that are refused anyway.

use std::collections::{HashMap, HashSet};

use oci_spec::runtime::Spec;
use serde_json::{Value, json};

use super::{parse, pointer, relocate};
use crate::error::Error;

/// How many bytes are read again before we give up: to read 16 MiB a thousand times would take minutes.
const BUDGET: usize = 64 << 20;
/// But so often at least.
const ROUNDS: usize = 8;

/// What comes of a document with mistakes.
#[derive(Default)]
pub struct Repaired {
    /// The rest of the configuration; `None` if there is no end to its mistakes.
    pub spec: Option<Spec>,
    /// What is wrong, with pointers into the document as it was.
    pub mistakes: Vec<Error>,
    /// The places of `mistakes`, and all places that these are in.
    told: HashSet<String>,
    around: HashSet<String>,
    /// Elements that were removed, in this order, each from a list as it was then.
    removed: Vec<(String, usize)>,
    /// Members that were made up, and which try it was.
    invented: HashMap<String, usize>,
}

/// Reads `document`, in which these mistakes were found already. `length` is its size in bytes.
pub fn read(mut document: Value, length: usize, known: Vec<Error>) -> Repaired {
    let mut repaired = Repaired::default();
    known.into_iter().for_each(|mistake| repaired.tell(mistake));
    for _ in 0..(BUDGET / length.max(1)).max(ROUNDS) {
        let error = match parse::typed(&document) {
            Ok(spec) => {
                repaired.spec = Some(spec);
                return repaired;
            }
            Err(error) => error,
        };
        let place = error.pointer.clone().unwrap_or_default();
        let original = repaired.original(&place);
        repaired.tell(relocate(error, original, "config.json"));
        if !repaired.mend(&mut document, &place) {
            return repaired;
        }
    }
    repaired.mistakes.push(Error::config("", "has too many mistakes to tell all of them"));
    repaired
}

impl Repaired {
    /// Adds what a check found wrong with the rest, unless that comes of the repair.
    pub fn add(&mut self, mistake: Error) {
        let place = self.original(mistake.pointer.as_deref().unwrap_or_default());
        let is_ours = self.around.contains(&place) || outwards(&place).any(|outer| self.told.contains(outer));
        if !is_ours {
            self.mistakes.push(relocate(mistake, place, "config.json"));
        }
    }

    /// Adds the one mistake that is told of a place.
    fn tell(&mut self, mistake: Error) {
        let place = mistake.pointer.clone().unwrap_or_default();
        if self.told.contains(&place) {
            return;
        }
        self.around.extend(outwards(&place).map(str::to_owned));
        self.told.insert(place);
        self.mistakes.push(mistake);
    }

    /// Where in the document as it was this place of the repaired one is.
    fn original(&self, place: &str) -> String {
        let mut place = place.to_owned();
        for (list, index) in self.removed.iter().rev() {
            let Some(rest) = place.strip_prefix(list.as_str()).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            let (step, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if let Ok(now) = step.parse::<usize>()
                && now >= *index
            {
                place = format!("{list}/{}{rest}", now + 1);
            }
        }
        place
    }

    /// Removes what is at `place`, or makes up what is missing there: a path, else a number; without either, what it
    /// is missing in goes. `false` if nothing can be done.
    fn mend(&mut self, document: &mut Value, place: &str) -> bool {
        let Some((parent, key)) = place.rsplit_once('/') else { return false };
        let tries = self.invented.get(place).copied().unwrap_or_default();
        if tries == 0 && document.pointer(place).is_some() {
            return self.remove(document, place);
        }
        let stand_in = match tries {
            0 => json!("/"),
            1 => json!(0),
            _ => return self.remove(document, parent),
        };
        let Some(Value::Object(object)) = document.pointer_mut(parent) else { return false };
        object.insert(pointer::unescape(key), stand_in);
        self.invented.insert(place.to_owned(), tries + 1);
        true
    }

    fn remove(&mut self, document: &mut Value, place: &str) -> bool {
        let Some((parent, key)) = place.rsplit_once('/') else { return false };
        match document.pointer_mut(parent) {
            Some(Value::Object(object)) => object.shift_remove(&pointer::unescape(key)).is_some(),
            Some(Value::Array(list)) => {
                let Some(index) = key.parse().ok().filter(|&index| index < list.len()) else { return false };
                list.remove(index);
                // Those further on in this list are not where they were.
                let inside = format!("{parent}/");
                self.invented.retain(|place, _| !place.starts_with(&inside));
                self.removed.push((parent.to_owned(), index));
                true
            }
            _ => false,
        }
    }
}

/// A place and all that it is in.
fn outwards(place: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(place), |place| Some(place.rsplit_once('/')?.0))
}
