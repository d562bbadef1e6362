// SPDX-License-Identifier: Apache-2.0
//! How init begins, and how it ends when things are not as they should be.

use brig_wire::{Act, Header, MAGIC, NO_FAULT, POINT_COMMIT, Step};

use crate::harness::{Plan, Session, failure, string};

#[test]
fn signals_and_umask_are_reset() {
    // The Rust runtime ignores SIGPIPE, and the harness blocks everything.
    let session = Plan::new().sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    for set in ["SigBlk", "SigIgn", "SigCgt"] {
        assert_eq!(session.status(set), "0000000000000000", "{set}");
    }
    assert_eq!(session.status("Umask"), "0000");
}

#[test]
fn the_plan_is_not_kept_open() {
    let session = Plan::new().sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    let fds = std::fs::read_dir(format!("/proc/{}/fd", session.pid)).expect("descriptors");
    for link in fds.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()) {
        assert!(!link.starts_with("/memfd:brig-test"), "{link:?}");
    }
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let good = Plan::new().step(Step::Umask { mask: 0 }).encode();
    let mut longer = good.clone();
    longer.push(0);
    let mut other_magic = good.clone();
    other_magic[0] ^= 1;
    let more_steps = Header { steps: 2, length: good.len() as u32, fail_at: NO_FAULT }.encode();
    let more_steps = [&more_steps, &good[Header::SIZE..]].concat();
    assert_eq!(good[..8], MAGIC.to_le_bytes());
    for bad in [&longer, &other_magic, &more_steps, &good[..10].to_vec()] {
        let mut session = Session::start(bad, &[], libc::CLONE_NEWNS);
        let (message, ..) = session.receive().expect("a message");
        assert_eq!(Act::from_code(message.act), Some(Act::Malformed));
        assert_eq!(session.exit_code(), 1);
    }
}

#[test]
fn without_a_host_it_ends_in_silence() {
    let mut session = Plan::new().sync(POINT_COMMIT).start(0);
    session.reached(POINT_COMMIT);
    session.socket = None;
    assert_eq!(session.exit_code(), 1);
}

#[test]
fn a_register_that_is_empty_is_an_error() {
    assert_eq!(failure(&Plan::new().step(Step::Attach { target: c"/x", flags: 0 })), (Act::Step, libc::EBADF));
    let mkdir = Step::Mkdir { path: string("/brig-must-not-be"), mode: 0o755 };
    assert_eq!(failure(&Plan::new().step(mkdir)), (Act::Step, libc::EBADF));
}
