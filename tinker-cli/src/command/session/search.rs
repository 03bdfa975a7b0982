//! `tinker session list` and `tinker session search`.

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tinker_client::{Error, ListOptions, ServiceClient};
use tinker_types::{FinishStatus, SearchSessions, SessionId, SessionSummary, StatusFilter};

use super::found::Found;
use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::listing::{ListArgs, SearchArgs};

/// Largest page of the search.
const PAGE: u64 = 100;

#[derive(Debug, clap::Args)]
pub(super) struct ListSessionsArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only sessions with this id.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Only sessions whose name matches.
    #[arg(long)]
    name: Option<String>,
    /// Only sessions with a status; with several, one of them.
    #[arg(long, value_enum)]
    status: Vec<Status>,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Statuses to search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Status {
    Active,
    Cancelled,
    Failed,
    /// Ended by the client, for any reason.
    Finished,
    /// Ended by the client with a success.
    Success,
    /// Ended by the client after an error.
    Errored,
    /// Ended by the client after an interruption.
    Interrupted,
}

/// The search for some statuses.
fn filters(statuses: &[Status]) -> Option<Vec<StatusFilter>> {
    let mut filters = Vec::new();
    let mut reasons = Vec::new();
    for status in statuses {
        match status {
            Status::Active => filters.push(StatusFilter::Active),
            Status::Cancelled => filters.push(StatusFilter::Cancelled),
            Status::Failed => filters.push(StatusFilter::Failed),
            Status::Finished => filters.push(StatusFilter::ClientFinished { reasons: None }),
            Status::Success => reasons.push(FinishStatus::Success),
            Status::Errored => reasons.push(FinishStatus::Errored),
            Status::Interrupted => reasons.push(FinishStatus::Interrupted),
        }
    }
    if !reasons.is_empty() && !statuses.contains(&Status::Finished) {
        let reasons = Some(reasons);
        filters.push(StatusFilter::ClientFinished { reasons });
    }
    (!filters.is_empty()).then_some(filters)
}

/// Searches sessions.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let list = args.list.plan::<Found>()?;
    let mut query = SearchSessions::default();
    query.session_id = args.id.map(SessionId::from);
    query.display_name = args.name;
    query.project_ids = args.search.projects();
    query.statuses = filters(&args.status);
    query.limit = list.page_size(PAGE) as u32;
    query.owner = args.search.owner();
    query.user_metadata = args.search.metadata()?;
    let service = args.service.open(context)?;
    let found = service.client.sessions().search(query);
    list.print(found.map_ok(summary), context).await
}

/// Lists sessions.
pub(super) async fn list(args: ListSessionsArgs, context: &Context) -> anyhow::Result<()> {
    let list = args.list.plan::<Found>()?;
    let service = args.service.open(context)?;
    let sessions = sessions(&service.client, list.page_size(PAGE), context).await;
    list.print(sessions, context).await
}

/// The sessions with what the search knows of them, or their ids from servers without a search.
async fn sessions(
    service: &ServiceClient,
    page: u64,
    context: &Context,
) -> impl Stream<Item = Result<Found, Error>> {
    let mut query = SearchSessions::default();
    query.limit = page as u32;
    let mut found = service.sessions().search(query);
    let first = match found.try_next().await {
        Err(Error::Status(error)) if matches!(error.status().as_u16(), 404 | 405 | 501) => {
            let note = "the server has no search of sessions, so only their ids are known";
            context.printer.print_note(note);
            let options = ListOptions::default().with_page_size(page);
            let ids = service.sessions().list(options);
            return ids.map_ok(|session_id| Found::Id { session_id }).boxed();
        }
        first => first.transpose(),
    };
    stream::iter(first).chain(found).map_ok(summary).boxed()
}

fn summary(summary: SessionSummary) -> Found {
    Found::Summary(Box::new(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_joined() {
        assert_eq!(filters(&[]), None);
        let errored = StatusFilter::ClientFinished {
            reasons: Some(vec![FinishStatus::Errored]),
        };
        assert_eq!(
            filters(&[Status::Errored, Status::Active]),
            Some(vec![StatusFilter::Active, errored])
        );
        let any = StatusFilter::ClientFinished { reasons: None };
        assert_eq!(
            filters(&[Status::Finished, Status::Errored]),
            Some(vec![any])
        );
    }
}
