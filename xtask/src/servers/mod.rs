//! Open servers of the API: installed from `PyPI`, started on this machine and driven by the command and the client.

#![expect(
    clippy::disallowed_methods,
    reason = "waits for processes, whose time cannot be paused"
)]

mod environment;
mod page;
mod process;
mod program;
mod row;
mod server;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::flags::Servers;
use crate::output::workspace_root;
use crate::workspace::Workspace;
use environment::Environment;
use program::Program;
use row::Rows;
use server::{Kind, MODEL, Server};
use trial::{Binaries, Site};

/// Installs and starts each server, runs every trial, and writes docs/servers.md.
pub(crate) fn run(flags: &Servers) -> anyhow::Result<()> {
    let kinds = Kind::named(flags.server.as_deref())?;
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    cmd!(shell, "cargo build --package tinker-cli").run()?;
    cmd!(
        shell,
        "cargo build --package tinker-client --features profiles --example server --example stand_ins"
    )
    .run()?;
    let target = Workspace::read(&root)?.target_directory;
    let binaries = Binaries {
        tinker: target.join("debug/tinker"),
        example: target.join("debug/examples/server"),
        stand_ins: target.join("debug/examples/stand_ins"),
    };
    let root = environment::root(&target)?;
    let model = export(&shell, &binaries.tinker, &root)?;
    let mut failed = 0;
    for kind in kinds {
        let environment =
            Environment::install(&shell, &root, kind.name(), flags.python.as_deref())?;
        let work = root.join(format!("{}-run", kind.name()));
        shell.remove_path(&work)?;
        std::fs::create_dir_all(&work)?;
        let mut server = Server::new(kind, environment, &model, &work.join("server"))?;
        let mut rows = Rows::new(kind.title());
        let mut site = Site {
            program: program(&binaries, &server, &work),
            server: &mut server,
            binaries: &binaries,
            work: &work,
        };
        trial::run(&mut site, &mut rows)?;
        if flags.keep {
            keep(&mut server);
        } else if kind == Kind::SkyRl {
            server.stop();
            hand_over(&root, &binaries, &work, &mut rows, flags)?;
        }
        failed += rows.failed();
        if !flags.keep {
            page::keep(&root, kind, &rows)?;
        }
    }
    if !flags.keep {
        page::write(&root, &binaries)?;
    }
    match failed {
        0 => Ok(()),
        failed => bail!("{failed} rows failed"),
    }
}

fn program(binaries: &Binaries, server: &Server, work: &Path) -> Program {
    Program {
        binary: binaries.tinker.clone(),
        url: server.url(),
        key: server.kind.key(),
        work: work.to_owned(),
    }
}

/// The built-in model as a folder, in the precision of the comparison.
fn export(shell: &Shell, tinker: &Path, root: &Path) -> anyhow::Result<PathBuf> {
    let model = root.join("model");
    cmd!(
        shell,
        "{tinker} export {MODEL} --out {model} --dtype f32 --force"
    )
    .ignore_stdout()
    .quiet()
    .run()?;
    Ok(model)
}

/// A run of this project's engine, merged into its base model, as the base model of `SkyRL`.
fn hand_over(
    root: &Path,
    binaries: &Binaries,
    work: &Path,
    rows: &mut Rows,
    flags: &Servers,
) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let kind = Kind::SkyRl;
    let environment = Environment::install(&shell, root, kind.name(), flags.python.as_deref())?;
    let local = Program {
        binary: binaries.tinker.clone(),
        url: String::new(),
        key: "tml-local",
        work: work.to_owned(),
    };
    rows.attempt("a merged local run as base model", || {
        let (folder, expected) = trial::merged(&local, binaries)?;
        let mut server = Server::new(kind, environment, &folder, &work.join("server-of-merged"))?;
        let mut site = Site {
            program: program(binaries, &server, work),
            server: &mut server,
            binaries,
            work,
        };
        trial::handed_over(&mut site, &expected)
    });
    Ok(())
}

fn keep(server: &mut Server) {
    let url = server.url();
    if let Some(process) = server.keep() {
        let key = server.kind.key();
        eprintln!(
            "running: TINKER_BASE_URL={url} TINKER_API_KEY={key}; stop it with kill -- -{process}"
        );
    }
}
