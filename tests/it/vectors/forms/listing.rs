//! Lists of runs, checkpoints, sessions, the audit log and usage: path and query.

use tinker_types::{
    AccessScope, AuditScope, CheckpointPath, DeleteCheckpoint, GetAuditLog, GetBillingUsage,
    GetCheckpointStorage, GetExternalWeightsUrls, GetSession, GetTrainingRun, ListCheckpoints,
    ListRunCheckpoints, ListSessions, ListTrainingRuns, PublishCheckpoint, SetCheckpointTtl,
    UnpublishCheckpoint,
};

use super::endpoint::{Case, Read, as_value, as_value_void};

pub(super) fn check(case: &Case<'_>, route: &[&str]) -> Read {
    match (case.exchange.request.method.as_str(), route) {
        ("GET", ["training_runs"]) => {
            let request = ListTrainingRuns {
                limit: number(case, "limit")?,
                offset: number(case, "offset")?,
                access_scope: scope(case)?,
                project_id: query(case, "project_id").map(str::to_owned),
            };
            as_value(case, &request)
        }
        ("GET", ["training_runs", id]) => {
            let request = GetTrainingRun {
                training_run_id: (*id).into(),
                access_scope: scope(case)?,
            };
            as_value(case, &request)
        }
        ("GET", ["training_runs", id, "checkpoints"]) => {
            let training_run_id = (*id).into();
            as_value(case, &ListRunCheckpoints { training_run_id })
        }
        (method, ["training_runs", run, "checkpoints", kind, name, rest @ ..]) => {
            let path = format!("tinker://{run}/{kind}/{name}");
            let path: CheckpointPath = path.parse().map_err(|error| format!("{error}"))?;
            checkpoint(case, method, path, rest)
        }
        ("GET", ["checkpoints"]) => {
            let request = ListCheckpoints {
                limit: number(case, "limit")?,
                offset: number(case, "offset")?,
            };
            as_value(case, &request)
        }
        ("GET", ["sessions"]) => {
            let request = ListSessions {
                limit: number(case, "limit")?,
                offset: number(case, "offset")?,
                access_scope: scope(case)?,
            };
            as_value(case, &request)
        }
        ("GET", ["sessions", id]) => {
            let request = GetSession {
                session_id: (*id).into(),
                access_scope: scope(case)?,
            };
            as_value(case, &request)
        }
        ("GET", ["audit"]) => as_value(case, &audit(case)?),
        ("GET", ["billing", "usage", "events"]) => {
            let text = |name| query(case, name).unwrap_or_default().to_owned();
            let request = GetBillingUsage {
                starting_on: text("starting_on"),
                ending_before: text("ending_before"),
            };
            as_value(case, &request)
        }
        ("GET", ["billing", "usage", "checkpoints", "current"]) => {
            let project_id = query(case, "project_id").map(str::to_owned);
            as_value(case, &GetCheckpointStorage { project_id })
        }
        // Ids with slashes have no separate route.
        _ => Ok(None),
    }
}

fn checkpoint(case: &Case<'_>, method: &str, path: CheckpointPath, rest: &[&str]) -> Read {
    match (method, rest) {
        ("DELETE", []) => as_value_void(case, &DeleteCheckpoint { path }),
        ("POST", ["publish"]) => as_value_void(case, &PublishCheckpoint { path }),
        ("DELETE", ["publish"]) => as_value_void(case, &UnpublishCheckpoint { path }),
        ("GET", ["external_weights_urls"]) => as_value(case, &GetExternalWeightsUrls { path }),
        ("PUT", ["ttl"]) => {
            let body = case.message.json().ok_or("the body is not JSON")?;
            let ttl_seconds = body["ttl_seconds"].as_u64();
            as_value_void(case, &SetCheckpointTtl { path, ttl_seconds })
        }
        _ => Err("no type for this route".to_owned()),
    }
}

fn audit(case: &Case<'_>) -> Result<GetAuditLog, String> {
    let scopes = [
        AuditScope::All,
        AuditScope::Checkpoints,
        AuditScope::Projects,
        AuditScope::Teams,
        AuditScope::Organizations,
    ];
    let named = query(case, "event_type").unwrap_or_default();
    let scope = scopes.into_iter().find(|scope| scope.as_str() == named);
    let day = query(case, "day").map(|day| day.parse().map_err(|error| format!("{error}")));
    Ok(GetAuditLog {
        event_type: scope.ok_or_else(|| format!("no scope {named:?}"))?,
        day: day.transpose()?,
    })
}

fn query<'a>(case: &'a Case<'_>, name: &str) -> Option<&'a str> {
    let mut query = case.exchange.request.query.iter();
    query
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

fn number(case: &Case<'_>, name: &str) -> Result<u64, String> {
    let text = query(case, name).unwrap_or_default();
    text.parse().map_err(|_| format!("{name} is {text:?}"))
}

fn scope(case: &Case<'_>) -> Result<AccessScope, String> {
    match query(case, "access_scope") {
        Some("owned") => Ok(AccessScope::Owned),
        Some("accessible") => Ok(AccessScope::Accessible),
        other => Err(format!("access_scope is {other:?}")),
    }
}
