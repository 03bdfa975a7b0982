//! Words: comments and documents in plain English, one meaning for each name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::code::{COMMAND, Krate, LIBRARIES, Source, rust_files};

/// Phrases that no comment and no document holds, with what to write instead.
const PHRASES: [(&[&str], &str); 7] = [
    (
        &[
            concat!("one", "'s own"),
            concat!("of ", "one's"),
            concat!("of ", "theirs"),
        ],
        "name the owner, or write `custom`",
    ),
    (
        &[concat!("is ", "told"), concat!("are ", "told")],
        "name who sends what: `receives`, `is notified`",
    ),
    (
        &[
            concat!("there ", "is not"),
            concat!("there ", "are not"),
            concat!("is not ", "there"),
        ],
        "`does not exist`, `is missing`",
    ),
    (
        &[concat!("for ", "ever")],
        "`forever`, `repeatedly`, `without a limit`",
    ),
    (
        &[concat!("those ", "who")],
        "a noun: `observers`, `callers`",
    ),
    (&[concat!("way ", "forth")], "`forward pass`"),
    (&[concat!("has to ", "say")], "`reports`, `contains`"),
];

/// Folders whose Rust files and documents are read.
const FOLDERS: [&str; 7] = [
    "xtask",
    "tests",
    "cost",
    "fuzz",
    "docs",
    "docs/book",
    "examples",
];

/// Names that were given up in some crates: types and traits, then functions, constants and modules.
const GIVEN_UP: &[(&[&str], &[&str])] = &[
    (
        &["tinker-client"],
        &[
            "Board", "Notice", "Line", "Place", "News", "Link", "Source", "Core", "Course",
            "Patience", "Guest", "farewell",
        ],
    ),
    (
        &["tinker-local", "tinker-engine"],
        &[
            "Frozen",
            "Team",
            "Desk",
            "Crew",
            "Lane",
            "Hands",
            "LOOKS",
            "freeze",
            "thaw",
            "heap",
            "weigh",
            "turn_heads",
        ],
    ),
    (
        &["tinker-local"],
        &[
            "Act", "Begin", "Fulfil", "Turn", "Trouble", "Base", "Output",
        ],
    ),
    (&["tinker-engine"], &["turn"]),
    (
        &["tinker-cli"],
        &[
            "Look", "Talk", "say", "tell", "note", "words", "Place", "Target", "End", "Choice",
            "Wishes", "Flying", "complain",
        ],
    ),
    (&["tinker-types"], &["Problem", "FinishWord", "OpenFamily"]),
    (&["tinker-transport"], &["Trouble"]),
];

/// Type names with one definition at most in all of the libraries and the command.
const ONE_MEANING: [&str; 8] = [
    "Place",
    "Turn",
    "Held",
    "Waiting",
    "Event",
    "SampleEvent",
    "ModelInfo",
    "Fault",
];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for folder in LIBRARIES.into_iter().chain([COMMAND]).chain(FOLDERS) {
        for file in rust_files(root, folder)? {
            check_comments(&file, &Source::read(root, &file)?.comments(), faults);
        }
    }
    for file in documents(root)? {
        let text = std::fs::read_to_string(&file)?;
        let lines = text.lines().enumerate();
        let lines: Vec<_> = lines.map(|(at, line)| (at + 1, line.to_owned())).collect();
        let name = file.strip_prefix(root).unwrap_or(&file);
        check_comments(&name.display().to_string(), &lines, faults);
    }
    let mut places = BTreeMap::new();
    for name in LIBRARIES.into_iter().chain([COMMAND]) {
        let roots = ["lib", "main"].map(|stem| format!("{name}/src/{stem}.rs"));
        if let Some(file) = roots.iter().find(|file| root.join(file).is_file()) {
            for source in &Krate::read(root, file)?.files {
                let definitions = definitions(source)?;
                check_names(name, source, &definitions, faults);
                collect_types(source, &definitions, &mut places);
            }
        }
    }
    check_meanings(&places, faults);
    Ok(())
}

fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let folders = LIBRARIES.into_iter().chain([COMMAND]).chain(FOLDERS);
    for folder in folders.map(|folder| root.join(folder)).chain([root.into()]) {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn check_comments(name: &str, lines: &[(usize, String)], faults: &mut Vec<String>) {
    let mut last = (0, "");
    for (line, text) in lines {
        let (mark, words) = split(text);
        let lower = words.to_lowercase();
        for (phrases, instead) in PHRASES {
            for phrase in phrases.iter().filter(|phrase| holds(&lower, phrase)) {
                faults.push(format!("{name}:{line}: `{phrase}`; say {instead}"));
            }
        }
        let begins = last != (line - 1, mark);
        if begins && matches!(mark, "//!" | "///") && words.starts_with("What ") {
            faults.push(format!(
                "{name}:{line}: opens with `What`; open with a noun phrase or an imperative"
            ));
        }
        last = (*line, mark);
    }
}

/// Whether a phrase stands in a text as whole words.
fn holds(text: &str, phrase: &str) -> bool {
    let inner = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + phrase.len()..]);
        !inner(before.chars().next_back()) && !inner(after.chars().next())
    })
}

/// A line of a comment without its mark.
fn split(line: &str) -> (&str, &str) {
    for mark in ["//!", "///", "//"] {
        if let Some(rest) = line.strip_prefix(mark) {
            return (mark, rest.trim_start());
        }
    }
    ("", line)
}

/// A name that a file defines.
struct Definition {
    name: String,
    line: usize,
    is_type: bool,
}

struct Definitions(Vec<Definition>);

impl Definitions {
    fn add(&mut self, ident: &syn::Ident, is_type: bool) {
        self.0.push(Definition {
            name: ident.to_string(),
            line: ident.span().start().line,
            is_type,
        });
    }
}

impl<'ast> Visit<'ast> for Definitions {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Enum(item) => self.add(&item.ident, true),
            syn::Item::Struct(item) => self.add(&item.ident, true),
            syn::Item::Trait(item) => self.add(&item.ident, true),
            syn::Item::Type(item) => self.add(&item.ident, true),
            syn::Item::Union(item) => self.add(&item.ident, true),
            syn::Item::Const(item) => self.add(&item.ident, false),
            syn::Item::Static(item) => self.add(&item.ident, false),
            syn::Item::Mod(item) => self.add(&item.ident, false),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.add(&signature.ident, false);
        visit::visit_signature(self, signature);
    }
}

fn definitions(source: &Source) -> anyhow::Result<Vec<Definition>> {
    let mut found = Definitions(Vec::new());
    found.visit_file(&syn::parse2(source.code())?);
    Ok(found.0)
}

fn check_names(krate: &str, source: &Source, found: &[Definition], faults: &mut Vec<String>) {
    let given_up = GIVEN_UP
        .iter()
        .filter(|(crates, _)| crates.contains(&krate));
    let given_up: Vec<_> = given_up.flat_map(|(_, names)| *names).collect();
    for definition in found {
        let name = definition.name.as_str();
        if given_up.contains(&&name) {
            let (file, line) = (&source.name, definition.line);
            faults.push(format!(
                "{file}:{line}: the name `{name}` was given up; see docs/glossary.md"
            ));
        }
    }
}

/// For each name, the places that define it.
type Places = BTreeMap<String, Vec<String>>;

fn collect_types(source: &Source, found: &[Definition], places: &mut Places) {
    for definition in found.iter().filter(|definition| definition.is_type) {
        let place = format!("{}:{}", source.name, definition.line);
        let known = places.entry(definition.name.clone()).or_default();
        known.push(place);
    }
}

fn check_meanings(places: &Places, faults: &mut Vec<String>) {
    for name in ONE_MEANING {
        let found = places.get(name).map_or(&[][..], Vec::as_slice);
        if found.len() > 1 {
            faults.push(format!(
                "the type name `{name}` has {} meanings: {}",
                found.len(),
                found.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> anyhow::Result<Source> {
        Source::parse("x/src/a.rs", text.to_owned())
    }

    #[test]
    fn riddles_are_refused() -> anyhow::Result<()> {
        let header = concat!("//! What", " the loop leaves.\n//! What is fine here.\n\n");
        let doc = concat!(
            "/// A loss of ",
            "one's own.\nfn f() { let s = \"for",
            " ever\"; }\n"
        );
        let source = source(&format!("{header}{doc}"))?;
        let mut faults = Vec::new();
        check_comments(&source.name, &source.comments(), &mut faults);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(
            faults[0].starts_with("x/src/a.rs:1: opens with"),
            "{faults:?}"
        );
        assert!(faults[1].contains("name the owner"), "{faults:?}");
        Ok(())
    }

    #[test]
    fn names_that_were_given_up_are_refused() -> anyhow::Result<()> {
        let source = source("struct Wishes; impl Wishes { fn say(&self) { self.tell() } }")?;
        let mut faults = Vec::new();
        check_names("tinker-cli", &source, &definitions(&source)?, &mut faults);
        assert_eq!(
            faults,
            [
                "x/src/a.rs:1: the name `Wishes` was given up; see docs/glossary.md",
                "x/src/a.rs:1: the name `say` was given up; see docs/glossary.md",
            ]
        );
        Ok(())
    }

    #[test]
    fn a_name_has_one_meaning() -> anyhow::Result<()> {
        let source =
            source("enum Event {}\nmod a { pub trait Event {} impl X for Y { type Held = u8; } }")?;
        let mut places = Places::new();
        collect_types(&source, &definitions(&source)?, &mut places);
        let mut faults = Vec::new();
        check_meanings(&places, &mut faults);
        assert_eq!(
            faults,
            ["the type name `Event` has 2 meanings: x/src/a.rs:1, x/src/a.rs:2"]
        );
        Ok(())
    }
}
