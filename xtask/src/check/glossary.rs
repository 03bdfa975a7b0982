//! Every word of the glossary is in use.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;

use crate::code::{COMMAND, LIBRARIES, Source, rust_files};

const GLOSSARY: &str = "docs/glossary.md";

/// Crates and folders whose names count, tests included.
const FOLDERS: [&str; 2] = ["xtask", "tests"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(root.join(GLOSSARY))
        .with_context(|| format!("cannot read {GLOSSARY}"))?;
    let mut names = BTreeSet::new();
    for folder in LIBRARIES.into_iter().chain([COMMAND]).chain(FOLDERS) {
        for file in rust_files(root, folder)? {
            let tokens = Source::read(root, &file)?.all_tokens();
            let idents = tokens.iter().filter(|token| token.is_ident());
            names.extend(idents.map(|token| token.text.replace('_', "").to_lowercase()));
        }
    }
    faults.extend(unused(&text, &names));
    Ok(())
}

/// Words of the glossary that no name contains. `names` are in lower case and without `_`.
fn unused(glossary: &str, names: &BTreeSet<String>) -> Vec<String> {
    let entries = glossary
        .lines()
        .filter_map(|line| line.strip_prefix("- **"));
    let words = entries.filter_map(|line| line.split_once("**").map(|(word, _)| word));
    let is_used = |word: &str| {
        let joined = word.replace(' ', "").to_lowercase();
        // `sequence id` is `seq_id` in code.
        let short = joined.replace("sequence", "seq");
        names
            .iter()
            .any(|name| name.contains(&joined) || name.contains(&short))
    };
    words
        .filter(|word| !is_used(word))
        .map(|word| format!("{GLOSSARY}: no name in the code contains `{word}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_use_is_found() {
        let names = ["seqid", "promiserecord"].map(str::to_owned);
        let glossary = "# Words\n\n- **sequence id**: a number.\n- **promise**: a record.\n- **crew**: gone.\n";
        assert_eq!(
            unused(glossary, &BTreeSet::from(names)),
            ["docs/glossary.md: no name in the code contains `crew`"]
        );
    }
}
