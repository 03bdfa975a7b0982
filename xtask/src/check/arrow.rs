//! Dependencies between the crates point one way, as drawn.

use anyhow::Context;

use crate::workspace::Workspace;

/// A crate and the crates of the workspace it may depend on, tests aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("tinker-types", &[]),
    ("tinker-data", &["tinker-types"]),
    ("tinker-transport", &["tinker-types"]),
    (
        "tinker-client",
        &["tinker-types", "tinker-data", "tinker-transport"],
    ),
    ("tinker-engine", &[]),
    ("tinker-local", &["tinker-types", "tinker-engine"]),
    (
        "tinker-train",
        &["tinker-types", "tinker-data", "tinker-client"],
    ),
    (
        "tinker-cli",
        &[
            "tinker-train",
            "tinker-types",
            "tinker-data",
            "tinker-transport",
            "tinker-client",
            "tinker-local",
        ],
    ),
];

/// Packages of the workspace that may depend on any other.
const FREE: [&str; 3] = ["tinker-tests", "tinker-cost", "xtask"];

pub(super) fn check(workspace: &Workspace, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for package in &workspace.packages {
        let name = package.name.as_str();
        if FREE.contains(&name) {
            continue;
        }
        let arrows = ARROWS.iter().find(|(krate, _)| *krate == name);
        let (_, allowed) = arrows.with_context(|| {
            format!("{name} has no arrows: add it to xtask/src/check/arrow.rs and ARCHITECTURE.md")
        })?;
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            let is_ours = workspace.package(other).is_some();
            if dependency.kind.is_none() && is_ours && !allowed.contains(&other) {
                faults.push(format!("{name} must not depend on {other}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Package};

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
            kind: None,
            rename: None,
        };
        Package {
            name: name.to_owned(),
            manifest_path: "x/Cargo.toml".into(),
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
            features: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_refused() -> anyhow::Result<()> {
        let mut workspace = Workspace {
            packages: vec![
                package("tinker-types", &["serde"]),
                package("tinker-engine", &["tinker-types"]),
            ],
            target_directory: "target".into(),
        };
        let mut faults = Vec::new();
        check(&workspace, &mut faults)?;
        assert_eq!(faults, ["tinker-engine must not depend on tinker-types"]);
        workspace.packages.push(package("tinker-new", &[]));
        assert!(check(&workspace, &mut faults).is_err());
        Ok(())
    }
}
