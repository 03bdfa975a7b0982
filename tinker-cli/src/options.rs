//! The options of the chosen command: those that it has, and those on the command line.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Long names of options, with the dashes.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) offered: Vec<String>,
    pub(crate) typed: Vec<String>,
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
    }
}
