//! docs/servers.md.

use std::path::Path;

use xshell::{Shell, cmd};

use super::row::{Row, Rows};
use super::server::Kind;
use super::trial::Binaries;
use crate::output::Mode;

const INTRODUCTION: &str = "\
# Other servers

Servers of other projects that speak the Tinker API, as this client finds them. Each section is what `tinker doctor
--markdown` prints about one server: passed is as on the hosted service, noted is different without a loss, limited means
that something does not work though training and sampling do, failed means that training or sampling does not work.

`cargo xtask servers` writes this page. It installs the servers of other projects from PyPI and starts them on a machine
without a GPU, with the built-in model as base model; the trials below their tables are whole runs. Sections marked
stand-in show a dialect on the engine of this project behind a layer that speaks it (`tinker-client/examples/stand_ins.rs`):
they show what the client does, and nothing else about the servers with that dialect.

";

const TUFT: &str = "
TuFT samples with vLLM, which needs a GPU. In this run a small sampler with transformers and peft replaces it
(`tests/python/servers/tuft_cpu.py`); training, checkpoints and the API are TuFT's.
";

/// Keeps the rows of a server.
pub(super) fn keep(root: &Path, kind: Kind, rows: &Rows) -> anyhow::Result<()> {
    std::fs::write(kept(root, kind), serde_json::to_vec_pretty(rows)?)?;
    Ok(())
}

/// Writes the page from the last rows of every server, and from examinations of the engine and the stand-ins.
pub(super) fn write(root: &Path, binaries: &Binaries) -> anyhow::Result<()> {
    let mut page = INTRODUCTION.to_owned();
    page += &engine(root, binaries)?;
    for kind in Kind::ALL {
        let Ok(kept) = std::fs::read(kept(root, kind)) else {
            eprintln!("docs/servers.md is written once every server was tried");
            return Ok(());
        };
        let rows: Rows = serde_json::from_slice(&kept)?;
        // The heading of the examination is the name of the profile or the address.
        let examined = rows.doctor.split_once('\n').map_or("", |(_, rest)| rest);
        page.extend(["\n## ", &rows.title, "\n", examined]);
        if kind == Kind::Tuft {
            page += TUFT;
        }
        page += "\n| trial | result | |\n|---|---|---|\n";
        page.extend(rows.trials.iter().map(line));
    }
    let shell = Shell::new()?;
    let stand_ins = &binaries.stand_ins;
    let examined = cmd!(shell, "{stand_ins}").quiet().read()?;
    page.extend(["\n", examined.trim_end(), "\n"]);
    Mode::Write.apply("docs/servers.md", &page, "servers")
}

/// The examination of the engine of this project, in an empty home folder.
fn engine(root: &Path, binaries: &Binaries) -> anyhow::Result<String> {
    let shell = Shell::new()?;
    let home = root.join("home");
    shell.create_dir(&home)?;
    let tinker = &binaries.tinker;
    let page = cmd!(shell, "{tinker} doctor --markdown")
        .env("HOME", &home)
        .env_remove("TINKER_BASE_URL")
        .env_remove("TINKER_API_KEY")
        .quiet();
    Ok(page.ignore_status().read()? + "\n")
}

fn kept(root: &Path, kind: Kind) -> std::path::PathBuf {
    root.join(format!("{}.json", kind.name()))
}

fn line(row: &Row) -> String {
    let (word, note) = match &row.result {
        Ok(note) => ("works", note),
        Err(error) => ("**fails**", error),
    };
    format!("| {} | {word} | {} |\n", row.what, note.replace('|', "\\|"))
}
