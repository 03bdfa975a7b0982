//! The table of all example programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::output::{CODEGEN, Mode, workspace_root};
use crate::workspace::Workspace;

const PAGE: &str = "docs/examples.md";
/// The file of a crate that runs its examples.
const RUNNERS: [&str; 2] = ["tests/examples.rs", "tests/it/examples.rs"];

/// A program.
struct Example {
    package: String,
    name: String,
    /// The first sentence of its header.
    shows: String,
    is_test: bool,
}

/// Writes the table, or fails if it is stale.
pub(super) fn run(mode: Mode) -> anyhow::Result<()> {
    let mut examples = Vec::new();
    for package in &Workspace::read(&workspace_root())?.packages {
        // Those of the tests of the workspace are for its developers.
        if package.name.starts_with("tinker-") && package.name != "tinker-tests" {
            examples.extend(of(&package.name, package.folder())?);
        }
    }
    mode.apply(PAGE, &page(&examples)?, CODEGEN)
}

fn of(package: &str, folder: &Path) -> anyhow::Result<Vec<Example>> {
    let Ok(entries) = std::fs::read_dir(folder.join("examples")) else {
        return Ok(Vec::new());
    };
    let runner = RUNNERS
        .iter()
        .find_map(|file| std::fs::read_to_string(folder.join(file)).ok());
    let runner = runner.unwrap_or_default();
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let example = Example {
            package: package.to_owned(),
            shows: first_sentence(&text).with_context(|| path.display().to_string())?,
            is_test: text.contains("#[test]") || runner.contains(&format!("examples/{name}.rs\"")),
            name: name.clone(),
        };
        found.insert(name, example);
    }
    Ok(found.into_values().collect())
}

/// The first sentence of a header comment, without its full stop.
fn first_sentence(text: &str) -> anyhow::Result<String> {
    let header = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = header
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    ensure!(!paragraph.is_empty(), "the example has no header comment");
    let Some((sentence, _)) = paragraph
        .split_once(". ")
        .or_else(|| paragraph.rsplit_once('.'))
    else {
        bail!("the header comment does not end with a full stop: {paragraph}");
    };
    Ok(sentence.to_owned())
}

fn page(examples: &[Example]) -> anyhow::Result<String> {
    let mut text = "# Example programs\n\n\
        Each runs without a key and without a network: `cargo run -p CRATE --example NAME`. Generated from the first sentences of\n\
        the programs by `cargo xtask codegen`.\n"
        .to_owned();
    let sections = [
        ("Short programs", "The tests run them.", true),
        (
            "Tools",
            "Programs with arguments, which measure or serve. Their headers say how to call them.",
            false,
        ),
    ];
    for (title, note, is_test) in sections {
        writeln!(
            text,
            "\n## {title}\n\n{note}\n\n| program | what it shows |\n|---|---|"
        )?;
        for example in examples.iter().filter(|example| example.is_test == is_test) {
            let Example {
                package,
                name,
                shows,
                ..
            } = example;
            writeln!(
                text,
                "| [`{package}` `{name}`](../{package}/examples/{name}.rs) | {shows} |"
            )?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_what_the_table_shows() -> anyhow::Result<()> {
        let text = "//! Reads 1.5 files,\n//! and more. Then ends.\n//!\n//! More.\nfn main() {}\n";
        assert_eq!(first_sentence(text)?, "Reads 1.5 files, and more");
        assert_eq!(first_sentence("//! One.\n")?, "One");
        assert!(first_sentence("fn main() {}\n").is_err());
        Ok(())
    }
}
