//! `tinker audit`: the audit log of an organization.

use futures_util::stream;
use jiff::civil::Date;
use tinker_types::{AuditEntry, AuditScope};

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::listing::{Cell, Column, Kind, ListArgs, Row};

/// Show the audit log of one day.
///
/// The key needs the permission to read the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: time, event, run, checkpoint, purpose, actor.

Examples:
  tinker audit
  tinker audit --events checkpoints --day 2026-01-31 --limit 0
  tinker audit --filter event=checkpoint_delete --json")]
pub(crate) struct Args {
    /// Objects whose events are shown.
    #[arg(long, value_enum, default_value_t)]
    events: Events,
    /// Day in UTC [default: today].
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Date>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Objects of events.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Events {
    #[default]
    All,
    Checkpoints,
    Projects,
    Teams,
    Organizations,
}

impl From<Events> for AuditScope {
    fn from(events: Events) -> Self {
        match events {
            Events::All => Self::All,
            Events::Checkpoints => Self::Checkpoints,
            Events::Projects => Self::Projects,
            Events::Teams => Self::Teams,
            Events::Organizations => Self::Organizations,
        }
    }
}

impl Row for AuditEntry {
    const NOUN: &'static str = "event";
    const COLUMNS: &'static [Column<Self>] = &[
        Column {
            name: "time",
            kind: Kind::Time,
            get: |entry| Cell::Time(entry.timestamp),
        },
        Column {
            name: "event",
            kind: Kind::Text,
            get: |entry| Cell::Text(entry.event.clone()),
        },
        Column {
            name: "run",
            kind: Kind::Text,
            get: |entry| Cell::text(entry.model_id.as_deref()),
        },
        Column {
            name: "checkpoint",
            kind: Kind::Text,
            get: |entry| Cell::text(entry.tinker_path.as_deref()),
        },
        Column {
            name: "purpose",
            kind: Kind::Text,
            get: |entry| Cell::text(entry.purpose.as_deref()),
        },
        Column {
            name: "actor",
            kind: Kind::Text,
            get: |entry| {
                let actor = entry.event_details.get("actor");
                Cell::text(actor.and_then(serde_json::Value::as_str))
            },
        },
    ];
    const DEFAULT: &'static [&'static str] = &["time", "event", "actor", "checkpoint"];
}

/// Prints the log.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let list = args.list.plan::<AuditEntry>()?;
    let service = args.service.open(context)?;
    let account = service.client.account();
    let entries = account.audit_log(args.events.into(), args.day).await?;
    list.print(stream::iter(entries.into_iter().map(Ok)), context)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<AuditEntry>("audit");
    }
}
