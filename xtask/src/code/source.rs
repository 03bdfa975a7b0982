//! Source files: code without tests, and comments.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use proc_macro2::TokenStream;

use super::stripped::{without_docs, without_tests};
use super::tokens::{Token, flatten};

/// A source file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the root of the workspace, with `/` as the separator.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Tokens without doc comments.
    all: TokenStream,
}

impl Source {
    /// Reads a file whose name is relative to `root`.
    pub(crate) fn read(root: &Path, name: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(root.join(name))
            .with_context(|| format!("cannot read {name}"))?;
        Self::parse(name, text)
    }

    pub(crate) fn parse(name: &str, text: String) -> anyhow::Result<Self> {
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            all: without_docs(tokens, &text),
            text,
        })
    }

    /// The code without doc comments and without items under `#[cfg(test)]`.
    pub(crate) fn code(&self) -> TokenStream {
        without_tests(self.all.clone())
    }

    /// The tokens of [`code`](Self::code), groups opened.
    pub(crate) fn code_tokens(&self) -> Vec<Token> {
        flatten(self.code())
    }

    /// All tokens, those of tests included.
    pub(crate) fn all_tokens(&self) -> Vec<Token> {
        flatten(self.all.clone())
    }

    /// Number of lines that hold code outside of tests.
    pub(crate) fn code_lines(&self) -> usize {
        let mut lines = BTreeSet::new();
        for token in self.code_tokens() {
            let text = self.text.get(token.range).unwrap_or_default();
            let blank = |(_, line): &(usize, &str)| !line.trim().is_empty();
            let held = text.lines().enumerate().filter(blank);
            lines.extend(held.map(|(offset, _)| token.line + offset));
        }
        lines.len()
    }

    /// The comments, line by line, each with the number of its line.
    pub(crate) fn comments(&self) -> Vec<(usize, String)> {
        let mut shown: Vec<u8> = self.text.clone().into_bytes();
        for token in self.all_tokens() {
            for byte in &mut shown[token.range] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        let shown = String::from_utf8_lossy(&shown);
        let lines = shown.lines().map(str::trim).enumerate();
        lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(index, line)| (index + 1, line.to_owned()))
            .collect()
    }
}

/// The names of the Rust files under a folder, relative to `root` and sorted; `generated` and `target` are left out.
/// Empty if the folder does not exist.
pub(crate) fn rust_files(root: &Path, folder: &str) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    if !root.join(folder).is_dir() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if entry.file_type()?.is_dir() {
            if name != "generated" && name != "target" && !name.starts_with('.') {
                files.extend(rust_files(root, &path)?);
            }
        } else if Path::new(&name).extension() == Some("rs".as_ref()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"//! Header.

/// Doc.
#[derive(Debug)] // why
struct A {
    /* b */ text: &'static str, // {}
    #[cfg(test)]
    seen: Vec<(u8, u8)>,
}

const TEXT: &str = "// not a comment

two lines";

#[cfg(test)]
pub(crate) fn helper<A, B>() {}

#[cfg(test)]
use std::{fmt, io};

#[cfg(all(test, feature = "serve"))]
mod tests {
    fn t() {}
}
fn last() {}
"#;

    #[test]
    fn tests_comments_and_blank_lines_are_not_counted() -> anyhow::Result<()> {
        let source = Source::parse("a.rs", TEXT.to_owned())?;
        // derive, struct, text, brace, two lines of the constant, last
        assert_eq!(source.code_lines(), 7);
        Ok(())
    }

    #[test]
    fn comments_are_found_beside_code() -> anyhow::Result<()> {
        let source = Source::parse("a.rs", TEXT.to_owned())?;
        let found: Vec<_> = source
            .comments()
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(found, [1, 3, 4, 6]);
        assert_eq!(source.comments()[2].1, "// why");
        Ok(())
    }
}
