// SPDX-License-Identifier: Apache-2.0
//! `brig checkpoint`

use crate::exit_code::ExitCode;
use std::ffi::c_int;
use std::os::fd::AsFd;
use std::path::PathBuf;

use clap::Args;

use crate::arguments::Globals;
use crate::error::{Error, Result};
use crate::ffi::{self, CheckpointOptions, Wishes};
use crate::images;
use crate::log::Log;
use crate::signals::Signals;

#[derive(Args)]
pub struct Checkpoint {
    #[command(flatten)]
    images: images::Flags,
    /// The images of an earlier checkpoint, relative to --image-path: only what has changed since is written
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let the container run on
    #[arg(long)]
    leave_running: bool,
    /// Leave out TCP connections that are being made
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Link files again that are open but were removed
    #[arg(long)]
    link_remap: bool,
    /// Write one NUL byte to this file once pages can be fetched (--lazy-pages)
    #[arg(long, value_name = "FD")]
    status_fd: Option<c_int>,
    /// The page server that takes the memory; with --lazy-pages, where it is handed out
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<(String, u16)>,
    /// Only the memory, while the container runs on
    #[arg(long)]
    pre_dump: bool,
    /// The container
    id: String,
}

/// An address and a port; one of version 6 is in brackets.
fn page_server(text: &str) -> std::result::Result<(String, u16), String> {
    let (address, port) = text.rsplit_once(':').ok_or("it takes ADDRESS:PORT")?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{port} is not a port"))?;
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if address.is_empty() { Err("it has no address".into()) } else { Ok((address.to_owned(), port)) }
}

impl super::Run for Checkpoint {
    const NAME: &'static str = "checkpoint";
    const ABOUT: &'static str = "Write a container's processes to images";

    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        if let Some(fd) = self.status_fd.filter(|fd| *fd < 3 || !ffi::is_inherited(*fd)) {
            return Err(Error::refused(format!("--status-fd {fd}: it is not an open file from 3 on")));
        }
        let container = globals.runtime()?.container(&self.id)?;
        let signals = Signals::block()?;
        container.checkpoint(&CheckpointOptions {
            images: self.images.images(),
            work: self.images.work(),
            parent: self.parent_path.as_deref(),
            page_server: self.page_server.as_ref().map(|(address, port)| (address.as_str(), *port)),
            wishes: Wishes {
                leave_running: self.leave_running,
                pre_dump: self.pre_dump,
                tcp_skip_in_flight: self.tcp_skip_in_flight,
                link_remap: self.link_remap,
                ..self.images.wishes()
            },
            manage_cgroups: self.images.manage_cgroups(),
            empty_network: self.images.empty_network(),
            status_fd: self.status_fd,
            cancel: signals.as_fd(),
        })?;
        // As runc does it. What it was is in the images.
        if !self.leave_running
            && !self.pre_dump
            && let Err(error) = container.delete(false)
        {
            log.warning(&format!("cannot delete the container: {error}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::page_server;

    #[test]
    fn page_servers_have_a_port() {
        assert_eq!(page_server("127.0.0.1:27"), Ok(("127.0.0.1".into(), 27)));
        assert_eq!(page_server("[::1]:65535"), Ok(("::1".into(), 65535)));
        for wrong in ["127.0.0.1", ":27", "host:0", "host:65536", "host:x"] {
            assert!(page_server(wrong).is_err(), "{wrong}");
        }
    }
}
