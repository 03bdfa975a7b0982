//! Dependencies between the crates point one way, as drawn.

use anyhow::Context;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// A crate and the crates of the workspace it may depend on, tests aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("tinker-types", &[]),
    ("tinker-transport", &["tinker-types"]),
    ("tinker-client", &["tinker-types", "tinker-transport"]),
    ("tinker-local", &["tinker-types"]),
    (
        "tinker-cli",
        &[
            "tinker-types",
            "tinker-transport",
            "tinker-client",
            "tinker-local",
        ],
    ),
];

pub(super) fn check(faults: &mut Vec<String>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let metadata = cmd!(shell, "cargo metadata --format-version 1 --no-deps")
        .quiet()
        .read()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    for (krate, allowed) in ARROWS {
        let package = packages.iter().find(|package| package["name"] == *krate);
        let package = package.with_context(|| format!("no package {krate}"))?;
        let dependencies = package["dependencies"]
            .as_array()
            .context("no dependencies")?;
        for dependency in dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
        {
            let name = dependency["name"].as_str().unwrap_or_default();
            let ours = packages.iter().any(|package| package["name"] == name);
            if ours && !allowed.contains(&name) {
                faults.push(format!("{krate} must not depend on {name}"));
            }
        }
    }
    Ok(())
}
