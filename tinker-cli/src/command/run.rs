//! `tinker run`: training runs of a server.

use std::collections::BTreeMap;

use tinker_client::{AccessScope, ListOptions};
use tinker_types::{Checkpoint, TrainingRun};

use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::listing::{self, Cell, Column, Kind, ListArgs, Properties, Row, Seen, WatchArgs};
use crate::report::Printable as _;

/// Largest page that the hosted service answers with.
const PAGE: u64 = 100;

/// Show the training runs of a server.
///
/// A RUN is the id of a run, the address of one of its checkpoints, the folder that `tinker train` wrote, or `latest`:
/// the run with the newest request.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: id, model, owner, rank, updated, status, checkpoint, checkpoint_time, sampler, and meta.KEY.

Examples:
  tinker run list
  tinker run list --filter model~qwen --filter 'updated>7d' --sort -updated
  tinker run list --limit 0 --json | jq -r .training_run_id
  tinker run list --limit 0 --watch=10
  tinker run info latest
  tinker run info runs/data-20260131-120000")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List training runs.
    List {
        /// List only the runs of a project.
        #[arg(long, value_name = "ID")]
        project: Option<String>,
        /// List all runs that the key may read, not only those of its owner.
        #[arg(long)]
        all_owners: bool,
        #[command(flatten)]
        watch: WatchArgs,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Show one training run.
    Info {
        /// The run.
        #[arg(add = crate::completion::runs())]
        run: String,
        #[command(flatten)]
        watch: WatchArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

fn id(checkpoint: Option<&Checkpoint>) -> Cell {
    Cell::text(checkpoint.map(|checkpoint| checkpoint.checkpoint_id.as_str()))
}

impl Row for TrainingRun {
    const NOUN: &'static str = "run";
    const COLUMNS: &'static [Column<Self>] = &[
        Column {
            name: "id",
            kind: Kind::Text,
            get: |run| Cell::Text(run.training_run_id.to_string()),
        },
        Column {
            name: "model",
            kind: Kind::Text,
            get: |run| Cell::Text(run.base_model.clone()),
        },
        Column {
            name: "owner",
            kind: Kind::Text,
            get: |run| Cell::Text(run.model_owner.clone()),
        },
        Column {
            name: "rank",
            kind: Kind::Number,
            get: |run| match run.lora_rank {
                _ if !run.is_lora => Cell::Missing("none"),
                rank => Cell::of(rank, |rank| Cell::Count(rank.into())),
            },
        },
        Column {
            name: "updated",
            kind: Kind::Time,
            get: |run| Cell::Time(run.last_request_time),
        },
        Column {
            name: "status",
            kind: Kind::Text,
            get: |run| Cell::text(Some(if run.corrupted { "corrupted" } else { "ok" })),
        },
        Column {
            name: "checkpoint",
            kind: Kind::Text,
            get: |run| id(run.last_checkpoint.as_ref()),
        },
        Column {
            name: "checkpoint_time",
            kind: Kind::Time,
            get: |run| {
                let time = run
                    .last_checkpoint
                    .as_ref()
                    .map(|checkpoint| checkpoint.time);
                Cell::of(time, Cell::Time)
            },
        },
        Column {
            name: "sampler",
            kind: Kind::Text,
            get: |run| id(run.last_sampler_checkpoint.as_ref()),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["id", "model", "rank", "updated", "status"];

    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.user_metadata.as_ref()
    }
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::List {
            project,
            all_owners,
            watch,
            list,
            service,
        } => {
            let every = watch.every(context)?;
            let list = list.plan::<TrainingRun>()?;
            let service = service.open(context)?;
            let options = || {
                let mut options = ListOptions::default().with_page_size(list.page_size(PAGE));
                options.project_id.clone_from(&project);
                options
            };
            let scope = if all_owners {
                AccessScope::Accessible
            } else {
                AccessScope::default()
            };
            let runs = service.client.runs().with_access_scope(scope);
            let Some(every) = every else {
                return list.print(runs.list(options()), context).await;
            };
            let read = async || list.see(runs.list(options()), context).await;
            listing::watch(every, context, read).await
        }
        Action::Info {
            run,
            watch,
            service,
        } => {
            let every = watch.every(context)?;
            let service = service.open(context)?;
            let id = reference::run(&run, &service.client, context.printer).await?;
            let read = async || anyhow::Ok(service.client.runs().get(&id).await?);
            let Some(every) = every else {
                return context.report.print(&Properties(read().await?));
            };
            let read = async || {
                let run = read().await?;
                Ok(Seen {
                    objects: [(id.to_string(), serde_json::to_value(&run)?)].into(),
                    text: Properties(run).to_text(context.printer.style).into_bytes(),
                    is_whole: true,
                })
            };
            listing::watch(every, context, read).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<TrainingRun>("run");
    }
}
