// SPDX-License-Identifier: Apache-2.0
//! `linux.personality`: what uname(2) says, and the flags, for all programs of a container.

use std::fs;

use serde_json::json;

use crate::{edit, lab};

/// The name of config.json, and the bit of linux/personality.h.
const FLAGS: [(&str, u32); 11] = [
    ("UNAME26", 0x002_0000),
    ("ADDR_NO_RANDOMIZE", 0x004_0000),
    ("FDPIC_FUNCPTRS", 0x008_0000),
    ("MMAP_PAGE_ZERO", 0x010_0000),
    ("ADDR_COMPAT_LAYOUT", 0x020_0000),
    ("READ_IMPLIES_EXEC", 0x040_0000),
    ("ADDR_LIMIT_32BIT", 0x080_0000),
    ("SHORT_INODE", 0x100_0000),
    ("WHOLE_SECONDS", 0x200_0000),
    ("STICKY_TIMEOUTS", 0x400_0000),
    ("ADDR_LIMIT_3GB", 0x800_0000),
];

#[test]
fn domains() {
    for (domain, value) in [("LINUX", "00000000"), ("LINUX32", "00000008")] {
        let seen = lab().sh("cat /proc/self/personality; uname -m", |spec| {
            spec["linux"]["personality"] = json!({ "domain": domain })
        });
        let (found, machine) = seen.split_once('\n').unwrap();
        assert_eq!(found, value, "{domain}");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(machine == "i686", domain == "LINUX32", "{domain}: {machine}");
        }
    }
}

/// Looked at before the program runs: the kernel takes READ_IMPLIES_EXEC back from 64-bit programs, and MMAP_PAGE_ZERO
/// needs a privilege.
#[test]
fn each_flag_is_set() {
    let lab = lab();
    for (name, bit) in FLAGS {
        lab.write(&["true"], |spec| spec["linux"]["personality"] = json!({ "domain": "LINUX", "flags": [name] }));
        let id = lab.create(name);
        let seen = fs::read_to_string(format!("/proc/{}/personality", lab.pid(&id))).unwrap();
        assert_eq!(seen.trim(), format!("{bit:08x}"), "{name}");
        lab.brig(&["delete", &id]).success();
    }
}

#[test]
fn the_program_has_the_flags() {
    let seen = lab().sh("cat /proc/self/personality; uname -r", |spec| {
        spec["linux"]["personality"] = json!({ "domain": "LINUX32", "flags": ["UNAME26", "ADDR_NO_RANDOMIZE"] });
    });
    let (found, release) = seen.split_once('\n').unwrap();
    assert_eq!(found, "00060008");
    assert!(release.starts_with("2.6."), "{release}");
}

#[test]
fn an_exec_has_it_too() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| {
        edit::user_namespace(spec);
        spec["linux"]["personality"] = json!({ "domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"] });
    });
    let id = lab.launch("exec");
    assert_eq!(lab.brig(&["exec", &id, "cat", "/proc/self/personality"]).success(), "00040008");
}

#[test]
fn what_is_unknown_is_named() {
    let lab = lab();
    for (value, text) in [
        (json!({ "domain": "LINUX64" }), "/linux/personality/domain: unknown domain"),
        (
            json!({ "domain": "LINUX", "flags": ["ADDR_COMPAT"] }),
            "/linux/personality/flags/0: unknown personality flag",
        ),
        (json!({ "flags": [] }), "/linux/personality/domain: is missing"),
    ] {
        lab.write(&["true"], |spec| spec["linux"]["personality"] = value.clone());
        let error = lab.run().failure();
        assert!(error.contains(text), "{error}");
        lab.assert_clean();
    }
}
