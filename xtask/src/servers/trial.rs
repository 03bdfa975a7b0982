//! Trials on each server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::program::{Program, finished, read};
use super::row::Rows;
use super::server::{MODEL, Server};

/// Options of every training run: examples of about one length, so that a server that compiles its kernels for each
/// shape compiles few.
const RUN: [&str; 10] = [
    "train",
    "data.jsonl",
    "--eval",
    "eval.jsonl",
    "--batch-size",
    "16",
    "--learning-rate",
    "0.003",
    "--rank",
    "16",
];

/// Steps of the first run, and of the one that is continued.
const STEPS: [&str; 2] = ["30", "45"];

/// A text whose log probabilities are compared.
const TEXT: &str = "Once upon a time there was a fox who lived near the river.";

/// Largest difference of a log probability between this project's engine and a server that has the same weights.
const TOLERANCE: f64 = 2e-3;

/// Paths of the programs.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) tinker: PathBuf,
    /// The example `server` of `tinker-client`.
    pub(super) example: PathBuf,
    /// The example `stand_ins` of `tinker-client`.
    pub(super) stand_ins: PathBuf,
}

/// Everything that the trials on a server need.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) server: &'a mut Server,
    pub(super) program: Program,
    pub(super) binaries: &'a Binaries,
    /// Folder of the run's files.
    pub(super) work: &'a Path,
}

/// Runs every trial.
pub(super) fn run(site: &mut Site<'_>, rows: &mut Rows) -> anyhow::Result<()> {
    write_data(site.work)?;
    if rows
        .attempt("start, until it is ready", || ready(site))
        .is_none()
    {
        return Ok(());
    }
    let trained = rows.attempt("train, the loss falls", || train(site));
    if let Some(trained) = &trained {
        rows.attempt("sample from the checkpoint", || sample(site, trained));
        rows.attempt("resume from the checkpoint", || resume(site, trained));
        rows.attempt("first loss as on the own engine", || compare(site, trained));
    }
    rows.attempt("the Rust loop of the README", || {
        let said = site.program.other(&site.binaries.example, &["loop"])?;
        Ok(((), said.trim().to_owned()))
    });
    rows.attempt("train by the name of a profile", || by_name(site));
    rows.attempt("restart in the middle of a run", || restart(site));
    rows.doctor = site.program.page(&["doctor", "--markdown"])?;
    Ok(())
}

/// A profile of the user that extends the built-in one, with the address of this server.
fn by_name(site: &Site<'_>) -> anyhow::Result<((), String)> {
    let like = site.server.kind.profile();
    let address = ["config", "set", "servers.here.base_url", &site.program.url];
    site.program.other(&site.binaries.tinker, &address)?;
    let like = ["config", "set", "servers.here.like", like];
    site.program.other(&site.binaries.tinker, &like)?;
    let options = ["--steps", "3", "--output", "by-name", "--server", "here"];
    let run = site.program.json(&[&RUN[..], &options].concat())?;
    let (first, last) = (
        number(&run, "first_loss")?,
        number(&run["metrics"][2], "loss")?,
    );
    Ok((
        (),
        format!("--server here: 3 steps, mean loss {first:.2}, {last:.2} in the last"),
    ))
}

fn write_data(work: &Path) -> anyhow::Result<()> {
    let data = crate::output::workspace_root().join("examples/data");
    for (name, source, lines) in [
        ("data.jsonl", "pig-latin.jsonl", 640),
        ("eval.jsonl", "pig-latin-eval.jsonl", 8),
    ] {
        let text = std::fs::read_to_string(data.join(source))?;
        let part: Vec<&str> = text.lines().take(lines).collect();
        std::fs::write(work.join(name), part.join("\n") + "\n")?;
    }
    Ok(())
}

/// Starts the server, and waits until it creates an adapter.
pub(super) fn ready(site: &mut Site<'_>) -> anyhow::Result<((), String)> {
    site.server.start()?;
    let wait = site.program.json(&["wait", "--timeout", "180"]);
    site.server.check()?;
    let waited = wait?;
    Ok((
        (),
        format!("adapter after {:.1} s", number(&waited, "seconds")?),
    ))
}

fn train(site: &Site<'_>) -> anyhow::Result<(Value, String)> {
    let run = site
        .program
        .json(&[&RUN[..], &["--steps", STEPS[0], "--output", "first"]].concat())?;
    let note = learned(&run, STEPS[0])?;
    Ok((run, note))
}

fn sample(site: &Site<'_>, trained: &Value) -> anyhow::Result<((), String)> {
    let path = text(trained, "sampler")?;
    let prompt = trained["samples"][0]["prompt"]
        .as_str()
        .context("no held-out prompt")?;
    let options = ["--model", path, "--temperature", "0", "--max-tokens", "24"];
    let sampled = site
        .program
        .json(&[&["sample", prompt], &options[..]].concat())?;
    let answer = text(&sampled["samples"][0], "text")?;
    let before = trained["samples"][0]["after"]["text"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        answer.trim() == before.trim(),
        "{answer:?}, but {before:?} at the end of the run"
    );
    Ok((
        (),
        format!("{prompt:?}: {answer:?}, as at the end of the run"),
    ))
}

fn resume(site: &Site<'_>, trained: &Value) -> anyhow::Result<((), String)> {
    let path = text(trained, "checkpoint")?;
    let mut options = RUN.to_vec();
    options.truncate(options.len() - 2); // the checkpoint has a rank
    options.extend([
        "--resume",
        path,
        "--first-step",
        STEPS[0],
        "--steps",
        STEPS[1],
        "--output",
        "second",
    ]);
    let run = site.program.json(&options)?;
    let (ended, begun) = (number(trained, "last_loss")?, first_loss(&run)?);
    // The schedule of the longer run has a higher rate at this step; the weights are those of the checkpoint.
    ensure!(
        begun < 1.5 * ended,
        "the loss goes on at {begun:.3} after {ended:.3}"
    );
    Ok((
        (),
        format!("the loss goes on at {begun:.2} after {ended:.2}"),
    ))
}

/// The first step of the same run on the engine of this project: a fresh adapter has no effect, so the loss is that of the
/// base model on the same batch.
fn compare(site: &Site<'_>, trained: &Value) -> anyhow::Result<((), String)> {
    let options = [
        "--local",
        "--data-dir",
        "local",
        "--steps",
        "1",
        "--output",
        "local-run",
    ];
    let local = site.program.json(&[&RUN[..], &options[..]].concat())?;
    let (here, there) = (first_loss(&local)?, first_loss(trained)?);
    ensure!(
        (here - there).abs() < TOLERANCE * here,
        "{there:.5}, but {here:.5} here"
    );
    Ok(((), format!("{there:.5} there, {here:.5} here")))
}

/// Stops the server in the middle of a run that saves checkpoints, and starts it again with its data.
fn restart(site: &mut Site<'_>) -> anyhow::Result<((), String)> {
    let options = [
        "--steps",
        "40",
        "--save-every",
        "10",
        "--output",
        "restarted",
        "--json",
    ];
    let run = site
        .program
        .command(&[&RUN[..], &options[..]].concat())
        .spawn()?;
    let metrics = site.work.join("restarted/metrics.jsonl");
    let began = Instant::now();
    let steps = || {
        std::fs::read_to_string(&metrics)
            .unwrap_or_default()
            .lines()
            .count()
    };
    while steps() < 14 && began.elapsed() < Duration::from_mins(4) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let at = steps();
    site.server.stop();
    site.server.start()?;
    let output = finished(run)?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let run = read(&output)?;
    let from = errors
        .split_once("continuing from ")
        .and_then(|(_, rest)| rest.lines().next()?.rsplit('/').next());
    // A server may restore an older state without an error, so the run has to go back to a checkpoint of its own.
    let from = from.context("the run did not go back to a checkpoint")?;
    let note = learned(&run, "40")?;
    Ok((
        (),
        format!("stopped after step {at}, went on from checkpoint {from}; {note}"),
    ))
}

/// Trains on the engine of this project, and returns the folder of the merged model and the log probabilities of the text.
pub(super) fn merged(
    program: &Program,
    binaries: &Binaries,
) -> anyhow::Result<(PathBuf, Vec<f64>)> {
    let place = ["--local", "--data-dir", "local"];
    let options = ["--steps", STEPS[0], "--output", "handed-over"];
    let run = program.json(&[&RUN[..], &place, &options[..]].concat())?;
    let sampler = text(&run, "sampler")?;
    let data = ["--data-dir", "local"];
    let out = ["--out", "merged", "--dtype", "f32", "--force"];
    let handover = ["handover", "handed-over", "--to", "skyrl"];
    program.json(&[&handover[..], &data[..], &out[..]].concat())?;
    let mut serve = program.command(&[&["serve", "--port", "0", "--json"], &data[..]].concat());
    let mut server = serve.stderr(std::process::Stdio::null()).spawn()?;
    let values = address(&mut server).and_then(|url| {
        let local = Program {
            binary: program.binary.clone(),
            url,
            key: "tml-local",
            work: program.work.clone(),
        };
        logprobs(&local, binaries, &[sampler])
    });
    server.kill()?;
    server.wait()?;
    Ok((program.work.join("merged"), values?))
}

/// The log probabilities of the text on a server whose base model is the merged one, compared with those of the engine.
pub(super) fn handed_over(site: &mut Site<'_>, expected: &[f64]) -> anyhow::Result<((), String)> {
    ready(site)?;
    let there = logprobs(&site.program, site.binaries, &[])?;
    ensure!(
        there.len() == expected.len(),
        "{} values instead of {}",
        there.len(),
        expected.len()
    );
    let differences = there
        .iter()
        .zip(expected)
        .map(|(there, here)| (there - here).abs());
    let worst = differences.fold(0.0, f64::max);
    ensure!(
        worst < TOLERANCE,
        "log probabilities differ by up to {worst:.1e}"
    );
    Ok((
        (),
        format!("{} log probabilities within {worst:.0e}", there.len()),
    ))
}

fn logprobs(program: &Program, binaries: &Binaries, model: &[&str]) -> anyhow::Result<Vec<f64>> {
    let said = program.other(&binaries.example, &[&["logprobs", TEXT], model].concat())?;
    let values: Vec<Option<f64>> = serde_json::from_str(&said)?;
    ensure!(
        values.len() == TEXT.len() && values[0].is_none(),
        "{} values",
        values.len()
    );
    Ok(values.into_iter().flatten().collect())
}

/// The address that `tinker serve` prints.
fn address(server: &mut std::process::Child) -> anyhow::Result<String> {
    use std::io::BufRead as _;
    let stdout = server.stdout.take().context("the server has no output")?;
    let mut line = String::new();
    std::io::BufReader::new(stdout).read_line(&mut line)?;
    let listening: Value = serde_json::from_str(&line)?;
    Ok(text(&listening, "url")?.to_owned())
}

/// A finished run whose loss fell, as a note.
fn learned(run: &Value, steps: &str) -> anyhow::Result<String> {
    ensure!(run["status"] == "finished", "status {}", run["status"]);
    ensure!(
        run["steps"].as_u64() == steps.parse().ok(),
        "{} steps",
        run["steps"]
    );
    let (first, last) = (number(run, "first_loss")?, number(run, "last_loss")?);
    ensure!(
        last < 0.8 * first,
        "the loss went from {first:.2} to {last:.2}"
    );
    Ok(format!(
        "loss {first:.2} to {last:.2} in {steps} steps on {MODEL}"
    ))
}

fn first_loss(run: &Value) -> anyhow::Result<f64> {
    number(&run["metrics"][0], "loss")
}

fn number(value: &Value, name: &str) -> anyhow::Result<f64> {
    value[name]
        .as_f64()
        .with_context(|| format!("no number {name:?}"))
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    match value[name].as_str() {
        Some(text) => Ok(text),
        None => bail!("no text {name:?}"),
    }
}
