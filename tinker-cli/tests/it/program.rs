//! Runs of the program in a temporary folder, without the settings and checkpoints of the user.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary folder to run in.
pub(crate) struct Workplace {
    folder: TempDir,
}

/// Exit code and output of a run.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    /// Creates a folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes examples that a model can learn: repeat a letter.
    pub(crate) fn write_examples(&self, name: &str, count: usize) {
        let line = |at: usize| {
            let letter = char::from(b'a' + (at % 26) as u8);
            format!("{{\"prompt\":\"say {letter}{at} ->\",\"completion\":\" {letter}\"}}\n")
        };
        self.write(name, &(0..count).map(line).collect::<String>());
    }

    /// The program with arguments, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tinker"));
        command.args(arguments);
        self.at_home(command)
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path());
        for name in [
            "TINKER_API_KEY",
            "TINKER_BASE_URL",
            "TINKER_CREDENTIAL_CMD",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "HTTP_PROXY",
            "http_proxy",
            "HF_HOME",
            "HF_HUB_CACHE",
            "HF_TOKEN",
            "XDG_CACHE_HOME",
            "LC_ALL",
            "LANG",
        ] {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a line in a shell.
    pub(crate) fn paste(&self, line: &str) -> Run {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        Run::of(self.at_home(shell).output().unwrap())
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }
}

impl Run {
    /// The result of a process that has ended.
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON on stdout.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Words of a command line, and more of them.
pub(crate) fn words<'a>(line: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    line.split(' ').chain(more.iter().copied()).collect()
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
