//! `cargo xtask release`: checks a release, writes its version and packages the crates.

mod changelog;
pub(crate) mod dist;
mod package;
pub(crate) mod packaged;
mod version;

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::flags::Release;
use crate::output::{replace, workspace_root};
use package::Package;
use version::Version;

/// Checks a release; without `--dry-run` also writes the version into the manifests and the changelog.
pub(crate) fn run(flags: &Release) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let packages = Package::published(&shell)?;
    let current = packages.first().context("no package is published")?;
    let current: Version = current.version.parse()?;
    let next = match &flags.version {
        Some(version) => version.parse()?,
        None if flags.dry_run => current.next_minor(),
        None => bail!(
            "name the version: `cargo xtask release {}`",
            current.next_minor()
        ),
    };

    let path = workspace_root().join("CHANGELOG.md");
    let text = std::fs::read_to_string(&path).context("cannot read CHANGELOG.md")?;
    changelog::notes(&text)?;
    match last_release(&shell)? {
        Some(last) => version::check(last, next, &removed_items(&shell, last)?)?,
        None => eprintln!("no release is tagged yet, so the public API is compared with nothing"),
    }
    package::check(&shell, &packages)?;
    if flags.dry_run {
        eprintln!("{next} can be released: `cargo xtask release {next}`");
        return Ok(());
    }

    if !cmd!(shell, "git status --porcelain")
        .quiet()
        .read()?
        .is_empty()
    {
        bail!("the working tree has changes that are not committed");
    }
    write_version(next)?;
    let date = cmd!(shell, "git log -1 --format=%cs").quiet().read()?;
    let text = changelog::released(&text, &next.to_string(), &date);
    replace(&path, text.as_bytes())?;
    cmd!(shell, "cargo update --workspace --offline --quiet").run()?;
    cmd!(shell, "git commit --all --quiet --message")
        .arg(format!("release: {next}"))
        .run()?;
    let tag = format!("v{next}");
    cmd!(shell, "git tag {tag}").run()?;
    eprintln!("committed and tagged v{next}; RELEASE.md says how to publish it");
    Ok(())
}

/// The version of the last tag, if there is one.
fn last_release(shell: &Shell) -> anyhow::Result<Option<Version>> {
    let tag = cmd!(shell, "git describe --tags --abbrev=0 --match v*").quiet();
    match tag.ignore_stderr().read() {
        Ok(tag) => Ok(Some(tag.trim_start_matches('v').parse()?)),
        Err(_) => Ok(None),
    }
}

/// Lines of the public API of a release that are no longer there.
fn removed_items(shell: &Shell, last: Version) -> anyhow::Result<Vec<String>> {
    let tag = format!("v{last}");
    let files = cmd!(shell, "git ls-tree --name-only {tag} api/")
        .quiet()
        .read()?;
    let mut removed = Vec::new();
    for file in files.lines() {
        let object = format!("{tag}:{file}");
        let old = cmd!(shell, "git show {object}").quiet().read()?;
        let new = std::fs::read_to_string(workspace_root().join(file)).unwrap_or_default();
        let new: BTreeSet<&str> = new.lines().collect();
        removed.extend(
            old.lines()
                .filter(|line| !new.contains(line))
                .map(str::to_owned),
        );
    }
    Ok(removed)
}

/// Writes a version into the workspace's manifest: that of the packages, and that which they require of each other.
fn write_version(next: Version) -> anyhow::Result<()> {
    let path = workspace_root().join("Cargo.toml");
    let text = std::fs::read_to_string(&path).context("cannot read Cargo.toml")?;
    replace(&path, with_version(&text, &next.to_string())?.as_bytes())
}

fn with_version(manifest: &str, next: &str) -> anyhow::Result<String> {
    let mut manifest: toml_edit::DocumentMut = manifest.parse().context("Cargo.toml")?;
    let workspace = manifest.get_mut("workspace");
    let workspace = workspace.context("Cargo.toml has no [workspace]")?;
    let package = workspace
        .get_mut("package")
        .and_then(|package| package.get_mut("version"));
    *package.context("Cargo.toml has no version")? = toml_edit::value(next);
    let dependencies = workspace
        .get_mut("dependencies")
        .and_then(toml_edit::Item::as_table_like_mut);
    for (_, dependency) in dependencies
        .context("Cargo.toml has no dependencies")?
        .iter_mut()
    {
        if let Some(dependency) = dependency.as_table_like_mut()
            && dependency.contains_key("path")
        {
            dependency.insert("version", toml_edit::value(next));
        }
    }
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_everywhere() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\n\n[workspace.dependencies]\n\
            a = { path = \"a\", version = \"0.1.0\" }\nb = \"0.1.0\"\n";
        let written = with_version(manifest, "0.2.0").ok();
        let expected = "[workspace.package]\nversion = \"0.2.0\"\n\n[workspace.dependencies]\n\
            a = { path = \"a\", version = \"0.2.0\" }\nb = \"0.1.0\"\n";
        assert_eq!(written.as_deref(), Some(expected));
    }
}
