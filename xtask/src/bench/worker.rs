//! Measuring programs, which read a workload a line and print the numbers it gave.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

/// A running program, ended on drop.
pub(crate) struct Worker {
    name: &'static str,
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    greeting: String,
}

impl Worker {
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = process.stdout.take().context("a worker has no output")?;
        let mut worker = Self {
            name,
            input: process.stdin.take(),
            process,
            output: BufReader::new(stdout).lines(),
            greeting: String::new(),
        };
        worker.greeting = worker.line()?;
        Ok(worker)
    }

    /// Name of the program's column.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// First line of its output, which describes it.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// The numbers that a workload gave, or the reason it cannot be run.
    pub(crate) fn measure(&mut self, workload: &str) -> anyhow::Result<Result<Vec<f64>, String>> {
        let input = self.input.as_mut().context("a worker has no input")?;
        writeln!(input, "{workload}").with_context(|| format!("{} has ended", self.name))?;
        let answer = self.line()?;
        let numbers: Result<Vec<f64>, _> = answer.split(' ').map(str::parse).collect();
        Ok(numbers.map_err(|_| answer))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let line = self.output.next();
        let line = line.with_context(|| format!("{} ended; its message is above", self.name))?;
        Ok(line?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker exits at the end of its input.
        self.input = None;
        let _ = self.process.wait();
    }
}
