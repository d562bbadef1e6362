// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a command line, in one line: clap explains it in several.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;

/// As [`explain`], for those who return errors.
pub fn refused(error: &clap::Error) -> Error {
    Error::refused(explain(error))
}

/// One line for a log.
pub fn explain(error: &clap::Error) -> String {
    let argument = text(error, ContextKind::InvalidArg);
    // Clap names a flag with its value: "--log <FILE>".
    let flag = argument.split([' ', '=']).next().unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => format!("unknown flag: {flag}"),
        ErrorKind::UnknownArgument => format!("unexpected argument: {argument}"),
        ErrorKind::InvalidSubcommand => format!("unknown command: {}", text(error, ContextKind::InvalidSubcommand)),
        ErrorKind::MissingRequiredArgument => format!("missing argument: {argument}"),
        // podman looks for these very words to learn that a flag is known.
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {flag}"),
        ErrorKind::InvalidValue => {
            format!("invalid value for {flag}: {value}, not one of {}", text(error, ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|why| format!(": {why}")).unwrap_or_default();
            format!("invalid value for {flag}: {value}{why}")
        }
        _ => first_line(error),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

fn first_line(error: &clap::Error) -> String {
    let all = error.to_string();
    let line = all.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use crate::arguments;

    fn explained(line: &str) -> String {
        super::explain(&arguments::command().try_get_matches_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn each_is_one_clear_line() {
        for (line, text) in [
            ("brig nosuch", "unknown command: nosuch"),
            ("brig --nosuch state x", "unknown flag: --nosuch"),
            ("brig state --nosuch=1 x", "unknown flag: --nosuch"),
            ("brig state -9 x", "unknown flag: -9"),
            ("brig state", "missing argument: <ID>"),
            ("brig state x y", "unexpected argument: y"),
            ("brig create --bundle", "flag needs an argument: --bundle"),
            ("brig --log-format xml state x", "invalid value for --log-format: xml, not one of text, json"),
            ("brig --log-format", "flag needs an argument: --log-format"),
            (
                "brig create --preserve-fds many x",
                "invalid value for --preserve-fds: many: invalid digit found in string",
            ),
            (
                "brig events --interval 0s x",
                "invalid value for --interval: 0s: duration interval must be greater than 0",
            ),
            ("brig --debug=maybe state x", "unexpected value 'maybe' for '--debug' found; no more were expected"),
        ] {
            assert_eq!(explained(line), text, "{line}");
        }
    }
}
