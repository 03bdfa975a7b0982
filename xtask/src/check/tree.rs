//! `tinker-types` alone stays light: people who only prepare data build nothing else.

use std::collections::BTreeSet;

use xshell::{Shell, cmd};

use crate::output::workspace_root;

const MOST: usize = 30;
const NEVER: &[&str] = &["tokio", "http", "reqwest", "prost", "hyper", "tower"];

pub(super) fn check(faults: &mut Vec<String>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let format = "{p}";
    let tree = cmd!(
        shell,
        "cargo tree -p tinker-types -e normal --prefix none --format {format}"
    );
    let tree = tree.quiet().read()?;
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    if names.len() > MOST {
        faults.push(format!(
            "tinker-types builds {} crates by default; at most {MOST}",
            names.len()
        ));
    }
    for never in NEVER.iter().filter(|never| names.contains(*never)) {
        faults.push(format!("tinker-types must not build {never} by default"));
    }
    Ok(())
}
