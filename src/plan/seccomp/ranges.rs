// SPDX-License-Identifier: Apache-2.0
//! A shorter program with the same decisions: it tells ranges of system calls apart, where libseccomp compares number
//! by number.
//!
//! Most of a usual profile allows most of the numbers, many in a row. What loading a filter takes is the kernel's
//! translation of each instruction, a good part of the start of a container; and it is paid in every call, too.
//!
//! Behind each place that loads the number, the jumps that compare it are followed for all numbers at once. What comes of
//! it is a list of ranges, each with the instruction at which its numbers arrive: a decision, or the first look at an
//! argument. A binary search takes the place of these jumps; everything else stays, in its order.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::INSTRUCTION_SIZE;
use super::layers::{instruction, op};

/// Loads the number: it is the first word of struct seccomp_data.
const NUMBER: u32 = 0;

/// How far a conditional jump reaches.
const REACH: usize = u8::MAX as usize;

/// More pieces than the numbers of all calls there are: then it is no usual program.
const PIECES_MAX: usize = 8192;

/// A struct sock_filter.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    value: u32,
}

/// From `first` to the next one's, numbers arrive at the instruction `exit`.
#[derive(Clone, Copy)]
struct Range {
    first: u32,
    exit: usize,
}

/// The shorter program; `None` if it would not be shorter, or this one is of a kind that is not understood.
pub fn merge(program: &[u8]) -> Option<Vec<u8>> {
    let old: Vec<_> = program.as_chunks::<INSTRUCTION_SIZE>().0.iter().map(Instruction::read).collect();
    let (order, searches) = live(&old)?;
    // What stays, with the place that each old instruction gets.
    let mut places = BTreeMap::new();
    let mut length = 0;
    for &at in &order {
        places.insert(at, length);
        length += 1 + searches.get(&at).map_or(0, Search::len);
    }
    let mut new = Vec::with_capacity(length);
    for &at in &order {
        let place = *places.get(&at)?;
        let distance = |target: usize, from: usize| places.get(&target)?.checked_sub(from + 1);
        let instruction = *old.get(at)?;
        if let Some(search) = searches.get(&at) {
            new.push(instruction);
            search.write(&old, |target, from| distance(target, place + 1 + from), &mut new)?;
            continue;
        }
        new.push(match instruction.targets(at) {
            Targets::None | Targets::Next => instruction,
            Targets::One(target) => Instruction { value: u32::try_from(distance(target, place)?).ok()?, ..instruction },
            Targets::Two(yes, no) => Instruction {
                jump_true: u8::try_from(distance(yes, place)?).ok()?,
                jump_false: u8::try_from(distance(no, place)?).ok()?,
                ..instruction
            },
        });
    }
    (new.len() < old.len()).then(|| new.iter().flat_map(Instruction::bytes).collect())
}

/// Where an instruction leads to.
enum Targets {
    None,
    Next,
    One(usize),
    Two(usize, usize),
}

impl Instruction {
    fn read(bytes: &[u8; INSTRUCTION_SIZE]) -> Self {
        let [a, b, jump_true, jump_false, value @ ..] = *bytes;
        Self { code: u16::from_ne_bytes([a, b]), jump_true, jump_false, value: u32::from_ne_bytes(value) }
    }

    fn bytes(&self) -> [u8; INSTRUCTION_SIZE] {
        instruction(self.code, self.jump_true, self.jump_false, self.value)
    }

    /// For the instruction at `at`.
    fn targets(self, at: usize) -> Targets {
        match self.code & 0x07 {
            0x06 => Targets::None,
            0x05 if self.code == op::JUMP => Targets::One(at + 1 + self.value as usize),
            0x05 => Targets::Two(at + 1 + usize::from(self.jump_true), at + 1 + usize::from(self.jump_false)),
            _ => Targets::Next,
        }
    }
}

/// The instructions that are still reached, in order, and the searches that take the place of jumps behind some of them.
fn live(old: &[Instruction]) -> Option<(BTreeSet<usize>, BTreeMap<usize, Search>)> {
    let (mut order, mut searches, mut queue) = (BTreeSet::new(), BTreeMap::new(), vec![0]);
    while let Some(at) = queue.pop() {
        let instruction = *old.get(at)?;
        if !order.insert(at) {
            continue;
        }
        if (instruction.code, instruction.value) == (op::LOAD, NUMBER)
            && let Some(search) = Search::of(old, at + 1)
        {
            queue.extend(search.exits.iter().filter(|&&exit| !is_decision(old, exit)));
            searches.insert(at, search);
            continue;
        }
        match instruction.targets(at) {
            Targets::None => {}
            Targets::Next => queue.push(at + 1),
            Targets::One(target) => queue.push(target),
            Targets::Two(yes, no) => queue.extend([yes, no]),
        }
    }
    Some((order, searches))
}

fn is_decision(old: &[Instruction], at: usize) -> bool {
    old.get(at).is_some_and(|instruction| instruction.code == op::RETURN)
}

/// A binary search in ranges: a comparison for each border, then a stub for each exit.
struct Search {
    ranges: Vec<Range>,
    exits: Vec<usize>,
}

impl Search {
    /// What the jumps from `start` on do with a number that was just loaded.
    fn of(old: &[Instruction], start: usize) -> Option<Self> {
        let mut ranges: Vec<Range> = Vec::new();
        let mut exits = Vec::new();
        // The lowest numbers are on top, so that ranges come in their order.
        let mut open = vec![(start, 0, u32::MAX)];
        for _ in 0..PIECES_MAX {
            let Some((at, low, high)) = open.pop() else {
                let search = Self { ranges, exits };
                return (search.len() <= REACH).then_some(search);
            };
            let instruction = *old.get(at)?;
            let value = instruction.value;
            match (instruction.code, instruction.targets(at)) {
                (op::JUMP, Targets::One(target)) => open.push((target, low, high)),
                (op::IF_EQUAL, Targets::Two(yes, no)) => {
                    if value < low || value > high {
                        open.push((no, low, high));
                        continue;
                    }
                    open.extend(value.checked_add(1).filter(|&first| first <= high).map(|first| (no, first, high)));
                    open.push((yes, value, value));
                    open.extend(value.checked_sub(1).filter(|&last| last >= low).map(|last| (no, low, last)));
                }
                (op::IF_GREATER, Targets::Two(yes, no)) => split(&mut open, value.checked_add(1), (yes, no), low, high),
                (op::IF_GREATER_OR_EQUAL, Targets::Two(yes, no)) => split(&mut open, Some(value), (yes, no), low, high),
                _ => {
                    let same =
                        |&exit: &usize| exit == at || is_decision(old, at) && old.get(exit) == Some(&instruction);
                    let exit = exits.iter().copied().find(same).unwrap_or_else(|| {
                        exits.push(at);
                        at
                    });
                    if ranges.last().is_none_or(|last| last.exit != exit) {
                        ranges.push(Range { first: low, exit });
                    }
                }
            }
        }
        None
    }

    fn len(&self) -> usize {
        self.ranges.len() - 1 + self.exits.len()
    }

    /// Appends it. `distance` says how far an old instruction is from an instruction of the search.
    fn write(
        &self,
        old: &[Instruction],
        distance: impl Fn(usize, usize) -> Option<usize>,
        new: &mut Vec<Instruction>,
    ) -> Option<()> {
        let start = new.len();
        let comparisons = self.ranges.len() - 1;
        let stub = |exit| Some(comparisons + self.exits.iter().position(|&known| known == exit)?);
        if comparisons > 0 {
            self.compare(&self.ranges, &stub, start, new)?;
        }
        for (index, &exit) in self.exits.iter().enumerate() {
            new.push(match is_decision(old, exit) {
                true => *old.get(exit)?,
                false => Instruction {
                    code: op::JUMP,
                    jump_true: 0,
                    jump_false: 0,
                    value: u32::try_from(distance(exit, comparisons + index)?).ok()?,
                },
            });
        }
        Some(())
    }

    /// Tells at least two ranges apart: in the middle first, then those below, then those above.
    fn compare(
        &self,
        ranges: &[Range],
        stub: &impl Fn(usize) -> Option<usize>,
        start: usize,
        new: &mut Vec<Instruction>,
    ) -> Option<()> {
        let (below, above) = ranges.split_at(ranges.len() / 2);
        let at = new.len();
        let next = at - start + 1;
        // As many comparisons as borders.
        let side = |side: &[Range], place: usize| match side {
            [range] => stub(range.exit),
            _ => Some(place),
        };
        let (no, yes) = (side(below, next)?, side(above, next + below.len() - 1)?);
        new.push(Instruction {
            code: op::IF_GREATER_OR_EQUAL,
            jump_true: u8::try_from(yes - next).ok()?,
            jump_false: u8::try_from(no - next).ok()?,
            value: above.first()?.first,
        });
        for side in [below, above] {
            if side.len() > 1 {
                self.compare(side, stub, start, new)?;
            }
        }
        Some(())
    }
}

/// Numbers from `border` on go to the first, others to the second.
fn split(open: &mut Vec<(usize, u32, u32)>, border: Option<u32>, (yes, no): (usize, usize), low: u32, high: u32) {
    match border {
        Some(border) if border <= low => open.push((yes, low, high)),
        Some(border) if border <= high => open.extend([(yes, border, high), (no, low, border - 1)]),
        _ => open.push((no, low, high)),
    }
}
