// SPDX-License-Identifier: Apache-2.0
//! The terminal of a container, from inside.

use serde_json::json;

use crate::{edit, lab};

#[test]
fn the_program_has_a_terminal_of_its_own() {
    for (uid, user_namespace) in [(0, false), (1000, false), (0, true), (1000, true)] {
        let script = "tty; stty size; ls -1 /dev/pts; stat -c '%F %t:%T' /dev/console; stat -c %u /dev/pts/0; \
            [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all three; echo by name > /dev/tty; cut -d' ' -f6,7 /proc/self/stat";
        let seen = lab().sh(script, |spec| {
            if user_namespace {
                edit::user_namespace(spec);
            }
            edit::user(spec, uid, uid, &[]);
            spec["process"]["terminal"] = json!(true);
            spec["process"]["consoleSize"] = json!({ "height": 33, "width": 99 });
        });
        let owner = uid.to_string();
        let lines: Vec<_> = seen.lines().map(str::trim_end).collect();
        // The last line: the session of init, and its terminal, 136:0.
        let expected = [
            "/dev/pts/0",
            "33 99",
            "0",
            "ptmx",
            "character special file 88:0",
            &owner,
            "all three",
            "by name",
            "1 34816",
        ];
        assert_eq!(lines, expected, "uid {uid}, user namespace {user_namespace}");
    }
}

#[test]
fn without_one_there_is_none() {
    let seen =
        lab().sh("ls /dev/console /dev/pts/0 2>&1; (: > /dev/tty) 2>&1; cut -d' ' -f7 /proc/self/stat", edit::nothing);
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines[0].contains("No such file") && lines[1].contains("No such file"), "{seen}");
    assert!(lines[2].contains("No such device or address") && lines[3] == "0", "{seen}");
}
