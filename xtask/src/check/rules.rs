//! Every rule of the protocol has tests that exist, or a reason why there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;

use crate::rules::{Proof, RULES, Rule, Rules, Section};

/// The folder of recordings, their list of exceptions, and the list of those about the command.
const RECORDINGS: &str = "tests/fixtures/vectors";
const NOT_REPLAYED: &str = "tests/it/vectors/known/missing.rs";
const OF_THE_COMMAND: &str = "tinker-cli/tests/it/official.rs";

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let rules = Rules::read(root)?;
    let read = |file: &str| std::fs::read_to_string(root.join(file)).ok();
    let recordings = Recordings {
        not_replayed: read(NOT_REPLAYED).with_context(|| format!("cannot read {NOT_REPLAYED}"))?,
        of_the_command: read(OF_THE_COMMAND)
            .with_context(|| format!("cannot read {OF_THE_COMMAND}"))?,
    };
    let exists = |name: &str| root.join(RECORDINGS).join(format!("{name}.json")).is_file();
    let found = wrong(&rules, &read, &|name| exists(name) && recordings.has(name));
    faults.extend(found.into_iter().map(|fault| format!("{RULES}: {fault}")));
    Ok(())
}

/// Lists of recordings, as source texts.
struct Recordings {
    not_replayed: String,
    of_the_command: String,
}

impl Recordings {
    /// Whether a test replays this recording.
    fn has(&self, name: &str) -> bool {
        match name.strip_prefix("cli/") {
            Some(name) => self.of_the_command.contains(&format!("\"{name}\"")),
            None => !self.not_replayed.contains(&format!("\"{name}\"")),
        }
    }
}

/// Faults of the rules.
fn wrong(
    rules: &Rules,
    read: &dyn Fn(&str) -> Option<String>,
    is_replayed: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut files: BTreeMap<&str, Option<BTreeSet<String>>> = BTreeMap::new();
    for section in &rules.sections {
        check_ids(section, &mut faults);
    }
    for rule in rules.all() {
        check_form(rule, &mut faults);
        for test in &rule.tests {
            let is_there = match Proof::parse(test) {
                None => false,
                Some(Proof::Recording(name)) => is_replayed(name),
                Some(Proof::Function { file, name }) => files
                    .entry(file)
                    .or_insert_with(|| read(file).map(|text| tests_of(&text)))
                    .as_ref()
                    .is_some_and(|tests| tests.contains(name)),
            };
            if !is_there {
                faults.push(format!("{}: there is no test `{test}`", rule.id));
            }
        }
    }
    faults
}

fn check_ids(section: &Section, faults: &mut Vec<String>) {
    for (index, rule) in section.rules.iter().enumerate() {
        let expected = format!("{}-{}", section.number, index + 1);
        if rule.id != expected {
            faults.push(format!("{}: the id should be {expected}", rule.id));
        }
    }
}

fn check_form(rule: &Rule, faults: &mut Vec<String>) {
    let texts = [
        Some(&rule.statement),
        rule.instead.as_ref(),
        rule.untested.as_ref(),
    ];
    if texts.into_iter().flatten().any(|text| text.contains('|')) {
        faults.push(format!("{}: a `|` would end a cell of the table", rule.id));
    }
    if rule.tests.is_empty() != rule.untested.is_some() {
        faults.push(format!("{}: give either tests or untested", rule.id));
    }
}

/// The names of the test functions in a source text.
fn tests_of(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let line = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = line.strip_prefix("fn ")
            && let Some((name, _)) = rest.split_once('(')
            && std::mem::take(&mut is_test)
        {
            names.insert(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "#[test]\nfn a() {}\n#[tokio::test(start_paused = true)]\n#[expect(x)]\nasync fn b() {}\nfn c() {}\n";

    fn faults(rules: &str) -> anyhow::Result<Vec<String>> {
        let text = format!("[[section]]\nnumber = \"1\"\ntitle = \"T\"\nrules = [{rules}]");
        let read = |file: &str| (file == "x.rs").then(|| FILE.to_owned());
        Ok(wrong(&Rules::parse(&text)?, &read, &|name| name == "a/b"))
    }

    #[test]
    fn rules_with_their_tests_are_fine() -> anyhow::Result<()> {
        let fine = r#"
            { id = "1-1", rule = "r", tests = ["x.rs: a", "x.rs: b", "recording a/b"] },
            { id = "1-2", rule = "r", untested = "why" },
        "#;
        assert_eq!(faults(fine)?, [""; 0]);
        Ok(())
    }

    #[test]
    fn renamed_tests_and_wrong_ids_are_found() -> anyhow::Result<()> {
        let wrong = r#"
            { id = "1-2", rule = "r", tests = ["x.rs: c", "y.rs: a", "recording a/c", "a"] },
            { id = "1-2", rule = "a|b" },
        "#;
        assert_eq!(
            faults(wrong)?,
            [
                "1-2: the id should be 1-1",
                "1-2: there is no test `x.rs: c`",
                "1-2: there is no test `y.rs: a`",
                "1-2: there is no test `recording a/c`",
                "1-2: there is no test `a`",
                "1-2: a `|` would end a cell of the table",
                "1-2: give either tests or untested",
            ]
        );
        Ok(())
    }

    #[test]
    fn recordings_that_are_not_replayed_are_no_tests() {
        let recordings = Recordings {
            not_replayed: "(\"a/b\", LeftOut(\"..\"))".to_owned(),
            of_the_command: "(\"run_list\", &[\"run\"])".to_owned(),
        };
        let names = ["a/b", "a/c", "cli/run_list", "cli/other"];
        assert_eq!(
            names.map(|name| recordings.has(name)),
            [false, true, true, false]
        );
    }
}
