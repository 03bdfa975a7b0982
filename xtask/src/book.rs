//! `cargo xtask book`: the guide as web pages.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::output::workspace_root;
use crate::workspace::Workspace;

/// Folder of the book for files of the repository that a page links to.
const FILES: &str = "files";

/// Page of the book for links that lead nowhere.
const LOST: &str = "404.html";

/// Builds the book, copies the files that its pages link to, and fails if a link leads nowhere.
pub(crate) fn run() -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    cmd!(shell, "mdbook build docs")
        .run()
        .context("mdBook is needed: `cargo install mdbook --locked`")?;
    let book = Workspace::read(&root)?.target_directory.join("book");
    let mut pages = Vec::new();
    collect(&shell, &book, &mut pages)?;
    for page in pages {
        let place = page.strip_prefix(&book)?.to_owned();
        let text = shell.read_file(&page)?;
        let linked = with_files(&text, &place, &root, &book, |file| {
            let copy = book.join(FILES).join(file);
            shell.create_dir(copy.parent().unwrap_or(&book))?;
            Ok(shell.copy_file(root.join(file), copy)?)
        })?;
        if linked != text {
            shell.write_file(&page, linked)?;
        }
    }
    eprintln!("{}", book.join("index.html").display());
    Ok(())
}

/// The pages of the book. The one for lost readers has links relative to the address of the server.
fn collect(shell: &Shell, folder: &Path, pages: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for path in shell.read_dir(folder)? {
        if path.is_dir() {
            collect(shell, &path, pages)?;
        } else if path.extension().is_some_and(|end| end == "html") && !path.ends_with(LOST) {
            pages.push(path);
        }
    }
    Ok(())
}

/// A page whose links to files of the repository lead to their copies. `copy` makes one.
fn with_files(
    text: &str,
    page: &Path,
    root: &Path,
    book: &Path,
    mut copy: impl FnMut(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let folder = page.parent().unwrap_or(Path::new(""));
    let mut parts = text.split("href=\"");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (link, rest) = part.split_once('"').unwrap_or((part, ""));
        let path = link.split(['#', '?']).next().unwrap_or_default();
        let is_elsewhere = path.is_empty() || path.contains(':') || path.starts_with("//");
        linked.push_str("href=\"");
        if is_elsewhere || book.join(folder).join(path).exists() {
            linked.push_str(link);
        } else {
            let Some(file) = source(root, folder, path) else {
                bail!("{}: the link {link} leads nowhere", page.display());
            };
            copy(&file)?;
            linked.push_str(&"../".repeat(folder.components().count()));
            write!(linked, "{FILES}/{}", file.display())?;
        }
        linked.push('"');
        linked.push_str(rest);
    }
    Ok(linked)
}

/// The file of the repository that a page below `docs` means; mdBook has renamed documents to pages.
fn source(root: &Path, folder: &Path, link: &str) -> Option<PathBuf> {
    let mut file = PathBuf::new();
    for part in Path::new("docs").join(folder).join(link).components() {
        match part {
            Component::ParentDir if !file.pop() => return None,
            Component::Normal(name) => file.push(name),
            _ => {}
        }
    }
    let document = file.with_extension("md");
    [file, document]
        .into_iter()
        .find(|file| root.join(file).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_lead_to_copies() -> anyhow::Result<()> {
        let (shell, root) = (Shell::new()?, workspace_root());
        let folder = shell.create_temp_dir()?;
        let book = folder.path().to_owned();
        shell.write_file(book.join("book/loop.html"), "")?;
        let page = "<a href=\"https://docs.rs\">x</a><a href=\"#a\">y</a><a href=\"loop.html\">z</a>\
            <a href=\"../../VERSIONING.html\">v</a><a href=\"../../xtask/src/book.rs#run\">b</a>";
        let mut copied = Vec::new();
        let linked = with_files(page, Path::new("book/a.html"), &root, &book, |file| {
            copied.push(file.display().to_string());
            Ok(())
        })?;
        assert_eq!(copied, ["VERSIONING.md", "xtask/src/book.rs"]);
        let expected = page
            .replace("../../VERSIONING.html", "../files/VERSIONING.md")
            .replace("../../xtask/src/book.rs#run", "../files/xtask/src/book.rs");
        assert_eq!(linked, expected);

        let lost = "<a href=\"nowhere.html\">";
        let refused = with_files(lost, Path::new("a.html"), &root, &book, |_| Ok(()));
        let refused = refused.err().map(|error| error.to_string());
        assert_eq!(
            refused.as_deref(),
            Some("a.html: the link nowhere.html leads nowhere")
        );
        Ok(())
    }
}
