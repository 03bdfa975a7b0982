//! Every relative link of a document leads to a file, and its fragment to a heading.

use std::path::{Path, PathBuf};

/// Folders whose documents are read, with those in them. The documents of the root are read, too.
const FOLDERS: [&str; 2] = ["docs", "examples"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut documents = in_folder(root)?;
    for folder in std::fs::read_dir(root)? {
        let folder = folder?.path();
        if folder.join("Cargo.toml").is_file() {
            documents.extend(in_folder(&folder)?);
        }
    }
    let mut folders: Vec<PathBuf> = FOLDERS.map(|folder| root.join(folder)).into();
    while let Some(folder) = folders.pop() {
        documents.extend(in_folder(&folder)?);
        for entry in std::fs::read_dir(&folder)? {
            folders.extend(Some(entry?.path()).filter(|path| path.is_dir()));
        }
    }
    documents.sort();
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    for document in documents {
        let text = std::fs::read_to_string(&document)?;
        let name = document.strip_prefix(root).unwrap_or(&document).display();
        let dead = dead(&document, &text, &read, &|path| path.exists());
        faults.extend(dead.into_iter().map(|fault| format!("{name}:{fault}")));
    }
    Ok(())
}

/// The documents directly in a folder.
fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    Ok(documents)
}

/// The links of a document that lead nowhere, each with its line.
fn dead(
    document: &Path,
    text: &str,
    read: &dyn Fn(&Path) -> Option<String>,
    exists: &dyn Fn(&Path) -> bool,
) -> Vec<String> {
    let mut dead = Vec::new();
    for (line, link) in links(text) {
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = match path {
            "" => document.to_owned(),
            path => document.with_file_name(path),
        };
        if !path.is_empty() && !exists(&target) {
            dead.push(format!("{line}: `{link}` leads to no file"));
        } else if !fragment.is_empty() {
            let text = if path.is_empty() {
                Some(text.to_owned())
            } else {
                read(&target)
            };
            let anchors = text.map_or_else(Vec::new, |text| anchors(&text));
            if !anchors.iter().any(|anchor| anchor == fragment) {
                dead.push(format!("{line}: `{link}` leads to no heading"));
            }
        }
    }
    dead
}

/// The lines outside of code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then_some((at + 1, line))
    })
}

/// Relative targets of inline links and images, with their lines. Addresses and items of Rust are left out.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            // Within inline code, as many backticks stand before as after.
            if line[..at].matches('`').count() % 2 == 1 {
                continue;
            }
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if is_relative(target) {
                links.push((number, target));
            }
        }
    }
    links
}

fn is_relative(target: &str) -> bool {
    let is_address = target.contains("://") || target.starts_with("mailto:");
    let is_item = target
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "_:!()".contains(letter));
    !is_address && !is_item
}

/// The fragments of the headings of a document, as GitHub and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .filter_map(|(_, line)| {
            let heading = line.trim_start_matches('#');
            (heading.len() < line.len()).then(|| heading.strip_prefix(' '))?
        })
        .map(|heading| {
            let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
            let kept: String = heading.trim().chars().filter(kept).collect();
            kept.to_lowercase().replace(' ', "-")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "# Own heading\n\
            [a](a.md), [heading](a.md#some-words-or-2), ![plot](gone.svg) and [a](a.md#none)\n\
            [own](#own-heading), [gone](#gone), [item](Self::new), [site](https://example.com/x.md)\n\
            ```rust\nlet x = y[0](gone.md);\n# [no heading](gone.md)\n```\n\
            code: `[x](gone.md)`\n";
        let read = |path: &Path| {
            path.ends_with("docs/a.md")
                .then(|| "## Some `words`, or 2\n".to_owned())
        };
        let exists = |path: &Path| path.ends_with("docs/a.md");
        assert_eq!(
            dead(Path::new("docs/page.md"), text, &read, &exists),
            [
                "2: `gone.svg` leads to no file",
                "2: `a.md#none` leads to no heading",
                "3: `#gone` leads to no heading",
            ]
        );
    }
}
