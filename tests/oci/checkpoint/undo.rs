// SPDX-License-Identifier: Apache-2.0
//! A restore that fails, or whose caller is killed, at any point: nothing is left, or nothing that a delete cannot clear.

use crate::checkpoint::{COUNTER, Subject};
use crate::common::Done;
use crate::edit;

/// In the order of a restore.
const PLACES: [&str; 9] = ["record", "cgroup", "spawn", "cgroups", "limits", "hooks", "devices", "commit", "done"];

fn restore(subject: &Subject, id: &str, fault: &str) -> Done {
    let images = subject.images("images");
    let mut command = subject.command(&["restore", "--detach", "--image-path", &images, id]);
    subject.lab.end(command.env("BRIG_FAULT", fault))
}

fn dumped() -> Subject {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    subject.counts_on();
    subject.checkpoint("images", &[]).success();
    subject
}

#[test]
fn a_restore_that_fails() {
    let subject = dumped();
    let id = subject.lab.id("restored");
    let before = subject.numbers();
    let fails = |place: &str| {
        let text = restore(&subject, &id, &format!("fail:{place}")).failure();
        assert!(text.contains(&format!("injected fault at {place}")), "{place}: {text}");
        subject.lab.assert_clean();
    };
    let (last, others) = PLACES.split_last().unwrap();
    others.iter().copied().for_each(&fails);
    assert_eq!(subject.numbers(), before, "it ran before it failed");
    restore(&subject, &id, "").success();
    subject.counts_on();
    subject.is_whole();
    subject.lab.brig(&["delete", "--force", &id]).success();
    fails(last);
}

#[test]
fn a_caller_that_dies() {
    let subject = dumped();
    for place in PLACES {
        let id = subject.lab.id(place);
        assert_eq!(restore(&subject, &id, &format!("die:{place}")).code(), None, "{place}");
        // What CRIU is at when nobody answers it any more it gives up; or it had nothing to ask.
        subject.lab.brig(&["delete", "--force", &id]).success();
        crate::common::until("all is gone", || subject.lab.leftovers().is_empty());
    }
}
