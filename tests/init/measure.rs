// SPDX-License-Identifier: Apache-2.0
//! What a waiting container costs. The numbers are printed (`cargo test --test init measure -- --nocapture`);
//! the limits are generous, and only there to notice when something grew by accident.

use std::time::{Duration, Instant};

use brig_wire::{POINT_COMMIT, Step};

use crate::gate::{Gate, begin};
use crate::harness::{INIT, Plan, Session, Temp, memfd};

const ROUNDS: usize = 300;

#[test]
fn a_waiting_container_is_small() {
    let (root, gate) = (Temp::root(&["proc", "dev"]), Gate::new());
    let plan = Plan::within(&root).proc().mount("tmpfs", &["mode=755"], "/dev");
    let null = Step::Device { path: c"/dev/null", mode: libc::S_IFCHR | 0o666, major: 1, minor: 3, uid: 0, gid: 0 };
    let plan = plan.step(null).pivot().sync(POINT_COMMIT).step(Step::Gate {}).shell("exit 0");
    let mut session = plan.start(libc::CLONE_NEWPID);
    session.reached(POINT_COMMIT);
    session.give_gate(&gate);
    assert!(session.receive().is_none());
    let kib = |key: &str| session.status(key).trim_end_matches(" kB").parse::<u32>().expect("a number");
    let (rss, anonymous, tables) = (kib("VmRSS"), kib("RssAnon"), kib("VmPTE"));
    println!(
        "{} bytes of program; at the gate {rss} KiB resident, {anonymous} of them its own, {tables} of page tables",
        INIT.len()
    );
    assert!(INIT.len() < 64 << 10 && rss < 128);
    begin(&gate.connect());
    session.exit_code();
}

#[test]
fn the_first_message_comes_soon() {
    let plan = Plan::new().sync(POINT_COMMIT).encode();
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let program = memfd(INIT);
            let begin = Instant::now();
            let session = Session::start_program(&program, &plan, &[], 0);
            session.reached(POINT_COMMIT);
            begin.elapsed()
        })
        .collect();
    took.sort_unstable();
    println!("from the clone to the first message: {:?} (median), {:?} (best)", took[ROUNDS / 2], took[0]);
}
