//! Every dependency is used by code of its kind.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;

use crate::code::{Krate, Source, Token, rust_files};
use crate::workspace::{Package, Workspace};

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let workspace = Workspace::read(root)?;
    let fuzz = Workspace::read(&root.join("fuzz"))?;
    for package in workspace.packages.iter().chain(&fuzz.packages) {
        faults.extend(unused(package, &Named::read(root, package)?));
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    faults.extend(unshared(&manifest, &workspace.packages));
    Ok(())
}

/// Names of crates in the code of a package.
#[derive(Debug, Default)]
struct Named {
    /// In code outside of tests.
    normal: BTreeSet<String>,
    /// Anywhere, tests and examples in documentation included.
    anywhere: BTreeSet<String>,
    build: BTreeSet<String>,
}

impl Named {
    fn read(root: &Path, package: &Package) -> anyhow::Result<Self> {
        let mut named = Self::default();
        let name = |path: &Path| {
            let path = path.strip_prefix(root).unwrap_or(path);
            path.display().to_string()
        };
        for target in &package.targets {
            let file = name(&target.src_path);
            let krate = || Krate::read(root, &file).with_context(|| format!("cannot read {file}"));
            for kind in &target.kind {
                match kind.as_str() {
                    "lib" | "bin" => {
                        for source in &krate()?.files {
                            crates(&source.code_tokens(), &mut named.normal);
                        }
                    }
                    "custom-build" => {
                        for source in &krate()?.files {
                            crates(&source.code_tokens(), &mut named.build);
                        }
                    }
                    _ => {}
                }
            }
        }
        for file in rust_files(root, &name(package.folder()))? {
            let source = Source::read(root, &file)?;
            crates(&source.all_tokens(), &mut named.anywhere);
            for (_, comment) in source.comments() {
                crates_in_text(&comment, &mut named.anywhere);
            }
        }
        for readme in [package.folder().join("README.md"), root.join("README.md")] {
            let text = std::fs::read_to_string(readme).unwrap_or_default();
            crates_in_text(&text, &mut named.anywhere);
        }
        Ok(named)
    }
}

/// The first names of all paths, those in strings (`#[serde(with = "..")]`) included.
fn crates(tokens: &[Token], found: &mut BTreeSet<String>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    for (at, token) in tokens.iter().enumerate() {
        if let Some(text) = token.string() {
            crates_in_text(&text, found);
        }
        if !token.is_ident() || token.text == "use" {
            continue;
        }
        let (last, before) = match at {
            0 => ("", ""),
            1 => (text(0), ""),
            _ => (text(at - 1), text(at - 2)),
        };
        // `a::name` is not a crate, `(::name` is.
        let inner = at > 2
            && last == ":"
            && before == ":"
            && (tokens[at - 3].is_ident() && text(at - 3) != "use" || text(at - 3) == ">");
        let is_path = text(at + 1) == ":" && text(at + 2) == ":";
        let is_whole = matches!(last, "use" | "crate") && matches!(text(at + 1), ";" | "as");
        if !inner && last != "." && (is_path || is_whole) {
            found.insert(token.text.clone());
        }
    }
}

fn crates_in_text(text: &str, found: &mut BTreeSet<String>) {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
    let heads = words.filter_map(|word| word.split_once("::"));
    found.extend(heads.map(|(head, _)| head.to_owned()));
}

fn unused(package: &Package, named: &Named) -> Vec<String> {
    let mut faults = Vec::new();
    let owner = &package.name;
    for dependency in &package.dependencies {
        let ident = dependency.ident();
        let is_normal = |name: &str| {
            let same = |other: &&crate::workspace::Dependency| other.ident() == name;
            let found = package.dependencies.iter().find(same);
            found.is_some_and(|other| other.kind.is_none())
        };
        let fault = match dependency.kind.as_deref() {
            None if named.normal.contains(&ident) => continue,
            None if named.anywhere.contains(&ident) => {
                "only tests use it; move it to [dev-dependencies]"
            }
            Some("build") if named.build.contains(&ident) => continue,
            // More features of a normal dependency, for tests.
            Some("dev") if named.anywhere.contains(&ident) || is_normal(&ident) => continue,
            _ => "nothing uses it; remove it",
        };
        faults.push(format!("{owner}: dependency {ident}: {fault}"));
    }
    faults
}

/// Entries of `[workspace.dependencies]` that no member takes.
fn unshared(manifest: &str, packages: &[Package]) -> Vec<String> {
    let table = manifest.split("[workspace.dependencies]").nth(1);
    let table = table.unwrap_or_default().split("\n[").next();
    let lines = table.unwrap_or_default().lines();
    let names = lines.filter_map(|line| line.split_once(" = ").map(|(name, _)| name.trim()));
    let taken = |name: &&str| {
        let mut all = packages.iter().flat_map(|package| &package.dependencies);
        all.any(|dependency| dependency.ident() == name.replace('-', "_"))
    };
    names
        .filter(|name| !name.starts_with('#') && !taken(name))
        .map(|name| format!("Cargo.toml: no crate takes {name} of [workspace.dependencies]"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
            rename: None,
        };
        Package {
            name: "x".to_owned(),
            manifest_path: "x/Cargo.toml".into(),
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
            features: std::collections::BTreeMap::new(),
        }
    }

    fn named(code: &str) -> anyhow::Result<Named> {
        let source = Source::parse("a.rs", code.to_owned())?;
        let mut named = Named::default();
        crates(&source.code_tokens(), &mut named.normal);
        crates(&source.all_tokens(), &mut named.anywhere);
        for (_, comment) in source.comments() {
            crates_in_text(&comment, &mut named.anywhere);
        }
        Ok(named)
    }

    #[test]
    fn unused_dependencies_are_found() -> anyhow::Result<()> {
        let package = package(&[
            ("serde-json", None),
            ("bytes", None),
            ("tokio", None),
            ("http", None),
            ("tempfile", Some("dev")),
            ("insta", Some("dev")),
            ("tokio", Some("dev")),
        ]);
        let named = named(
            "//! `tempfile::tempdir()`\nuse serde_json::Value; fn f() { let bytes = a::bytes::B; http.x(); }\n\
             #[cfg(test)] mod tests { use tokio::time; }",
        )?;
        assert_eq!(
            unused(&package, &named),
            [
                "x: dependency bytes: nothing uses it; remove it",
                "x: dependency tokio: only tests use it; move it to [dev-dependencies]",
                "x: dependency http: nothing uses it; remove it",
                "x: dependency insta: nothing uses it; remove it",
            ]
        );
        Ok(())
    }

    #[test]
    fn every_way_to_name_a_crate_counts() -> anyhow::Result<()> {
        let named = named(
            "use a; use b as c; use ::d::x; extern crate e; fn f() { ::g::h(); assert!(i::j()); }\n\
             #[serde(with = \"k::l\")] struct S; use m::{n};",
        )?;
        let expected = ["a", "b", "d", "e", "g", "i", "k", "m"].map(str::to_owned);
        assert_eq!(named.normal, BTreeSet::from(expected));
        Ok(())
    }

    #[test]
    fn entries_that_no_crate_takes_are_found() {
        let manifest = "[workspace.dependencies]\nbytes = \"1\"\n# note = 1\nhalf = \"2\"\n\n[workspace.lints]\nx = 1\n";
        let found = unshared(manifest, &[package(&[("bytes", None)])]);
        assert_eq!(
            found,
            ["Cargo.toml: no crate takes half of [workspace.dependencies]"]
        );
    }
}
