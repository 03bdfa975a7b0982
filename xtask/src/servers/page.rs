//! docs/servers.md.

use std::path::Path;

use super::row::{Row, Rows};
use super::server::Kind;
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

/// Keeps the rows of a server, and writes the page from the last rows of every server.
pub(super) fn write(root: &Path, kind: Kind, rows: &Rows) -> anyhow::Result<()> {
    let file = |kind: Kind| root.join(format!("{}.json", kind.name()));
    std::fs::write(file(kind), serde_json::to_vec_pretty(rows)?)?;
    let mut page = INTRODUCTION.to_owned();
    for kind in Kind::ALL {
        let Ok(kept) = std::fs::read(file(kind)) else {
            eprintln!("docs/servers.md is written once every server was tried");
            return Ok(());
        };
        let rows: Rows = serde_json::from_slice(&kept)?;
        page.push_str("\n## ");
        page.push_str(&rows.title);
        page.push('\n');
        if kind == Kind::Tuft {
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
