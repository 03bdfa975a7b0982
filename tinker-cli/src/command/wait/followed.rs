//! `tinker wait RUN`: follows a training run to its end.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tinker_train::{METRICS, RunView, StepRow};
use tokio::time::Instant;

use crate::command::train::{Past, folder_error};
use crate::context::Context;
use crate::exit::Interrupted;
use crate::format;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Time between two looks at the run folder.
const INTERVAL: Duration = Duration::from_millis(500);

/// The end of a run.
#[derive(Debug, Serialize)]
struct Followed {
    run: String,
    /// `finished`, `out_of_budget` or `interrupted`, and `dead` if its process ended without a result.
    status: String,
    /// Number of steps done.
    steps: usize,
    last: Option<StepRow>,
    checkpoint: Option<String>,
}

impl Printable for Followed {
    const JSON_LINE: bool = true;

    fn to_text(&self, _: TerminalStyle) -> String {
        let steps = format::count(self.steps, "step");
        let loss = self.last.as_ref().and_then(|row| row.loss);
        let loss = loss
            .map(|loss| format!(", loss {}", format::loss(loss)))
            .unwrap_or_default();
        format!(
            "{} is {} after {steps}{loss}\n",
            self.run,
            self.status.replace('_', " ")
        )
    }
}

/// The run did not end with a result.
#[derive(Debug, thiserror::Error)]
#[error("the run {run} is {status} after step {steps}; continue it with `train resume {run}`")]
struct Unfinished {
    run: String,
    status: String,
    steps: usize,
}

/// Follows a run until no process works on it. With `reports_status` an end without a result is an error.
pub(super) async fn follow(
    run: &Path,
    reports_status: bool,
    limit: Option<Duration>,
    context: &Context,
) -> anyhow::Result<()> {
    let notice = "stopped following; the run goes on";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let past = tokio::select! {
        biased;
        () = interrupt.requested() => return Err(Interrupted.into()),
        past = Box::pin(ended(run, limit, context)) => past?,
    };
    let summary = past.summary.as_ref();
    let text = |name: &str| Some(summary?.get(name)?.as_str()?.to_owned());
    let followed = Followed {
        run: run.display().to_string(),
        status: text("status").unwrap_or_else(|| "dead".to_owned()),
        steps: past.steps,
        checkpoint: text("checkpoint"),
        last: past.last,
    };
    context.report.print(&followed)?;
    let is_success = ["finished", "out_of_budget"].contains(&followed.status.as_str());
    if reports_status && !is_success {
        let Followed {
            run, status, steps, ..
        } = followed;
        return Err(Unfinished { run, status, steps }.into());
    }
    Ok(())
}

/// Waits until no process works on the run.
async fn ended(run: &Path, limit: Option<Duration>, context: &Context) -> anyhow::Result<Past> {
    let end = limit.map(|limit| Instant::now() + limit);
    let steps = Past::read(run)?.setting("steps").parse().unwrap_or(0);
    let mut progress = Progress::start(context.printer, "train", steps);
    let mut seen = None;
    // The result is written before the lock is released.
    while RunView::read(run).map_err(folder_error)?.is_held {
        let length = std::fs::metadata(run.join(METRICS))
            .map(|file| file.len())
            .ok();
        if seen != length {
            seen = length;
            let past = Past::read(run)?;
            let loss = past.last.as_ref().and_then(|row| row.loss);
            progress.update(
                past.steps,
                &loss
                    .map(|loss| format!("loss {}", format::loss(loss)))
                    .unwrap_or_default(),
            );
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            anyhow::bail!(
                "the run {} has not ended in time; it goes on",
                run.display()
            );
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Past::read(run)
}
