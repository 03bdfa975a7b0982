//! Every page of the guide is in the summary of the book, and its programs run as tests.

use std::path::Path;

use anyhow::Context;

/// The pages of the guide.
const PAGES: &str = "docs/book";
/// The contents of the book.
const SUMMARY: &str = "docs/SUMMARY.md";
/// The file that makes doctests of pages.
const TESTS: &str = "tests/src/lib.rs";

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let read = |file: &str| {
        std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
    };
    let (summary, tests) = (read(SUMMARY)?, read(TESTS)?);
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(root.join(PAGES))? {
        let path = entry?.path();
        if let (Some(name), Some("md")) = (
            path.file_name(),
            path.extension().and_then(|end| end.to_str()),
        ) {
            pages.push(name.to_string_lossy().into_owned());
        }
    }
    pages.sort();
    faults.extend(missing(&pages, &summary, &tests));
    Ok(())
}

fn missing(pages: &[String], summary: &str, tests: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for page in pages {
        if !summary.contains(&format!("(book/{page})")) {
            missing.push(format!("{PAGES}/{page}: is not in {SUMMARY}"));
        }
        if !tests.contains(&format!("{PAGES}/{page}\"")) {
            missing.push(format!("{PAGES}/{page}: is not a doctest in {TESTS}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_left_out_are_found() {
        let pages = ["data.md", "loop.md"].map(str::to_owned);
        let tests = r#"#[doc = include_str!("../../docs/book/loop.md")]"#;
        assert_eq!(
            missing(&pages, "- [Data](book/data.md)", tests),
            [
                "docs/book/data.md: is not a doctest in tests/src/lib.rs",
                "docs/book/loop.md: is not in docs/SUMMARY.md",
            ]
        );
    }
}
