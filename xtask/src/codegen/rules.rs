//! The page of the rules of the protocol.

use std::fmt::Write as _;

use crate::output::{CODEGEN, Mode, workspace_root};
use crate::rules::{RULES, Rule, Rules};

const PAGE: &str = "docs/protocol-rules.md";

pub(super) fn run(mode: Mode) -> anyhow::Result<()> {
    let rules = Rules::read(&workspace_root())?;
    mode.apply(PAGE, &page(&rules)?, CODEGEN)
}

fn page(rules: &Rules) -> Result<String, std::fmt::Error> {
    let count = |is_counted: fn(&Rule) -> bool| rules.all().filter(|rule| is_counted(rule)).count();
    let all = count(|_| true);
    let untested = count(|rule| rule.untested.is_some());
    let different = count(|rule| rule.instead.is_some());
    let mut page = format!(
        "# Rules of the protocol\n\n\
         <!-- Generated from {RULES} by `cargo xtask {CODEGEN}`. -->\n\n\
         What a client or a server of the Tinker API must or may do, rule by rule, with the tests that fail if the rule is\n\
         broken. `cargo xtask check` finds a rule whose test does not exist. There are {all} rules: {} with tests, of which\n\
         {different} have tests of a different behaviour that this project chose ([list](#different-on-purpose)), and\n\
         {untested} without a test ([list](#not-tested)).\n\n\
         A `recording` is an exchange of the official client in `tests/fixtures/vectors`. The test `every_recorded_vector`\n\
         (`tests/it/vectors/suite.rs`) replays it with this project's client and compares requests, their order, headers with\n\
         a meaning, waits, results and log lines; recordings of the official command are compared in\n\
         `tinker-cli/tests/it/official.rs`.\n\n\
         The sections 15, 17 and 19 have no rows: the methods of the Python client are in [from Python](book/python.md), its\n\
         constants are at the rules that use them, and other servers are in [servers](servers.md).\n",
        all - untested,
    );
    for section in &rules.sections {
        writeln!(page, "\n## {} {}\n", section.number, section.title)?;
        page += "| id | rule | tests |\n|---|---|---|\n";
        for rule in &section.rules {
            writeln!(
                page,
                "| {} | {} | {} |",
                rule.id,
                statement(rule),
                proofs(rule)
            )?;
        }
    }
    page += "\n## Different on purpose\n\n";
    let reasons = rules
        .all()
        .filter_map(|rule| Some((rule, rule.instead.as_ref()?)));
    list(&mut page, reasons)?;
    page += "\n## Not tested\n\n";
    let reasons = rules
        .all()
        .filter_map(|rule| Some((rule, rule.untested.as_ref()?)));
    list(&mut page, reasons)?;
    Ok(page)
}

fn statement(rule: &Rule) -> String {
    match &rule.instead {
        Some(instead) => format!("{} *Here:* {instead}", rule.statement),
        None => rule.statement.clone(),
    }
}

fn proofs(rule: &Rule) -> String {
    if rule.tests.is_empty() {
        return "[none](#not-tested)".to_owned();
    }
    let tests: Vec<String> = rule.tests.iter().map(|test| format!("`{test}`")).collect();
    tests.join("<br>")
}

fn list<'a>(
    page: &mut String,
    reasons: impl Iterator<Item = (&'a Rule, &'a String)>,
) -> std::fmt::Result {
    for (rule, reason) in reasons {
        writeln!(page, "- **{}** {} *{reason}*", rule.id, rule.statement)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() -> anyhow::Result<()> {
        run(Mode::Check)
    }

    #[test]
    fn every_rule_is_on_the_page_with_its_tests_or_reason() -> anyhow::Result<()> {
        let rules = Rules::parse(
            r#"
            [[section]]
            number = "1"
            title = "First"
            rules = [
                { id = "1-1", rule = "One.", tests = ["x.rs: a", "recording b/c"] },
                { id = "1-2", rule = "Two.", tests = ["x.rs: b"], instead = "Other." },
                { id = "1-3", rule = "Three.", untested = "Why." },
            ]"#,
        )?;
        let page = page(&rules)?;
        for line in [
            "There are 3 rules: 2 with tests",
            "## 1 First",
            "| 1-1 | One. | `x.rs: a`<br>`recording b/c` |",
            "| 1-2 | Two. *Here:* Other. | `x.rs: b` |",
            "| 1-3 | Three. | [none](#not-tested) |",
            "- **1-2** Two. *Other.*",
            "- **1-3** Three. *Why.*",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        Ok(())
    }
}
