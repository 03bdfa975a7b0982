//! Every feature of every library compiles alone, and so do none and all of them.

use xshell::{Shell, cmd};

use crate::code::LIBRARIES;
use crate::output::workspace_root;
use crate::workspace::{Package, Workspace};

/// Checks each library with each set of features; only the library itself is compiled anew for most of them.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = workspace_root();
    let workspace = Workspace::read(&root)?;
    let shell = Shell::new()?;
    shell.change_dir(&root);
    for package in LIBRARIES.iter().filter_map(|name| workspace.package(name)) {
        let name = &package.name;
        for features in selections(package) {
            cmd!(shell, "cargo check --quiet --package {name} {features...}").run()?;
        }
    }
    Ok(())
}

/// The arguments of each run: none, each alone, all.
fn selections(package: &Package) -> Vec<Vec<&str>> {
    let features = package.features.keys().map(String::as_str);
    let mut all = vec![vec!["--no-default-features"]];
    for feature in features.filter(|feature| *feature != "default") {
        all.push(vec!["--no-default-features", "--features", feature]);
    }
    all.push(vec!["--all-features"]);
    all
}
