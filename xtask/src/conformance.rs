//! The official Python client against `tinker serve`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// The version the wire format was taken from.
const SDK: &str = "tinker==0.38.0";

/// Installs the official client into a scratch environment, starts a server and runs its script.
pub(crate) fn run() -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    let python = install(&shell, &root.join("target/conformance"))?;
    cmd!(shell, "cargo build --package tinker-cli").run()?;
    let data = tempfile::tempdir()?;
    let server = Server::start(&root.join("target/debug/tinker"), data.path())?;
    let script = root.join("tests/python/conformance.py");
    let url = &server.url;
    cmd!(shell, "{python} {script} {url}")
        .run()
        .context("the official client found a difference")?;
    Ok(())
}

fn install(shell: &Shell, folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        cmd!(shell, "python3 -m venv {folder}").run()?;
    }
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check {SDK}"
    )
    .run()?;
    Ok(python)
}

/// A server on a free port, stopped when it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .args(["serve", "--port", "0", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = process.stdout.take().context("the server has no output")?;
        for line in BufReader::new(stdout).lines() {
            if let Some(url) = line?.strip_prefix("listening on ") {
                return Ok(Self {
                    process,
                    url: url.trim().to_owned(),
                });
            }
        }
        bail!("the server ended before it listened: {}", process.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
