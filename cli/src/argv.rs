// SPDX-License-Identifier: Apache-2.0
//! Long flags with one dash, as programs in Go take and send them: `-no-subreaper`, `-bundle=DIR`.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::arguments;

/// Gives every long flag its two dashes.
pub fn with_two_dashes(line: Vec<OsString>) -> Vec<OsString> {
    // To know all flags takes a while, so only those who need it wait for it.
    if !line.iter().skip(1).any(|argument| has_one_dash(argument)) {
        return line;
    }
    let mut command = arguments::command();
    command.build();
    rewrite(line, &command)
}

/// Whether it might be a long flag with one dash, as `-b` and `--bundle` cannot.
fn has_one_dash(argument: &OsStr) -> bool {
    matches!(argument.as_encoded_bytes(), [b'-', second, _, ..] if *second != b'-')
}

/// What an argument is to a command.
enum Kind {
    /// `--`: the end of flags.
    End,
    Positional,
    Flag {
        /// It is a long one, and has one dash.
        short_of_a_dash: bool,
        /// The next argument is its value.
        wants_value: bool,
    },
}

fn rewrite(line: Vec<OsString>, root: &Command) -> Vec<OsString> {
    let mut result = Vec::with_capacity(line.len());
    let mut rest = line.into_iter();
    result.extend(rest.next());
    let mut command = root;
    let mut positionals = 0;
    while let Some(argument) = rest.next() {
        match classify(&argument, command) {
            Kind::Flag { short_of_a_dash, wants_value } => {
                result.push(if short_of_a_dash { with_dash(&argument) } else { argument });
                result.extend(wants_value.then(|| rest.next()).flatten());
            }
            Kind::Positional => {
                let found = command.find_subcommand(&argument);
                result.push(argument);
                match found {
                    Some(subcommand) => command = subcommand,
                    None if takes_all_from_here(command, positionals) => break,
                    None => positionals += 1,
                }
            }
            Kind::End => {
                result.push(argument);
                break;
            }
        }
    }
    result.extend(rest);
    result
}

/// Whether flags end with the positional of this number. Some end with the first: `kill ID -x` asks for the signal "-x". In
/// `exec ID PROGRAM -x` all behind the program is its own.
fn takes_all_from_here(command: &Command, number: usize) -> bool {
    let is_program = |positional: &Arg| positional.is_trailing_var_arg_set();
    command.get_positionals().any(Arg::is_allow_hyphen_values_set)
        || command.get_positionals().nth(number).is_some_and(is_program)
}

fn classify(argument: &OsStr, command: &Command) -> Kind {
    let bytes = argument.as_encoded_bytes();
    match bytes {
        b"--" => return Kind::End,
        [b'-', _, ..] => {}
        _ => return Kind::Positional,
    }
    let two = bytes.starts_with(b"--");
    let body = &bytes[if two { 2 } else { 1 }..];
    let mut parts = body.splitn(2, |&byte| byte == b'=');
    let name = parts.next().unwrap_or_default();
    let long = (two || body.len() > 1).then(|| find_long(command, name)).flatten();
    match long {
        Some(flag) => Kind::Flag { short_of_a_dash: !two, wants_value: takes_value(flag) && parts.next().is_none() },
        None => Kind::Flag { short_of_a_dash: false, wants_value: !two && short_wants_value(command, body) },
    }
}

fn find_long<'a>(command: &'a Command, name: &[u8]) -> Option<&'a Arg> {
    command.get_arguments().find(|flag| flag.get_long().is_some_and(|long| long.as_bytes() == name))
}

/// Whether the last of one or more short flags waits for its value: `-b`, `-qf`, but not `-fjson`.
fn short_wants_value(command: &Command, letters: &[u8]) -> bool {
    let short = |letter: u8| command.get_arguments().find(move |flag| flag.get_short() == Some(char::from(letter)));
    let with_value = letters.iter().position(|&letter| short(letter).is_some_and(takes_value));
    with_value.is_some_and(|at| at + 1 == letters.len())
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

fn with_dash(argument: &OsStr) -> OsString {
    let mut dashed = OsString::from("-");
    dashed.push(argument);
    dashed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let line = line.split(' ').map(OsString::from).collect();
        assert_eq!(with_two_dashes(line).join(OsStr::new(" ")), expected);
    }

    #[test]
    fn long_flags_get_their_dash() {
        check("brig run -no-subreaper -bundle /b x", "brig run --no-subreaper --bundle /b x");
        check("brig run x -bundle=/b", "brig run x --bundle=/b");
        check("brig -root /r -debug state x", "brig --root /r --debug state x");
        check("brig -help", "brig --help");
        check("brig list -format=json", "brig list --format=json");
    }

    #[test]
    fn short_flags_stay() {
        check("brig list -qf json", "brig list -qf json");
        check("brig list -fjson -quiet", "brig list -fjson --quiet");
        check("brig create -b/b -pid-file p x", "brig create -b/b --pid-file p x");
    }

    #[test]
    fn values_stay() {
        check("brig create --bundle -debug x", "brig create --bundle -debug x");
        check("brig create -b -bundle -no-pivot x", "brig create -b -bundle --no-pivot x");
        check("brig -log -debug -debug state", "brig --log -debug --debug state");
        check("brig list -qf -quiet -quiet", "brig list -qf -quiet --quiet");
    }

    #[test]
    fn what_belongs_to_another_command_stays() {
        check("brig state -bundle x", "brig state -bundle x");
        check("brig create -systemd-cgroup x", "brig create -systemd-cgroup x");
        check("brig -bundle /b create x", "brig -bundle /b create x");
    }

    #[test]
    fn the_rest_stays() {
        check("brig create -- -bundle", "brig create -- -bundle");
        check("brig kill -all x TERM", "brig kill --all x TERM");
        check("brig kill x -all", "brig kill x -all");
        check("brig exec -tty x -detach sh -tty", "brig exec --tty x --detach sh -tty");
        check("brig ps x -format", "brig ps x -format");
        check("brig delete x - -force", "brig delete x - --force");
    }

    #[test]
    fn paths_are_bytes() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"-bundle=/\xff".to_vec());
        let line = with_two_dashes(vec!["brig".into(), "run".into(), odd]);
        assert_eq!(line[2], OsString::from_vec(b"--bundle=/\xff".to_vec()));
    }
}
