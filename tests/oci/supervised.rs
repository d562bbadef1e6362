// SPDX-License-Identifier: Apache-2.0
//! A create with a supervisor, as a command: this very program, since `brig` has no flag for that.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::ptr::{null, null_mut};

use crate::common::Lab;

const ROOT: &str = "BRIG_TEST_ROOT";
const BUNDLE: &str = "BRIG_TEST_BUNDLE";
const ID: &str = "BRIG_TEST_ID";

/// A command that creates the container `id` of the laboratory's bundle, and exits with 1 and a line of text if it cannot.
pub fn create(lab: &Lab, id: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "supervised::creator"]);
    command.env(ROOT, lab.path.join("state")).env(BUNDLE, lab.bundle()).env(ID, id);
    command
}

#[test]
#[ignore = "the other side of `create`"]
fn creator() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let string = |text: &OsStr| CString::new(text.as_bytes()).unwrap();
    let variable = |name| string(&std::env::var_os(name).unwrap());
    let (root, bundle, id) = (string(&root), variable(BUNDLE), variable(ID));
    let (mut runtime, mut container, mut error) = (null_mut(), null_mut(), null_mut());
    let options = brig::brig_create_options {
        size: size_of::<brig::brig_create_options>(),
        bundle: bundle.as_ptr(),
        spec: null(),
        rootfs: null(),
        stdio: [-1; 3].as_ptr(),
        fds: null(),
        fd_count: 0,
        flags: brig::BRIG_CREATE_SUPERVISED,
        rootfs_fd: 0,
        cancel_fd: 0,
    };
    // SAFETY: strings and places that live for the calls, and handles that these gave.
    unsafe {
        assert_eq!(brig::brig_runtime_open(root.as_ptr(), &mut runtime, &mut error), brig::brig_status::BRIG_OK);
        let status = brig::brig_container_create(runtime, id.as_ptr(), &options, &mut container, &mut error);
        if status != brig::brig_status::BRIG_OK {
            eprintln!("{}", CStr::from_ptr(brig::brig_error_message(error)).to_string_lossy());
            std::process::exit(1);
        }
        brig::brig_container_unref(container);
        brig::brig_runtime_unref(runtime);
    }
}
