//! `cargo xtask msrv`: crates that state an older Rust version than the workspace compile with it.

use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::output::workspace_root;

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    rust_version: Option<String>,
}

/// Compiles each library whose stated version is not the one of `rust-toolchain.toml`, with all its features.
pub(crate) fn run() -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let text = cmd!(shell, "cargo metadata --format-version 1 --no-deps")
        .quiet()
        .read()?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    let current = cmd!(shell, "rustc --version").quiet().read()?;
    for package in metadata.packages {
        let Some(version) = &package.rust_version else {
            continue;
        };
        if current.contains(&format!("rustc {version}")) {
            continue;
        }
        let name = &package.name;
        cmd!(
            shell,
            "rustup toolchain install {version} --profile minimal"
        )
        .quiet()
        .run()?;
        cmd!(
            shell,
            "rustup run {version} cargo check --package {name} --all-features --target-dir target/msrv"
        )
        .run()?;
        eprintln!("{name} compiles with Rust {version}");
    }
    Ok(())
}
