//! Each wire fact is written once: routes, header names and stream events stand in `tinker-types` only.

use std::collections::BTreeSet;
use std::path::Path;

use crate::code::{COMMAND, Krate, LIBRARIES, Source};

/// The crate that holds them.
const HOME: &str = "tinker-types";

/// Header names of the protocol begin with it.
const HEADER_PREFIX: &str = "x-tinker-";

/// Routes and event names that are words with other uses.
const WORDS: [&str; 9] = [
    "accepted",
    "audit",
    "checkpoints",
    "done",
    "error",
    "forward",
    "sessions",
    "telemetry",
    "tokens",
];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let home = Krate::read(root, &format!("{HOME}/src/lib.rs"))?;
    let mut facts = BTreeSet::new();
    for source in &home.files {
        collect(source, &mut facts);
    }
    anyhow::ensure!(!facts.is_empty(), "{HOME} defines no routes");
    for name in LIBRARIES.into_iter().chain([COMMAND]) {
        let roots = ["lib", "main"].map(|stem| format!("{name}/src/{stem}.rs"));
        let file = roots.iter().find(|file| root.join(file).is_file());
        if let Some(file) = file.filter(|_| name != HOME) {
            for source in &Krate::read(root, file)?.files {
                check_file(source, &facts, faults);
            }
        }
    }
    Ok(())
}

/// The values of constants in `wire`, of `ROUTE` anywhere, and the routes given to `endpoint!`.
fn collect(source: &Source, facts: &mut BTreeSet<String>) {
    let in_wire = source.name.contains("/wire/");
    let tokens = source.code_tokens();
    let mut last = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if let Some(text) = token.string() {
            let is_fact = last == "const" && in_wire || last == "ROUTE" || last == "endpoint!";
            if is_fact && text.len() > 1 && !WORDS.contains(&text.as_str()) {
                facts.insert(text);
            }
            // The first text of `endpoint!` is the route; a name and query parameters may follow.
            last.clear();
        }
        let next = tokens.get(at + 1).map_or("", |next| next.text.as_str());
        match token.text.as_str() {
            "ROUTE" => "ROUTE".clone_into(&mut last),
            "const" => "const".clone_into(&mut last),
            "endpoint" if next == "!" => "endpoint!".clone_into(&mut last),
            ";" => last.clear(),
            _ => {}
        }
    }
}

fn check_file(source: &Source, facts: &BTreeSet<String>, faults: &mut Vec<String>) {
    for token in source.code_tokens() {
        let Some(text) = token.string() else { continue };
        let is_event = text.starts_with("event: ");
        if facts.contains(&text) || text.starts_with(HEADER_PREFIX) || is_event {
            let (file, line) = (&source.name, token.line);
            faults.push(format!(
                "{file}:{line}: {text:?} is a wire fact; use the constant of tinker_types::wire"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_fact_in_a_second_crate_is_refused() -> anyhow::Result<()> {
        let home = Source::parse(
            "tinker-types/src/wire/route.rs",
            "pub const A: &str = \"traces/{id}\"; const B: u8 = 1; fn f() { g(\"not/a/fact\") }\n\
             impl E for A { const NAME: &'static str = \"tokens\"; const ROUTE: &'static str = \"auth/token\"; }\n\
             endpoint!(A => B, Get \"create_model\" as \"a_name\", query(x) \"limit_to\");"
                .to_owned(),
        )?;
        let mut facts = BTreeSet::new();
        collect(&home, &mut facts);
        let expected = ["auth/token", "create_model", "traces/{id}"];
        assert_eq!(facts, BTreeSet::from(expected.map(str::to_owned)));

        let other = Source::parse(
            "tinker-local/src/a.rs",
            "fn f() { g(\"create_model\", \"x-tinker-a\", \"model\", \"event: done\\n\") }\n\
             #[cfg(test)] mod tests { const R: &str = \"auth/token\"; }"
                .to_owned(),
        )?;
        let mut faults = Vec::new();
        check_file(&other, &facts, &mut faults);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(
            faults[0],
            "tinker-local/src/a.rs:1: \"create_model\" is a wire fact; use the constant of tinker_types::wire"
        );
        Ok(())
    }
}
