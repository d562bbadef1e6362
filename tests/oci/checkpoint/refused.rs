// SPDX-License-Identifier: Apache-2.0
//! What cannot be checkpointed or restored: refused with a reason, and nothing is changed or left.

use std::fs;

use crate::checkpoint::{COUNTER, Subject, criu, fetch};
use crate::common::skip;
use crate::edit;

/// Runs `arguments`, which must fail with all of `texts`.
#[track_caller]
fn fails(subject: &Subject, path: Option<&str>, arguments: &[&str], texts: &[&str]) {
    let mut command = subject.command(arguments);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let text = subject.lab.end(&mut command).failure();
    for expected in texts {
        assert!(text.contains(expected), "{arguments:?}: not {expected:?} in {text}");
    }
}

#[test]
fn a_container_that_does_not_run() {
    let subject = Subject::new(&COUNTER, edit::nothing);
    let id = subject.id.as_str();
    let images = subject.images("images");
    let checkpoint = ["checkpoint", "--image-path", &images, id];
    fails(&subject, None, &checkpoint, &["container does not exist"]);
    subject.lab.brig(&["create", id]).success();
    fails(&subject, None, &checkpoint, &["container not running: it is created"]);
    subject.lab.brig(&["start", id]).success();
    subject.lab.brig(&["pause", id]).success();
    fails(&subject, None, &checkpoint, &["container not running: it is paused"]);
    assert_eq!(subject.lab.state(id)["status"], "paused");
    subject.lab.brig(&["resume", id]).success();
    subject.lab.brig(&["kill", id, "KILL"]).success();
    subject.lab.await_status(id, "stopped");
    fails(&subject, None, &checkpoint, &["container not running"]);
    assert!(!fs::exists(&images).unwrap());
}

#[test]
fn without_a_criu_that_works() {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    let id = subject.id.as_str();
    let images = subject.images("images");
    let checkpoint = ["checkpoint", "--image-path", &images, id];
    if fs::exists("/usr/sbin/criu").unwrap() {
        skip("criu is installed where it is found without PATH: none is missing");
    } else {
        fails(&subject, Some("/bin"), &checkpoint, &["criu: not found in $PATH; version ", " or newer is needed"]);
    }
    if criu().is_empty() {
        skip("this machine's own criu works: no older one is tried");
    } else {
        let old = format!("{}:/bin:/usr/bin", fetch(&["target/criu-bookworm", "bookworm"]));
        fails(&subject, Some(&old), &checkpoint, &["is version 3.17.1, but Linux ", " needs 4.1 or newer"]);
    }
    subject.counts_on();
    // A program of this name that is no CRIU at all.
    let other = subject.lab.path.join("other");
    fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink("/bin/true", other.join("criu")).unwrap();
    fails(&subject, other.to_str(), &checkpoint, &["criu ended without an answer"]);
    subject.counts_on();
    assert_eq!(subject.lab.state(id)["status"], "running");
}

#[test]
fn images_that_are_none() {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    let lab = &subject.lab;
    subject.checkpoint("images", &[]).success();
    let restored = lab.id("restored");
    let images = subject.images("images");
    let refused = |images: &str, texts: &[&str]| {
        fails(&subject, None, &["restore", "--detach", "--image-path", images, &restored], texts);
        lab.assert_clean();
    };
    refused("/no/such", &["image directory: cannot open /no/such: No such file or directory"]);
    refused("/etc/passwd", &["image directory: cannot open /etc/passwd: Not a directory"]);
    refused(&subject.images("log"), &["image directory: it has no inventory.img"]);

    let damaged = |name: &str, damage: &dyn Fn(&str)| {
        let copy = subject.images(name);
        let copied = std::process::Command::new("cp").args(["-a", &images, &copy]).status();
        assert!(copied.unwrap().success());
        damage(&copy);
        copy
    };
    let cut = |path: String, length: u64| fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
    let copy = damaged("short", &|copy| cut(format!("{copy}/inventory.img"), 20));
    refused(&copy, &["inventory.img is truncated"]);
    let copy = damaged("no-processes", &|copy| fs::remove_file(format!("{copy}/pstree.img")).unwrap());
    refused(&copy, &["it has no pstree.img"]);
    let copy = damaged("pages", &|copy| {
        for entry in fs::read_dir(copy).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("pages-") {
                cut(entry.path().to_str().unwrap().to_owned(), 0);
            }
        }
    });
    refused(&copy, &["image directory: pages-", ".img is truncated"]);
    let copy = damaged("core", &|copy| cut(format!("{copy}/core-1.img"), 20));
    refused(&copy, &["criu cannot restore the container: ", "; see ", "/core/restore.log"]);
    let copy = damaged("text", &|copy| fs::write(format!("{copy}/brig.json"), "{").unwrap());
    refused(&copy, &["image directory: cannot read brig.json"]);

    // It is whole, but of a container with one more mount, or another namespace.
    lab.write(&COUNTER, edit::nothing);
    refused(
        &images,
        &["image directory: it is of the container", "has a mount at /log that config.json does not have"],
    );
    let log = subject.images("log");
    lab.write(&COUNTER, |spec| {
        edit::mount(spec, "/log", "bind", &log, &["bind"]);
        edit::remove_namespace(spec, "network");
    });
    refused(&images, &["it is of the container", "which has other namespaces than config.json says"]);
    lab.write(&COUNTER, |spec| edit::mount(spec, "/log", "bind", "/no/such", &["bind"]));
    refused(&images, &["/mounts/7/source", "/no/such"]);
}

#[test]
fn flags_that_make_no_sense() {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    let id = subject.id.as_str();
    let images = subject.images("images");
    for (flags, texts) in [
        (&["--parent-path", "/tmp"][..], &["parent path: /tmp: it must be relative"][..]),
        (&["--parent-path", "../none"], &["parent path: ../none: No such file or directory"]),
        (&["--page-server", "here"], &["invalid value for --page-server: here: it takes ADDRESS:PORT"]),
        (&["--status-fd", "77"], &["--status-fd 77: it is not an open file"]),
        (&["--manage-cgroups-mode", "odd"], &["odd, not one of soft, full, strict, ignore"]),
        (&["--empty-ns", "uts"], &["uts, not one of network"]),
        (&["--lazy-pages"], &["page_server: is needed"]),
    ] {
        let arguments = [&["checkpoint", "--image-path", &images], flags, &[id]].concat();
        fails(&subject, None, &arguments, texts);
    }
    fails(&subject, None, &["restore", "--lsm-mount-context"], &["flag needs an argument: --lsm-mount-context"]);
    for command in ["checkpoint", "restore"] {
        assert!(subject.lab.brig(&[command, "--help"]).success().contains("--image-path"));
    }
    subject.counts_on();
}

#[test]
fn a_terminal_outside() {
    let subject = Subject::new(&COUNTER, edit::nothing);
    let pair = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&pair).unwrap();
    rustix::pty::unlockpt(&pair).unwrap();
    let name = rustix::pty::ptsname(&pair, Vec::new()).unwrap();
    let terminal = fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut run = subject.lab.command(&["run", "--detach", &subject.id]);
    assert!(run.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).status().unwrap().success());
    let text = subject.checkpoint("images", &[]).failure();
    assert!(text.contains("its descriptor 0 is /dev/pts/") && text.contains("--shell-job"), "{text}");
    subject.counts_on();
}

#[test]
fn a_feature_that_is_missing() {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    let done = subject.checkpoint("images", &["--pre-dump"]);
    if done.code() == Some(0) {
        skip("this kernel tracks changes of memory: nothing is missing");
    } else {
        let text = done.failure();
        let expected =
            "pre-dump: this kernel does not track changes of memory (soft-dirty bits, CONFIG_MEM_SOFT_DIRTY)";
        assert!(text.contains(expected), "{text}");
    }
    subject.counts_on();
}
