// SPDX-License-Identifier: Apache-2.0
//! Signals by name and number.

use std::ffi::c_int;
use std::str::FromStr;

use nix::sys::signal::Signal;

use crate::error::{Error, Result};

// The first two real-time signals are the C library's own, so these are what programs call RTMIN and RTMAX.
const RTMIN: c_int = 34;
const RTMAX: c_int = 64;

/// Second names for signals.
const ALIASES: [(&str, Signal); 4] =
    [("CLD", Signal::SIGCHLD), ("IOT", Signal::SIGABRT), ("POLL", Signal::SIGIO), ("UNUSED", Signal::SIGSYS)];

/// `TERM`, `SIGTERM`, `15`, `RTMIN+3`; case does not matter. 0 is the signal that only asks.
pub fn parse(text: &str) -> Result<c_int> {
    number(text).ok_or_else(|| Error::refused(format!("unknown signal: {text}")))
}

fn number(text: &str) -> Option<c_int> {
    if let Ok(number) = text.parse() {
        return (0..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, signal)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(*signal as c_int);
    }
    match Signal::from_str(&format!("SIG{name}")) {
        Ok(signal) => Some(signal as c_int),
        Err(_) => real_time(name),
    }
}

fn real_time(name: &str) -> Option<c_int> {
    let (base, offset) = match name.split_at_checked("RTMIN".len())? {
        ("RTMIN", offset) => (RTMIN, offset),
        ("RTMAX", offset) => (RTMAX, offset),
        _ => return None,
    };
    let offset: c_int = match offset {
        "" => 0,
        // The sign is part of it: RTMIN5 is nobody's name.
        signed if signed.starts_with(['+', '-']) => signed.parse().ok()?,
        _ => return None,
    };
    base.checked_add(offset).filter(|number| (RTMIN..=RTMAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigkill", 9),
            ("9", 9),
            ("0", 0),
            ("64", 64),
            ("IOT", 6),
            ("SIGCLD", 17),
            ("WINCH", 28),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
        ] {
            assert_eq!(parse(text).ok(), Some(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_signal() {
        for text in ["", "SIG", "-9", "65", "NOPE", "SIGSIGTERM", "RTMIN5", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+"]
        {
            let message = parse(text).unwrap_err().to_string();
            assert_eq!(message, format!("unknown signal: {text}"));
        }
    }
}
