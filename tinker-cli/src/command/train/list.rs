//! `tinker train list`, `show` and `diff`: past runs.

use std::path::PathBuf;

use serde::Serialize;

use super::past::{Past, shown};
use crate::context::Context;
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{FAINT, LABEL, TerminalStyle, paint};

/// Settings that are no settings: they differ between any two runs.
const VARYING: [&str; 3] = ["started", "command", "checkpoint_name"];

/// List the runs in a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker train list
  tinker train list experiments --json")]
pub(super) struct ListArgs {
    /// The folder with the run folders.
    #[arg(value_name = "DIR", default_value = "runs")]
    folder: PathBuf,
}

/// Show the settings and the state of a run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker train show runs/chats
  tinker train show runs/chats --json")]
pub(super) struct ShowArgs {
    /// Folder of the run.
    #[arg(value_name = "RUN", add = crate::completion::run_folders())]
    run: PathBuf,
}

/// Show the settings and results in which two runs differ.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker train diff runs/first runs/second")]
pub(super) struct DiffArgs {
    /// Folder of a run.
    #[arg(value_name = "RUN", add = crate::completion::run_folders())]
    first: PathBuf,
    /// Folder of another run.
    #[arg(value_name = "OTHER", add = crate::completion::run_folders())]
    second: PathBuf,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Past>);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Show(Past);

#[derive(Debug, Serialize)]
struct Difference {
    name: String,
    first: String,
    second: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Differences(Vec<Difference>);

pub(super) fn list(args: &ListArgs, context: &Context) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    let folders = match std::fs::read_dir(&args.folder) {
        Ok(folders) => folders.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let what = format!("cannot read {}", args.folder.display());
            return Err(anyhow::Error::from(error).context(what));
        }
    };
    for folder in folders {
        match Past::read(&folder.path()) {
            Ok(run) => runs.push(run),
            Err(error) if error.is::<crate::exit::Usage>() => {}
            Err(error) => context.printer.print_note(&format!("{error:#}")),
        }
    }
    runs.sort_by_key(|run| run.setting("started"));
    if runs.is_empty() {
        let note = format!("no runs in {}", args.folder.display());
        context.printer.print_note(&note);
    }
    context.report.print(&List(runs))
}

pub(super) fn show(args: &ShowArgs, context: &Context) -> anyhow::Result<()> {
    context.report.print(&Show(Past::read(&args.run)?))
}

pub(super) fn diff(args: &DiffArgs, context: &Context) -> anyhow::Result<()> {
    let (first, second) = (Past::read(&args.first)?, Past::read(&args.second)?);
    let names = first.settings.keys().chain(second.settings.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let setting = |name: &&String| {
        let (first, second) = (first.setting(name), second.setting(name));
        let differs = first != second && !VARYING.contains(&name.as_str());
        differs.then(|| Difference {
            name: (*name).clone(),
            first,
            second,
        })
    };
    let mut found: Vec<Difference> = names.iter().filter_map(setting).collect();
    for name in [
        "status",
        "steps",
        "first_loss",
        "last_loss",
        "before",
        "after",
    ] {
        let value = |run: &Past| {
            let value = run.summary.as_ref().and_then(|summary| summary.get(name));
            value.map_or_else(|| "-".to_owned(), shown)
        };
        let (first, second) = (value(&first), value(&second));
        if first != second {
            let name = format!("result {name}");
            found.push(Difference {
                name,
                first,
                second,
            });
        }
    }
    context.report.print(&Differences(found))
}

impl Printable for List {
    fn to_text(&self, _: TerminalStyle) -> String {
        let line = |run: &Past| {
            let loss = run.last.as_ref().and_then(|row| row.loss);
            format!(
                "{}  {}  {} of {} steps  loss {}  {}\n",
                run.run.display(),
                run.status,
                run.steps,
                run.setting("steps"),
                loss.map_or_else(|| "-".to_owned(), format::loss),
                paint(FAINT, run.setting("started")),
            )
        };
        self.0.iter().map(line).collect()
    }
}

impl Printable for Show {
    fn to_text(&self, _: TerminalStyle) -> String {
        let run = &self.0;
        let mut lines = vec![
            labelled(LABEL, "run", &run.run.display().to_string()),
            labelled(LABEL, "status", &run.status),
            labelled(
                LABEL,
                "steps",
                &format!("{} of {}", run.steps, run.setting("steps")),
            ),
        ];
        if let Some(row) = &run.last {
            let metrics = row
                .metrics
                .iter()
                .map(|(name, value)| format!("{name} {value:.4}"));
            let loss = row.loss.map(|loss| format!("loss {loss:.4}"));
            let shown: Vec<String> = loss.into_iter().chain(metrics).collect();
            lines.push(labelled(LABEL, "last step", &shown.join(", ")));
        }
        match &run.recipe {
            Some(recipe) => lines.extend(recipe.lines().map(|line| format!("  {line}"))),
            None => lines.extend(
                run.settings
                    .iter()
                    .map(|(name, value)| format!("  {name} = {value}")),
            ),
        }
        lines.join("\n") + "\n"
    }
}

impl Printable for Differences {
    fn to_text(&self, style: TerminalStyle) -> String {
        let line = |difference: &Difference| {
            let Difference {
                name,
                first,
                second,
            } = difference;
            format!("{name}: {first} {} {second}\n", style.arrow())
        };
        self.0.iter().map(line).collect()
    }
}
