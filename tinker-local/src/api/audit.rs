//! The audit log.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::call::Call;
use super::query::Query;
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;

pub(super) fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let query = Query::parse(call.query);
    let prefix = match query.text("event_type") {
        None | Some("all") => "",
        Some("checkpoints") => "checkpoint_",
        Some("projects") => "project_",
        // A local engine has neither teams nor organizations.
        Some("teams") => "team_",
        Some("organizations") => "organization_",
        Some(other) => {
            return Err(Refusal::invalid(format!(
                "event_type: {other:?} is not known; give all, checkpoints, projects, teams or organizations"
            )));
        }
    };
    let day: Date = match query.text("day") {
        None => TimeZone::UTC.to_datetime(clock::calendar()).date(),
        Some(text) => text.parse().map_err(|_| {
            Refusal::invalid(format!("day: {text:?} is not a date; give YYYY-MM-DD"))
        })?,
    };
    let mut entries = call.operations.audit.of_day(day, prefix);
    if !call.tenant.is_anyone() {
        entries.retain(|entry| entry.session().is_some_and(|id| call.is_own(&id)));
    }
    Ok(response::json(&json!({ "entries": entries })))
}
