//! Every file and folder that ARCHITECTURE.md names exists.

use std::path::Path;

use anyhow::Context;

use crate::code::{COMMAND, LIBRARIES};

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(root.join(MAP)).with_context(|| format!("cannot read {MAP}"))?;
    faults.extend(missing(&text, &|path| root.join(path).exists()));
    Ok(())
}

/// Paths in backticks that do not exist. A path is relative to the root or to the sources of a crate.
fn missing(text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|quoted| {
        let is_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let is_file = [".rs", ".md", ".toml"]
            .iter()
            .any(|end| quoted.ends_with(end));
        quoted.chars().all(is_path) && (is_file || quoted.ends_with('/'))
    });
    let is_known = |path: &str| {
        let mut crates = LIBRARIES.into_iter().chain([COMMAND]);
        exists(path) || crates.any(|name| exists(&format!("{name}/src/{path}")))
    };
    paths
        .filter(|path| !is_known(path))
        .map(|path| format!("{MAP}: `{path}` does not exist"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_do_not_exist_are_found() {
        let text = "`a/b.rs`, `work/`, `gone/`, `tinker://x/y`, `gone.rs`, `cargo fmt`";
        let exists = |path: &str| ["a/b.rs", "tinker-local/src/work/"].contains(&path);
        assert_eq!(
            missing(text, &exists),
            [
                "ARCHITECTURE.md: `gone/` does not exist",
                "ARCHITECTURE.md: `gone.rs` does not exist",
            ]
        );
    }
}
