//! Metadata of the workspace, from cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use xshell::{Shell, cmd};

/// The packages of a workspace and its target folder.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A line of a `[dependencies]` table.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for normal ones, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) rename: Option<String>,
}

/// Something a package builds.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

impl Workspace {
    /// Asks cargo about the workspace of a folder.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let shell = Shell::new()?;
        shell.change_dir(root);
        let metadata = cmd!(shell, "cargo metadata --format-version 1 --no-deps");
        Ok(serde_json::from_str(&metadata.quiet().read()?)?)
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    pub(crate) fn folder(&self) -> &Path {
        let manifest = self.manifest_path.as_path();
        manifest.parent().unwrap_or(manifest)
    }
}

impl Dependency {
    /// The name that code uses.
    pub(crate) fn ident(&self) -> String {
        let name = self.rename.as_ref().unwrap_or(&self.name);
        name.replace('-', "_")
    }
}
