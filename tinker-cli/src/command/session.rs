//! `tinker session`: sessions of a server.

mod found;
mod search;
mod trace;

use std::collections::BTreeMap;

use serde::Serialize;
use tinker_types::{SessionId, SessionInfo};

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::listing::{Cell, Column, Kind, Properties, Row};

/// Show sessions: the work of one client, with its runs and samplers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: id, created, status, checkpoints, size, name, project, owner, and meta.KEY.

Examples:
  tinker session list
  tinker session search --name night --status failed --status errored
  tinker session search --meta team=search --filter 'size>1GB' --json
  tinker session info sess-1
  tinker session export-trace sess-1 --output trace.pftrace")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List sessions, newest first.
    List(search::ListSessionsArgs),
    /// Search sessions by name, metadata, project, owner or status.
    Search(Box<search::Args>),
    /// Show the runs and samplers of a session.
    Info {
        /// Id of the session.
        session: String,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Fetch a trace of a session, in the format of Perfetto (<https://ui.perfetto.dev>).
    ExportTrace(trace::Args),
}

/// A session with its runs and samplers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Details {
    session_id: SessionId,
    #[serde(flatten)]
    info: SessionInfo,
}

impl Row for Details {
    const NOUN: &'static str = "session";
    const COLUMNS: &'static [Column<Self>] = &[
        Column {
            name: "id",
            kind: Kind::Text,
            get: |session| Cell::Text(session.session_id.to_string()),
        },
        Column {
            name: "name",
            kind: Kind::Text,
            get: |session| Cell::text(session.info.display_name.as_deref()),
        },
        Column {
            name: "runs",
            kind: Kind::Text,
            get: |session| joined(&session.info.training_run_ids),
        },
        Column {
            name: "samplers",
            kind: Kind::Text,
            get: |session| joined(&session.info.sampler_ids),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["id", "name", "runs", "samplers"];

    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.info.user_metadata.as_ref()
    }
}

fn joined(ids: &[impl ToString]) -> Cell {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Cell::of(
        Some(ids.join(", ")).filter(|ids| !ids.is_empty()),
        Cell::Text,
    )
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::List(args) => search::list(args, context).await,
        Action::Search(args) => search::run(*args, context).await,
        Action::Info { session, service } => {
            let service = service.open(context)?;
            let session_id = SessionId::from(session);
            let info = service.client.sessions().get(&session_id).await?;
            context
                .report
                .print(&Properties(Details { session_id, info }))
        }
        Action::ExportTrace(args) => trace::run(args, context).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<found::Found>("session-list");
        check::<Details>("session-info");
        check::<trace::Exported>("session-export-trace");
    }
}
