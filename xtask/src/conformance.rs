//! The official Python clients against `tinker serve`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// Versions of the official client, the folders they are installed in, and their scripts: the one the wire format was
/// taken from, and the last one that speaks JSON.
const CLIENTS: [(&str, &str, &str); 2] = [
    ("tinker==0.38.0", "target/conformance", "conformance.py"),
    ("tinker==0.24.1", "target/conformance-older", "older.py"),
];

/// Installs the official clients into environments of their own, starts a server and runs their scripts.
pub(crate) fn run() -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    cmd!(shell, "cargo build --package tinker-cli").run()?;
    let data = tempfile::tempdir()?;
    let server = Server::start(&root.join("target/debug/tinker"), data.path())?;
    for (version, folder, script) in CLIENTS {
        let python = install(&shell, &root.join(folder), version)?;
        let script = root.join("tests/python").join(script);
        let url = &server.url;
        cmd!(shell, "{python} {script} {url}")
            .run()
            .with_context(|| format!("the official client {version} found a difference"))?;
    }
    Ok(())
}

fn install(shell: &Shell, folder: &Path, version: &str) -> anyhow::Result<std::path::PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        cmd!(shell, "python3 -m venv {folder}").run()?;
    }
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check {version}"
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
