//! The official Python clients against `tinker serve`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::flags::Conformance;
use crate::output::workspace_root;
use crate::page::Page;
use crate::workspace::Workspace;

/// The client that defines the wire format.
const NEWEST: &str = "tinker==0.38.0";

/// Folder of its environment with torch.
const WITH_TORCH: &str = "conformance-torch";

/// The interpreter of an environment.
const PYTHON: &str = "bin/python";

/// Versions of the official client with their folders below the target folder and their scripts: the one that
/// defines the wire format, and the last one that uses JSON.
const CLIENTS: [(&str, &str, &str); 2] = [
    (NEWEST, "conformance", "conformance.py"),
    ("tinker==0.24.1", "conformance-older", "older.py"),
];

/// The script that every version runs.
const LOOP: &str = "loop.py";

/// Versions that run the loop besides [`CLIENTS`]: the first, and two between. Their number is small, as each takes a
/// minute to install.
const OTHERS: [&str; 2] = ["0.3.0", "0.15.0"];

/// Versions that run it on request.
const MORE: [&str; 5] = ["0.9.0", "0.18.2", "0.25.0", "0.30.4", "0.36.0"];

/// The page with the results.
const PAGE: Page = Page {
    path: "docs/conformance.md",
    command: "cargo xtask conformance --write",
};

/// Installs the official clients into separate environments, starts a server and runs their scripts; with `all`, those of
/// every version that the project was tested with. With the path of
/// a Python that has torch, the newer client also runs custom losses, and uploads them to a server that executes them.
pub(crate) fn run(flags: &Conformance) -> anyhow::Result<()> {
    let torch = flags.python.as_deref();
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    cmd!(shell, "cargo build --package tinker-cli").run()?;
    let target = Workspace::read(&root)?.target_directory;
    let data = tempfile::tempdir()?;
    let mut serve = Command::new(target.join("debug/tinker"));
    serve.args(["serve", "--port", "0", "--data-dir"]);
    let server = Server::start(serve.arg(data.path()))?;
    let mut table = Table::default();
    for (version, folder, script) in CLIENTS {
        let python = match torch.filter(|_| version == NEWEST) {
            Some(torch) => install_with_torch(&shell, &target.join(WITH_TORCH), torch)?,
            None => install(&shell, &target.join(folder), Path::new("python3"), version)?,
        };
        for script in [script, LOOP] {
            let counts = run_script(&shell, &python, script, &server)
                .with_context(|| format!("the official client {version} found a difference"))?;
            table.row(version, script, &counts);
        }
    }
    let more: &[&str] = if flags.all { &MORE } else { &[] };
    for version in OTHERS.iter().chain(more) {
        let folder = target.join(format!("conformance-{version}"));
        let package = format!("tinker=={version}");
        let python = install(&shell, &folder, Path::new("python3"), &package)?;
        let counts = run_script(&shell, &python, LOOP, &server)
            .with_context(|| format!("the official client {version} found a difference"))?;
        table.row(&package, LOOP, &counts);
    }
    if torch.is_some() {
        let package = ["--package", "tinker-local", "--features", "serve"];
        cmd!(shell, "cargo build {package...} --example behave").run()?;
        let mut behave = Command::new(target.join("debug/examples/behave"));
        let server = Server::start(behave.arg("losses"))?;
        let python = target.join(WITH_TORCH).join(PYTHON);
        let counts = run_script(&shell, &python, "traced.py", &server)
            .context("losses that the server runs differ")?;
        table.row(NEWEST, "traced.py", &counts);
    }
    if flags.write {
        PAGE.write(&table.0, &[])?;
    }
    Ok(())
}

/// Runs a script and shows its output. Returns the last line: the number of rows that passed, failed and were skipped.
fn run_script(
    shell: &Shell,
    python: &Path,
    script: &str,
    server: &Server,
) -> anyhow::Result<String> {
    let script = workspace_root().join("tests/python").join(script);
    let url = &server.url;
    let output = cmd!(shell, "{python} {script} {url}")
        .ignore_status()
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("{} ended with {}", script.display(), output.status);
    }
    let counts = said.lines().last().unwrap_or_default();
    Ok(counts.to_owned())
}

/// The results of each version, as a table in Markdown.
struct Table(String);

impl Default for Table {
    fn default() -> Self {
        Self("| client | script | rows |\n|---|---|---|\n".to_owned())
    }
}

impl Table {
    fn row(&mut self, version: &str, script: &str, counts: &str) {
        let _ = writeln!(
            self.0,
            "| {version} | [{script}](../tests/python/{script}) | {counts} |"
        );
    }
}

/// Makes an environment with a version of the client. The first versions do not install transformers by themselves, which
/// `get_tokenizer` needs.
fn install(shell: &Shell, folder: &Path, base: &Path, version: &str) -> anyhow::Result<PathBuf> {
    let python = folder.join(PYTHON);
    if !python.exists() {
        cmd!(shell, "{base} -m venv {folder}").run()?;
    }
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check {version} transformers"
    )
    .run()?;
    Ok(python)
}

/// Makes an environment that imports torch from the given Python, so that some gigabytes need not be copied.
fn install_with_torch(shell: &Shell, folder: &Path, torch: &Path) -> anyhow::Result<PathBuf> {
    let find = "import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))";
    let lender = cmd!(shell, "{torch} -c {find}")
        .read()
        .with_context(|| format!("{} has no torch", torch.display()))?;
    // An old environment could contain packages that hide those the client needs.
    let _fresh = std::fs::remove_dir_all(folder);
    let python = install(shell, folder, torch, NEWEST)?;
    let find = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = cmd!(shell, "{python} -c {find}").read()?;
    std::fs::write(Path::new(&packages).join("torch.pth"), lender + "\n")?;
    Ok(python)
}

/// A server on a free port, stopped when it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command
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
