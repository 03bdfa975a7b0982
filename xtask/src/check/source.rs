//! Rules about source files: short, described, and free of what belongs elsewhere.

use std::path::{Path, PathBuf};

use crate::output::workspace_root;

const LONGEST: usize = 400;

/// A word that may stand in some library files only.
struct Reserved {
    word: &'static str,
    crates: &'static [&'static str],
    only_in: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        word: "reqwest::",
        crates: &[
            "tinker-types",
            "tinker-transport",
            "tinker-client",
            "tinker-local",
        ],
        only_in: "tinker-transport/src/leaf/",
    },
    Reserved {
        word: "env::var",
        crates: &[
            "tinker-types",
            "tinker-transport",
            "tinker-client",
            "tinker-local",
        ],
        only_in: "tinker-client/src/config/env.rs",
    },
];

pub(super) fn check(faults: &mut Vec<String>) -> anyhow::Result<()> {
    let root = workspace_root();
    let folders = [
        "tinker-types",
        "tinker-transport",
        "tinker-client",
        "tinker-local",
        "tinker-cli",
        "xtask",
        "tests",
        "examples",
    ];
    for folder in folders {
        for file in rust_files(&root.join(folder))? {
            let text = std::fs::read_to_string(&file)?;
            let name = file
                .strip_prefix(&root)
                .unwrap_or(&file)
                .to_string_lossy()
                .replace('\\', "/");
            check_file(&name, &text, faults);
        }
    }
    Ok(())
}

fn check_file(name: &str, text: &str, faults: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!(
            "{name}: {lines} lines; at most {LONGEST}: find the second noun in it"
        ));
    }
    let is_test = name.ends_with("/tests.rs") || name.contains("/src/") && name.contains("/tests/");
    if !is_test && !text.starts_with("//!") && !text.starts_with("#![doc") {
        faults.push(format!(
            "{name}: does not say what it is; begin with a line of `//!`"
        ));
    }
    // In two pieces, so that this file does not find itself.
    for marker in [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
    ] {
        if text.contains(marker) {
            faults.push(format!("{name}: holds the unfinished marker `{marker}`"));
        }
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for rule in RESERVED {
        let inside = rule
            .crates
            .iter()
            .any(|krate| name.starts_with(&format!("{krate}/src/")));
        let found = code
            .lines()
            .any(|line| !line.trim_start().starts_with("//") && line.contains(rule.word));
        if inside && found && !name.starts_with(rule.only_in) && !name.ends_with("/tests.rs") {
            faults.push(format!(
                "{name}: only {} may say `{}`",
                rule.only_in, rule.word
            ));
        }
    }
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "generated" && name != "target" && !name.starts_with('.') {
                files.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
