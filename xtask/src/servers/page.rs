//! docs/servers.md.

use super::row::{Row, Rows};
use crate::output::Mode;

const INTRODUCTION: &str = "\
# Other servers

Servers of other projects that speak the Tinker API, as this client finds them. `cargo xtask servers` installs them from
PyPI, starts them on a machine without a GPU, with the built-in model as base model, and writes this page.
";

const TUFT: &str = "
TuFT samples with vLLM, which needs a GPU. In this run a small sampler with transformers and peft replaces it
(`tests/python/servers/tuft_cpu.py`); training, checkpoints and the API are TuFT's.
";

/// Writes the page.
pub(super) fn write(tables: &[Rows]) -> anyhow::Result<()> {
    let mut page = INTRODUCTION.to_owned();
    for rows in tables {
        page.push_str("\n## ");
        page.push_str(rows.title);
        page.push('\n');
        if rows.title.starts_with("TuFT") {
            page += TUFT;
        }
        page += "\n| trial | result | |\n|---|---|---|\n";
        page.extend(rows.rows.iter().map(line));
    }
    Mode::Write.apply("docs/servers.md", &page, "servers")
}

fn line(row: &Row) -> String {
    let (word, note) = match &row.result {
        Ok(note) => ("works", note),
        Err(error) => ("**fails**", error),
    };
    format!("| {} | {word} | {} |\n", row.what, note.replace('|', "\\|"))
}
