// SPDX-License-Identifier: Apache-2.0
//! What a container is over time.
#![allow(dead_code)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};

fn todo<T>() -> Result<T> {
    Err(Error::new(Kind::Unsupported, "not built yet"))
}

#[derive(Clone, Copy, Debug, Default)]
pub struct CreateOptions<'a> {
    pub bundle: Option<&'a Path>,
    pub spec: Option<&'a [u8]>,
    pub rootfs: Option<&'a Path>,
    pub rootfs_fd: Option<BorrowedFd<'a>>,
    pub stdio: Option<[i32; 3]>,
    pub fds: &'a [i32],
    pub no_pivot: bool,
    pub cancel: Option<BorrowedFd<'a>>,
}

pub struct Runtime {}

impl Runtime {
    pub fn open(_root: Option<&Path>) -> Result<Self> {
        todo()
    }
    pub fn list(&self) -> Result<String> {
        todo()
    }
}

pub struct Container {}

impl Container {
    pub fn create(_runtime: Arc<Runtime>, _id: &str, _options: &CreateOptions<'_>) -> Result<Self> {
        todo()
    }
    pub fn plan(_runtime: &Runtime, _id: &str, _options: &CreateOptions<'_>) -> Result<String> {
        todo()
    }
    pub fn open(_runtime: Arc<Runtime>, _id: &str) -> Result<Self> {
        todo()
    }
    pub fn start(&self) -> Result<()> {
        todo()
    }
    pub fn state(&self) -> Result<String> {
        todo()
    }
    pub fn signal(&self, _signal: i32, _all: bool) -> Result<()> {
        todo()
    }
    pub fn delete(&self, _force: bool) -> Result<()> {
        todo()
    }
    pub fn init(&self) -> Result<Process> {
        todo()
    }
    pub fn console(&self) -> Result<OwnedFd> {
        todo()
    }
}

pub enum Exit {
    Code(i32),
    Signal(i32),
}

pub struct Process {}

impl Process {
    pub fn pid(&self) -> i32 {
        0
    }
    pub fn pidfd(&self) -> Result<OwnedFd> {
        todo()
    }
    pub fn wait(&self, _timeout_ms: i32) -> Result<Exit> {
        todo()
    }
    pub fn signal(&self, _signal: i32) -> Result<()> {
        todo()
    }
}
