//! `cargo xtask packages`: the tests of each library, run from its packaged files as a user would get them.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use super::package::{self, Package};
use crate::output::workspace_root;
use crate::workspace::Workspace;

/// Packages the crates, unpacks them into an empty folder and tests the libraries there, each after those it needs.
pub(crate) fn run(only: Option<&str>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    let packages = Package::published(&shell)?;
    package::check(&shell, &packages)?;
    let workspace = Workspace::read(&root)?;
    let target = &workspace.target_directory;
    let scratch = shell.create_temp_dir()?;
    for package in &packages {
        let file = target
            .join("package")
            .join(format!("{}.crate", package.folder()));
        let scratch = scratch.path();
        // Packages have one old time for all files, by which Cargo would take a changed file for the one before.
        cmd!(
            shell,
            "tar --extract --touch --gzip --file {file} --directory {scratch}"
        )
        .run()?;
    }
    let manifest = shell.read_file(root.join("Cargo.toml"))?;
    let config = config(&manifest, &packages)?;
    shell.write_file(scratch.path().join(".cargo/config.toml"), config)?;

    let libraries = in_order(&workspace, &packages);
    if let Some(only) = only {
        ensure!(
            libraries.iter().any(|library| library.name == only),
            "{only} is not a published library"
        );
    }
    for library in libraries {
        if only.is_some_and(|only| only != library.name) {
            continue;
        }
        let folder = scratch.path().join(library.folder());
        let _there = shell.push_dir(&folder);
        let target = target.join("packaged");
        cmd!(
            shell,
            "cargo test --all-features --quiet --target-dir {target}"
        )
        .run()
        .with_context(|| format!("the packaged {} fails its tests", library.name))?;
        eprintln!("{} passes its tests from its packaged files", library.name);
    }
    Ok(())
}

/// Configuration of cargo: the unpacked crates instead of those of the registry, with the profiles of the workspace.
fn config(manifest: &str, packages: &[Package]) -> anyhow::Result<String> {
    let manifest: toml_edit::DocumentMut = manifest.parse().context("Cargo.toml")?;
    let mut config = toml_edit::DocumentMut::new();
    let profile = manifest
        .get("profile")
        .context("Cargo.toml has no [profile]")?;
    config.insert("profile", profile.clone());
    let mut patches = toml_edit::Table::new();
    for package in packages {
        let mut patch = toml_edit::InlineTable::new();
        patch.insert("path", package.folder().into());
        patches.insert(&package.name, toml_edit::value(patch));
    }
    let mut patch = toml_edit::Table::new();
    patch.insert("crates-io", toml_edit::Item::Table(patches));
    config.insert("patch", toml_edit::Item::Table(patch));
    Ok(config.to_string())
}

/// The packages with a library, each behind those that it needs.
fn in_order<'a>(workspace: &Workspace, packages: &'a [Package]) -> Vec<&'a Package> {
    let needs = |package: &Package| -> BTreeSet<String> {
        let found = workspace.package(&package.name).into_iter();
        let normal = found
            .flat_map(|found| &found.dependencies)
            .filter(|needed| needed.kind.is_none());
        normal.map(|needed| needed.name.clone()).collect()
    };
    let is_library = |package: &&Package| {
        let found = workspace.package(&package.name);
        found.is_some_and(|found| {
            found
                .targets
                .iter()
                .any(|target| target.kind.iter().any(|kind| kind == "lib"))
        })
    };
    let mut left: Vec<&Package> = packages.iter().filter(is_library).collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let names: BTreeSet<String> = left.iter().map(|package| package.name.clone()).collect();
        let (ready, waiting): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|package| needs(package).is_disjoint(&names));
        ordered.extend(ready);
        left = waiting;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_after_those_that_they_need() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        shell.change_dir(workspace_root());
        let packages = Package::published(&shell)?;
        let ordered = in_order(&Workspace::read(&workspace_root())?, &packages);
        let names: Vec<&str> = ordered
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        let place = |name: &str| names.iter().position(|other| *other == name);
        assert_eq!(place("tinker-cli"), None, "a command has no library");
        for (first, second) in [
            ("tinker-types", "tinker-transport"),
            ("tinker-transport", "tinker-client"),
            ("tinker-engine", "tinker-local"),
            ("tinker-client", "tinker-train"),
        ] {
            assert!(
                place(first).is_some() && place(first) < place(second),
                "{names:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn the_unpacked_crates_replace_those_of_the_registry() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        shell.change_dir(workspace_root());
        let packages = Package::published(&shell)?;
        let written = config("[profile.dev]\ndebug = false\n", &packages)?;
        let types = packages
            .iter()
            .find(|package| package.name == "tinker-types");
        let folder = types.context("it is published")?.folder();
        let expected = format!("tinker-types = {{ path = \"{folder}\" }}");
        assert!(written.contains(&expected), "{written}");
        assert!(written.contains("debug = false"), "{written}");
        Ok(())
    }
}
