//! `tinker billing`: usage and costs.

use std::collections::BTreeMap;

use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tinker_types::{StorageEntry, Usage, UsageEvent};

use crate::clock;
use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit;
use crate::listing::{Cell, Column, Kind, ListArgs, Row, parse_time};

/// Show usage and costs.
///
/// The key needs the permission to read them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns of usage: start, end, type, tokens, gigabyte_hours, checkpoints, cached, free, cost, token_rate, storage_rate,
model, user, user_name, session, project.
Columns of storage: project, checkpoints, size, gigabytes, monthly_cost, user, user_email, user_urn.

Examples:
  tinker billing usage 2026-01-01 2026-01-08
  tinker billing usage 7d --filter type=training --sort -cost
  tinker billing usage 2026-01-01 2026-01-08 --limit 0 --columns all --csv > usage.csv
  tinker billing storage --project proj-1")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show usage by the hour. The hosted service accepts whole hours and at most 14 days.
    Usage {
        /// First moment: a date, a time, or an age such as 7d.
        #[arg(value_name = "STARTING_ON")]
        from: String,
        /// Moment after the last one [default: now].
        #[arg(value_name = "ENDING_BEFORE")]
        to: Option<String>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Show size and monthly cost of stored checkpoints.
    #[command(alias = "checkpoint-storage")]
    Storage {
        /// Show only one project.
        #[arg(long, value_name = "ID", alias = "project-id")]
        project: Option<String>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

/// Usage of one hour, with the metadata of its session.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HourOfUse {
    #[serde(flatten)]
    event: UsageEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_metadata: Option<BTreeMap<String, Value>>,
}

impl HourOfUse {
    fn parts(&self) -> Parts {
        match &self.event.event_info {
            Usage::Training { token_count } => Parts::tokens("training", *token_count),
            Usage::SamplingPrefill {
                cached,
                token_count,
            } => Parts {
                cached: Some(*cached),
                ..Parts::tokens("sampling_prefill", *token_count)
            },
            Usage::SamplingSample { token_count } => Parts::tokens("sampling_sample", *token_count),
            Usage::Checkpoint { count } => Parts {
                kind: "checkpoint".to_owned(),
                checkpoints: Some(*count),
                ..Parts::default()
            },
            Usage::Storage {
                free,
                gigabyte_hours,
            } => Parts {
                kind: "storage".to_owned(),
                free: Some(*free),
                gigabyte_hours: Some(*gigabyte_hours),
                ..Parts::default()
            },
            // A kind of a newer server.
            other => {
                let other = serde_json::to_value(other).unwrap_or_default();
                Parts {
                    kind: other["type"].as_str().unwrap_or("-").to_owned(),
                    tokens: other["token_count"].as_u64(),
                    ..Parts::default()
                }
            }
        }
    }
}

/// The quantities of an hour.
#[derive(Debug, Default)]
struct Parts {
    kind: String,
    tokens: Option<u64>,
    checkpoints: Option<u64>,
    gigabyte_hours: Option<f64>,
    cached: Option<bool>,
    free: Option<bool>,
}

impl Parts {
    fn tokens(kind: &str, tokens: u64) -> Self {
        Self {
            kind: kind.to_owned(),
            tokens: Some(tokens),
            ..Self::default()
        }
    }
}

fn dollars(value: Option<f64>) -> Cell {
    Cell::of(value, |value| Cell::Decimal(value, 4))
}

macro_rules! columns {
    ($($name:literal: $kind:ident = |$row:ident| $get:expr;)*) => {
        &[$(Column { name: $name, kind: Kind::$kind, get: |$row| $get }),*]
    };
}

impl Row for HourOfUse {
    const NOUN: &'static str = "usage row";
    const COLUMNS: &'static [Column<Self>] = columns! {
        "start": Time = |row| Cell::Time(row.event.bucket_start);
        "end": Time = |row| Cell::Time(row.event.bucket_end);
        "type": Text = |row| Cell::Text(row.parts().kind);
        "tokens": Number = |row| Cell::of(row.parts().tokens, Cell::Count);
        "gigabyte_hours": Number = |row| Cell::of(row.parts().gigabyte_hours, |value| Cell::Decimal(value, 3));
        "checkpoints": Number = |row| Cell::of(row.parts().checkpoints, Cell::Count);
        "cached": Flag = |row| Cell::of(row.parts().cached, Cell::Flag);
        "free": Flag = |row| Cell::of(row.parts().free, Cell::Flag);
        "cost": Number = |row| dollars(row.event.estimated_cost_usd);
        "token_rate": Number = |row| dollars(row.event.effective_rate_usd_per_million_tokens);
        "storage_rate": Number = |row| dollars(row.event.effective_rate_usd_per_gigabyte_month);
        "model": Text = |row| Cell::text(row.event.base_model.as_deref());
        "user": Text = |row| Cell::text(row.event.user_id.as_deref());
        "user_name": Text = |row| Cell::text(row.event.user_name.as_deref());
        "session": Text = |row| Cell::text(row.event.session_id.as_deref());
        "project": Text = |row| Cell::text(row.event.project_id.as_deref());
    };
    const DEFAULT: &'static [&'static str] = &["start", "type", "tokens", "cost", "model"];
}

impl Row for StorageEntry {
    const NOUN: &'static str = "storage row";
    const COLUMNS: &'static [Column<Self>] = columns! {
        "project": Text = |row| Cell::text(row.project_id.as_deref());
        "checkpoints": Number = |row| Cell::Count(row.checkpoint_count);
        "size": Bytes = |row| Cell::Bytes(row.size_bytes);
        "gigabytes": Number = |row| Cell::Decimal(row.size_gigabytes, 3);
        "monthly_cost": Number = |row| dollars(row.estimated_monthly_cost_usd);
        "user": Text = |row| Cell::text(row.user_name.as_deref());
        "user_email": Text = |row| Cell::text(row.user_email.as_deref());
        "user_urn": Text = |row| Cell::text(row.org_user_urn.as_deref());
    };
    const DEFAULT: &'static [&'static str] =
        &["project", "checkpoints", "size", "monthly_cost", "user"];
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::Usage {
            from,
            to,
            list,
            service,
        } => {
            let now = clock::moment();
            let (from, to) = (
                moment(&from, now)?,
                match to {
                    Some(to) => moment(&to, now)?,
                    None => now,
                },
            );
            let list = list.plan::<HourOfUse>()?;
            let service = service.open(context)?;
            let usage = service.client.account().billing_usage(from, to).await?;
            let sessions = usage.sessions;
            let rows = usage.data.into_iter().map(|event| {
                let session = event.session_id.as_ref().and_then(|id| sessions.get(id));
                Ok(HourOfUse {
                    session_metadata: session.and_then(|session| session.user_metadata.clone()),
                    event,
                })
            });
            let rows: Vec<_> = rows.collect();
            list.print(stream::iter(rows), context).await?;
            if let Some(through) = usage.cost_data_through {
                let line = format!("complete until {through}");
                context.printer.print_labelled("costs", &line);
            }
            Ok(())
        }
        Action::Storage {
            project,
            list,
            service,
        } => {
            let list = list.plan::<StorageEntry>()?;
            let service = service.open(context)?;
            let account = service.client.account();
            let storage = account.checkpoint_storage(project.as_deref()).await?;
            list.print(stream::iter(storage.data.into_iter().map(Ok)), context)
                .await?;
            if let Some(rate) = storage.effective_rate_usd_per_gigabyte_month {
                let line = format!("{rate} USD per gigabyte and month");
                context.printer.print_labelled("rate", &line);
            }
            Ok(())
        }
    }
}

/// A moment on the command line. An age is rounded down to a whole hour, as the service wants it.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, exit::Usage> {
    let unfit = || {
        let form = "such as 2026-01-31, 2026-01-31T12:00:00Z, or 7d for seven days ago";
        exit::Usage(format!("{text:?} is not a time {form}"))
    };
    let time = parse_time(text, now).ok_or_else(unfit)?;
    if text.contains('-') {
        return Ok(time);
    }
    Timestamp::from_second(time.as_second() / 3600 * 3600).map_err(|_| unfit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<HourOfUse>("billing-usage");
        check::<StorageEntry>("billing-storage");
    }
}
