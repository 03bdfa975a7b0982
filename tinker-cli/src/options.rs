//! The options of the chosen command: those that it has, and those on the command line.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Long names of options, with the dashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) offered: Vec<String>,
    pub(crate) typed: Vec<String>,
    /// The typed arguments with their values.
    pub(crate) values: Vec<Typed>,
}

/// An argument on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// Its long name, or that of a positional argument, with underscores.
    pub(crate) key: String,
    /// Its values; `true` for a flag.
    pub(crate) values: Vec<OsString>,
}

impl Typed {
    /// The typed arguments of a command.
    pub(crate) fn all(line: &Command, matches: &ArgMatches) -> Vec<Self> {
        let typed = line.get_arguments().filter_map(|argument| {
            let id = argument.get_id().as_str();
            let is_typed = matches.try_contains_id(id).is_ok()
                && matches.value_source(id) == Some(ValueSource::CommandLine);
            let values = matches
                .try_get_raw(id)
                .ok()
                .flatten()
                .filter(|_| is_typed)?;
            Some(Self {
                key: argument.get_long().unwrap_or(id).replace('-', "_"),
                values: values.map(ToOwned::to_owned).collect(),
            })
        });
        typed.collect()
    }
}

impl Options {
    /// The options of the innermost subcommand.
    pub(crate) fn of(mut line: &Command, mut matches: &ArgMatches) -> Self {
        while let Some((name, inner)) = matches.subcommand() {
            let Some(found) = line.find_subcommand(name) else {
                break;
            };
            (line, matches) = (found, inner);
        }
        let mut options = Self::default();
        for argument in line.get_arguments() {
            let Some(name) = argument.get_long() else {
                continue;
            };
            let name = format!("--{name}");
            let id = argument.get_id().as_str();
            let is_known = matches.try_contains_id(id).is_ok();
            if is_known && matches.value_source(id) == Some(ValueSource::CommandLine) {
                options.typed.push(name.clone());
            }
            options.offered.push(name);
        }
        options.values = Typed::all(line, matches);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn typed_options_are_told_from_defaults() {
        let line = crate::args::Arguments::command();
        let words = ["tinker", "sample", "hi", "--temperature", "1.0", "-n", "2"];
        let matches = line.clone().try_get_matches_from(words).unwrap();
        let options = Options::of(&line, &matches);
        assert_eq!(options.typed, ["--temperature", "--num-samples"]);
        assert!(options.offered.contains(&"--top-p".to_owned()));
        let values = options.values.iter();
        let values = values.map(|typed| (typed.key.as_str(), &typed.values[..]));
        let expected = [
            ("prompt", "hi"),
            ("temperature", "1.0"),
            ("num_samples", "2"),
        ];
        for (key, value) in expected {
            assert!(
                values
                    .clone()
                    .any(|typed| typed == (key, &[value.into()][..])),
                "{key}"
            );
        }
    }
}
