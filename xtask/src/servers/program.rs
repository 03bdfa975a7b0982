//! Runs of the `tinker` command against a server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// Time limit of one run, after which it is killed.
const LIMIT: Duration = Duration::from_mins(5);

/// The command with its destination. It runs in an empty home folder, so that no settings of the user apply.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) binary: PathBuf,
    pub(super) url: String,
    pub(super) key: &'static str,
    pub(super) work: PathBuf,
}

impl Program {
    /// The command with arguments, not started.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.of(&self.binary, arguments)
    }

    fn of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.work)
            .env("HOME", &self.work)
            .env("TINKER_BASE_URL", &self.url)
            .env("TINKER_API_KEY", self.key)
            .env_remove("TINKER_CREDENTIAL_CMD")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command to its end, and reads the JSON it prints.
    pub(super) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let arguments = [arguments, &["--json"]].concat();
        let output = finished(self.command(&arguments).spawn()?)?;
        read(&output)
    }

    /// Runs the command to its end, and returns what it prints, also if the examined server has limits or faults.
    pub(super) fn page(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = finished(self.command(arguments).spawn()?)?;
        match output.status.code() {
            Some(0 | 1 | 4) if !output.stdout.is_empty() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            _ => passed(&output),
        }
    }

    /// Runs another program to its end, and returns what it prints.
    pub(super) fn other(&self, program: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let output = finished(self.of(program, arguments).spawn()?)?;
        passed(&output)
    }
}

/// The JSON of a finished run.
pub(super) fn read(output: &Output) -> anyhow::Result<Value> {
    serde_json::from_str(&passed(output)?).context("the output is not JSON")
}

fn passed(output: &Output) -> anyhow::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = errors
        .lines()
        .skip_while(|line| !line.starts_with("error:"));
    let error = lines.map(str::trim).collect::<Vec<_>>().join("; ");
    if error.is_empty() {
        bail!(
            "{}: {}",
            output.status,
            errors.lines().last().unwrap_or_default()
        );
    }
    bail!("{error}")
}

/// Waits for a process, and kills it after the time limit.
pub(super) fn finished(mut child: Child) -> anyhow::Result<Output> {
    let output = drained(&mut child);
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            bail!("no end after {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let [stdout, stderr] = output.map(|thread| thread.join().unwrap_or_default());
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

type Reader = std::thread::JoinHandle<Vec<u8>>;

/// Reads both outputs in threads, so that the process never waits for a reader.
fn drained(child: &mut Child) -> [Reader; 2] {
    let read = |source: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut source) = source {
                // Print the rows that were read before the error.
                let _ = source.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    [
        read(child.stdout.take().map(|pipe| Box::new(pipe) as _)),
        read(child.stderr.take().map(|pipe| Box::new(pipe) as _)),
    ]
}
