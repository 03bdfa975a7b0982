//! Packages as they are published.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::output::workspace_root;
use crate::workspace::Workspace;

/// Most bytes of a package on the registry.
const LARGEST: u64 = 10 << 20;

/// Files and folders that a package may have.
const EXPECTED: [&str; 13] = [
    ".cargo_vcs_info.json",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE",
    "README.md",
    "assets/",
    "benches/",
    "examples/",
    "proto/",
    "src/",
    "tests/",
    "build.rs",
];

/// A package of the workspace, as cargo describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    description: Option<String>,
    license: Option<String>,
    readme: Option<String>,
    documentation: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
    rust_version: Option<String>,
    /// Registries that it may be published to: none for an empty list.
    publish: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Package {
    /// The folder that its file unpacks to.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The packages of the workspace that are published.
    pub(crate) fn published(shell: &Shell) -> anyhow::Result<Vec<Self>> {
        let text = cmd!(shell, "cargo metadata --format-version 1 --no-deps")
            .quiet()
            .read()?;
        let metadata: Metadata = serde_json::from_str(&text)?;
        let is_published =
            |package: &Self| package.publish.as_ref().is_none_or(|to| !to.is_empty());
        Ok(metadata.packages.into_iter().filter(is_published).collect())
    }

    /// Fails if the manifest lacks something that readers of a registry expect.
    fn check_manifest(&self) -> anyhow::Result<()> {
        let fields = [
            ("description", self.description.is_some()),
            ("license", self.license.is_some()),
            ("readme", self.readme.is_some()),
            ("documentation", self.documentation.is_some()),
            ("rust-version", self.rust_version.is_some()),
            ("keywords", !self.keywords.is_empty()),
            ("categories", !self.categories.is_empty()),
        ];
        for (field, is_there) in fields {
            if !is_there {
                bail!("{}/Cargo.toml has no {field}", self.name);
            }
        }
        Ok(())
    }
}

/// Fails if a package would have a file that does not belong there, or lacks one.
fn check_files(name: &str, files: &str) -> anyhow::Result<()> {
    let is_expected = |file: &str| {
        EXPECTED.iter().any(|expected| {
            file == *expected || (expected.ends_with('/') && file.starts_with(expected))
        })
    };
    if let Some(surprise) = files.lines().find(|file| !is_expected(file)) {
        bail!("the package {name} would contain {surprise}, which does not belong there");
    }
    for needed in ["LICENSE", "README.md"] {
        if !files.lines().any(|file| file == needed) {
            bail!("the package {name} has no {needed}");
        }
    }
    Ok(())
}

/// Checks the published packages and writes them under `target/package`, without compiling them.
pub(crate) fn check(shell: &Shell, packages: &[Package]) -> anyhow::Result<()> {
    let mut options = Vec::new();
    for package in packages {
        package.check_manifest()?;
        let name = &package.name;
        let files = cmd!(shell, "cargo package --package {name} --list --allow-dirty").quiet();
        check_files(name, &files.read()?)?;
        options.extend(["--package", name]);
    }
    // The whole as one, as each needs those before it.
    cmd!(
        shell,
        "cargo package {options...} --no-verify --allow-dirty --quiet"
    )
    .quiet()
    .ignore_stderr()
    .run()
    .context("cargo cannot package the crates; `cargo package --workspace --no-verify` says why")?;
    let folder = Workspace::read(&workspace_root())?
        .target_directory
        .join("package");
    for package in packages {
        let (name, version) = (&package.name, &package.version);
        let path = folder.join(format!("{}.crate", package.folder()));
        let size = std::fs::metadata(&path)
            .with_context(|| format!("{} was not written", path.display()))?
            .len();
        if size > LARGEST {
            bail!("the package {name} has {size} bytes; the registry takes {LARGEST}");
        }
        eprintln!("{name} {version}: {} KiB", size / 1024);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surprise_in_a_package_is_named() {
        let files = "Cargo.toml\nLICENSE\nREADME.md\nsrc/lib.rs\n";
        assert!(check_files("a", files).is_ok());
        let refused = check_files("a", &format!("{files}notes.txt\n")).expect_err("a surprise");
        assert!(refused.to_string().contains("notes.txt"), "{refused}");
        let refused = check_files("a", "README.md\nsrc/lib.rs\n").expect_err("no licence");
        assert!(refused.to_string().contains("no LICENSE"), "{refused}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let manifest = r#"{"name": "a", "version": "0.1.0", "description": "d", "license": "l", "readme": "README.md",
            "documentation": "u", "keywords": ["k"], "categories": [], "rust_version": "1.95", "publish": null}"#;
        let package: Package = serde_json::from_str(manifest).expect("as cargo writes it");
        let refused = package.check_manifest().expect_err("no categories");
        assert_eq!(refused.to_string(), "a/Cargo.toml has no categories");
    }
}
