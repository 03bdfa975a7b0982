//! `tinker unload`: runs that hold a place on a server.

use serde::Serialize;
use tinker_client::{CheckpointPath, ListOptions, ServiceClient};
use tinker_types::ModelId;

use crate::connect::{Connection, ServerArgs};
use crate::context::Context;
use crate::exit::Usage;
use crate::one_by_one::each;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Release runs on a server that limits how many are loaded.
///
/// Some servers keep a run loaded after its program has ended, and sample from its checkpoints only while it is. Without
/// RUN the runs that the server lists are printed. Checkpoints stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker unload --server skyrl
  tinker unload model_36dd2d18 --server skyrl
  tinker unload tinker://RUN/sampler_weights/final --base-url http://gpu-1:8000")]
pub(crate) struct Args {
    /// Runs, or checkpoints of them.
    #[arg(value_name = "RUN|CHECKPOINT", add = crate::completion::runs())]
    runs: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs on a server.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Answer {
    server: String,
    /// Runs that were released.
    unloaded: Vec<String>,
    /// Runs that were not released, after a failure or an interruption.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<String>,
    /// Runs that the server lists; `None` if some were released.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Vec<Listed>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Listed {
    run: String,
    base_model: String,
    last_request: String,
}

impl Printable for Answer {
    fn to_text(&self, _: TerminalStyle) -> String {
        let unloaded = self.unloaded.iter().map(|run| format!("unloaded {run}\n"));
        let left = self.left.iter().map(|run| format!("left {run}\n"));
        let mut text: String = unloaded.chain(left).collect();
        for listed in self.runs.iter().flatten() {
            let Listed {
                run,
                base_model,
                last_request,
            } = listed;
            text += &format!("{run}  {base_model}  last request {last_request}\n");
        }
        if self.runs.as_ref().is_some_and(Vec::is_empty) {
            text += &format!("{} lists no runs\n", self.server);
        }
        text
    }
}

/// Releases runs, or lists them.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let server = args.server.find()?;
    let server = server.ok_or_else(|| Usage("name a server with --server or --base-url".into()))?;
    let shown = server.config.shown_base_url();
    context.printer.print_labelled("server", &shown);
    let service = ServiceClient::new(server.config)?;
    let _narration = Connection::watch(&service, &shown, context.printer);
    context.interrupt.listen_silently()?;
    let runs = args.runs.iter().map(|run| run_of(run));
    let runs: Vec<ModelId> = runs.collect::<Result<_, _>>()?;
    let is_list = runs.is_empty();
    let request = async |run: &ModelId| Ok(service.unload_model(run.clone()).await?);
    let attempted = each(runs, context, request).await;
    let names = |runs: &[ModelId]| runs.iter().map(ToString::to_string).collect();
    let mut answer = Answer {
        server: shown,
        unloaded: names(&attempted.done),
        left: names(&attempted.left),
        runs: None,
    };
    if is_list {
        let runs = async { Ok(service.runs().list(ListOptions::default()).all().await?) };
        let runs = context.interrupt.or_stop(runs).await?;
        let listed = |run: tinker_types::TrainingRun| Listed {
            run: run.training_run_id.to_string(),
            base_model: run.base_model,
            last_request: run.last_request_time.to_string(),
        };
        answer.runs = Some(runs.into_iter().map(listed).collect());
    }
    if attempted.has_result() {
        context.report.print(&answer)?;
    }
    attempted.end
}

/// The run that a text names, by its id or by one of its checkpoints.
fn run_of(text: &str) -> Result<ModelId, Usage> {
    if !CheckpointPath::is_address(text) {
        return Ok(text.into());
    }
    let path = CheckpointPath::parse_for_sampling(text);
    Ok(path
        .map_err(|error| Usage(error.to_string()))?
        .run()
        .clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<Answer>("unload");
    }
}
