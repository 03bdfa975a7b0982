//! A JSON Schema for each message that travels as JSON.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::output::{CODEGEN, Mode, workspace_root};

pub(super) fn run(mode: Mode) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for (name, schema) in tinker_types::schema::all() {
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        mode.apply(&format!("schemas/{name}.json"), &text, CODEGEN)?;
        names.insert(format!("{name}.json"));
    }
    for entry in std::fs::read_dir(workspace_root().join("schemas"))? {
        let entry = entry?;
        // The schemas of the command are written by its tests.
        if entry.file_type()?.is_dir() {
            continue;
        }
        if names.contains(&*entry.file_name().to_string_lossy()) {
            continue;
        }
        match mode {
            Mode::Check => bail!("schemas/{} belongs to no type", entry.file_name().display()),
            Mode::Write => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
