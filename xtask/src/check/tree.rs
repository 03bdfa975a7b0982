//! Bounds on the dependency tree of a crate.

use std::collections::BTreeSet;

use xshell::{Shell, cmd};

use crate::output::workspace_root;
use crate::workspace::Workspace;

/// The bounds of a crate.
struct Bound {
    name: &'static str,
    /// Arguments of `cargo tree`.
    features: &'static [&'static str],
    /// The greatest number of crates, its own included.
    most: usize,
    never: &'static [&'static str],
}

/// The crates that must stay light, for users who need only one of them.
const BOUNDS: [Bound; 3] = [
    Bound {
        name: "tinker-types",
        features: &[],
        most: 30,
        never: &["tokio", "http", "reqwest", "prost", "hyper", "tower"],
    },
    Bound {
        name: "tinker-data",
        features: &["--no-default-features"],
        most: 35,
        never: &["tokio", "http", "reqwest", "hyper", "tower"],
    },
    Bound {
        name: "tinker-engine",
        features: &["--all-features"],
        most: usize::MAX,
        never: &["tinker-types", "tokio", "http", "reqwest", "hyper", "tower"],
    },
];

pub(super) fn check(workspace: &Workspace, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    for bound in &BOUNDS {
        let (name, features) = (bound.name, bound.features);
        if workspace.package(name).is_none() {
            continue;
        }
        let format = "{p}";
        let tree = cmd!(
            shell,
            "cargo tree --package {name} {features...} --edges normal --prefix none --format {format}"
        );
        check_tree(bound, &tree.quiet().read()?, faults);
    }
    Ok(())
}

/// `tree` is the output of `cargo tree`, a crate a line.
fn check_tree(bound: &Bound, tree: &str, faults: &mut Vec<String>) {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    let (name, most) = (bound.name, bound.most);
    if names.len() > most {
        let count = names.len();
        faults.push(format!("{name} builds {count} crates; at most {most}"));
    }
    for never in bound.never.iter().filter(|never| names.contains(*never)) {
        faults.push(format!("{name} must not build {never}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_crates_and_forbidden_ones_are_refused() {
        let bound = Bound {
            name: "x",
            features: &[],
            most: 2,
            never: &["tokio", "http"],
        };
        let mut faults = Vec::new();
        check_tree(&bound, "x v0.1\nserde v1\n\nserde v1 (*)\n", &mut faults);
        assert_eq!(faults, [""; 0]);
        check_tree(&bound, "x v0.1\nserde v1\ntokio v1\n", &mut faults);
        assert_eq!(
            faults,
            ["x builds 3 crates; at most 2", "x must not build tokio"]
        );
    }
}
