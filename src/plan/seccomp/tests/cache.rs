// SPDX-License-Identifier: Apache-2.0
//! The cache: found again, never trusted too much, never in the way.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use oci_spec::runtime::LinuxSeccomp;
use serde_json::json;

use super::super::{cache, compile, known};
use super::section;

/// A directory that goes with its owner.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brig-seccomp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Not yet made.
    fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::set_permissions(self.cache(), fs::Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A section that no other test has.
fn numbered(number: u64) -> LinuxSeccomp {
    section(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["ioctl"], "action": "SCMP_ACT_ERRNO",
            "args": [{ "index": 1, "value": number, "op": "SCMP_CMP_EQ" }] }],
    }))
}

fn text(seccomp: &LinuxSeccomp) -> String {
    serde_json::to_string(seccomp).unwrap()
}

/// Looks into the directory only, and tells whether it was a hit.
fn through(directory: &Path, seccomp: &LinuxSeccomp) -> (Vec<u8>, bool) {
    let mut hit = true;
    let compiled = cache::from_directory(directory, text(seccomp).as_bytes(), || {
        hit = false;
        Ok((7, compile::program(seccomp)?))
    });
    let (flags, program) = compiled.unwrap();
    assert_eq!(flags, 7);
    (program, hit)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn one_that_notifies_is_compiled_once_whoever_is_told() {
    let place = Directory::new();
    let mut json = serde_json::to_value(numbered(6500)).unwrap();
    json["syscalls"][0]["action"] = json!("SCMP_ACT_NOTIFY");
    let mut programs = Vec::new();
    for (flags, path) in [(json!([]), "/run/x"), (json!(["SECCOMP_FILTER_FLAG_LOG"]), "/run/y")] {
        json["flags"] = flags;
        json["listenerPath"] = json!(path);
        let text = json.to_string();
        let filter = compile(&section(json.clone()), &text, Some(&place.cache())).unwrap().unwrap();
        assert_eq!(filter.listener.unwrap().path.as_deref(), Some(Path::new(path)));
        assert_eq!(known(&text, Some(&place.cache())), None);
        programs.push((filter.flags, filter.program));
    }
    assert_eq!((programs[0].0, programs[1].0), (0, libc::SECCOMP_FILTER_FLAG_LOG as u32));
    assert_eq!(programs[0].1, programs[1].1);
    assert_eq!(files(&place.cache()).len(), 1);
}

#[test]
fn a_second_time_nothing_is_compiled() {
    let place = Directory::new();
    let (first, second) = (numbered(1000), numbered(1001));
    let (program, hit) = through(&place.cache(), &first);
    assert!(!hit);
    assert_eq!(through(&place.cache(), &first), (program.clone(), true));
    let (other, hit) = through(&place.cache(), &second);
    assert!(!hit && other != program);
    assert_eq!(fs::metadata(place.cache()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&place.cache()).len(), 2);
}

#[test]
fn in_memory_a_directory_is_not_needed() {
    let seccomp = numbered(2000);
    let text = text(&seccomp);
    assert_eq!(known(&text, None), None);
    let compiled = compile(&seccomp, &text, None).unwrap();
    assert_eq!(known(&text, None), compiled);
    // By its text alone.
    assert_eq!(compile(&numbered(2001), &text, None).unwrap(), compiled);
    assert_eq!(known(&(text.clone() + " "), None), None);
    for told in ["SCMP_ACT_NOTIFY", "\\u0053CMP_ACT_NOTIFY"] {
        let text = text.replacen('{', &format!("{{\"x\":\"{told}\","), 1);
        assert_eq!(compile(&seccomp, &text, None).unwrap(), compiled);
        assert_eq!(known(&text, None), None, "{told}");
    }
}

#[test]
fn what_is_known_is_what_was_compiled() {
    let place = Directory::new();
    let mut json = serde_json::to_value(numbered(2100)).unwrap();
    for (flags, expected) in [(json!([]), 0), (json!(["SECCOMP_FILTER_FLAG_LOG"]), libc::SECCOMP_FILTER_FLAG_LOG)] {
        json["flags"] = flags;
        let (seccomp, text) = (section(json.clone()), json.to_string());
        assert_eq!(known(&text, Some(&place.cache())), None);
        let compiled = compile(&seccomp, &text, Some(&place.cache())).unwrap().unwrap();
        assert_eq!(compiled.flags, expected as u32);
        // Of the directory alone, too.
        let file = cache::from_directory(&place.cache(), &super::super::source(&text), || panic!("it is there"));
        assert_eq!(file.unwrap(), (compiled.flags, compiled.program.clone()));
        assert_eq!(known(&text, None), Some(compiled));
    }
}

#[test]
fn a_file_of_another_source_is_not_used() {
    let place = Directory::new();
    let (one, two) = (numbered(2200), numbered(2201));
    through(&place.cache(), &one);
    let first = files(&place.cache()).remove(0);
    let (program, _) = through(&place.cache(), &two);
    let second = files(&place.cache()).into_iter().find(|file| *file != first).unwrap();
    fs::copy(&first, &second).unwrap();
    assert_eq!(through(&place.cache(), &two), (program.clone(), false));
    assert_eq!(through(&place.cache(), &two), (program, true));
}

#[test]
fn what_is_damaged_is_made_anew() {
    let place = Directory::new();
    let seccomp = numbered(3000);
    let (program, _) = through(&place.cache(), &seccomp);
    let file = files(&place.cache()).remove(0);
    let good = fs::read(&file).unwrap();
    let mut damages = vec![Vec::new(), good[..7].to_vec(), good[..40].to_vec(), good[..good.len() - 8].to_vec()];
    damages.push([&good[..], b"12345678"].concat());
    damages.push(vec![0; 1 << 20]);
    for at in [0, 7, 8, 39, 40, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        damages.push(bytes);
    }
    for bytes in damages {
        fs::write(&file, &bytes).unwrap();
        assert_eq!(through(&place.cache(), &seccomp), (program.clone(), false), "{} bytes", bytes.len());
        assert_eq!(fs::read(&file).unwrap(), good);
        assert_eq!(through(&place.cache(), &seccomp), (program.clone(), true));
    }
}

#[test]
fn what_others_could_have_written_is_made_anew() {
    let place = Directory::new();
    let seccomp = numbered(4000);
    let (program, _) = through(&place.cache(), &seccomp);
    let file = files(&place.cache()).remove(0);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(through(&place.cache(), &seccomp), (program.clone(), false), "{mode:o}");
        assert_eq!(through(&place.cache(), &seccomp), (program.clone(), true), "{mode:o}");
    }
    // A link, even to a good file.
    let elsewhere = place.0.join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(through(&place.cache(), &seccomp), (program.clone(), false));
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    // A directory that others can write to is not used at all.
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(through(&place.cache(), &seccomp), (program, false));
}

#[test]
fn without_a_usable_directory_it_works_as_well() {
    let place = Directory::new();
    let seccomp = numbered(5000);
    fs::write(place.cache(), "a file").unwrap();
    let (program, hit) = through(&place.cache(), &seccomp);
    assert!(!hit && !program.is_empty());
    assert!(!through(Path::new("/proc/brig/cache"), &seccomp).1);
}

#[test]
fn a_directory_does_not_grow_for_ever() {
    let place = Directory::new();
    fs::create_dir(place.cache()).unwrap();
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o700)).unwrap();
    let foreign = place.cache().join("README");
    fs::write(&foreign, "not ours").unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH;
    fs::File::options().write(true).open(&foreign).unwrap().set_modified(old).unwrap();
    for number in 0..80 {
        let text = text(&numbered(6000 + number));
        cache::from_directory(&place.cache(), text.as_bytes(), || Ok((7, vec![0; 8]))).unwrap();
    }
    assert_eq!(files(&place.cache()).len(), 65);
    assert!(foreign.exists());
    assert!(through(&place.cache(), &numbered(6079)).1);
    assert!(!through(&place.cache(), &numbered(6000)).1);
}
