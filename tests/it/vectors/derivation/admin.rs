//! Requests behind methods of the admin client.

use std::fmt::Display;
use std::str::FromStr;

use super::query;
use super::{derived::Derived, query::audit_scope};
use crate::vectors::call::{AdminCall, Call};
use crate::vectors::exchange::Asked;

pub(super) fn audit_log(asked: &Asked) -> Result<Derived, String> {
    let day = query::text(asked, "day").map(parse).transpose()?;
    Ok(Call::Admin(AdminCall::AuditLog(audit_scope(asked)?, day)).into())
}

pub(super) fn billing_usage(asked: &Asked) -> Result<Derived, String> {
    let time = |name| parse(query::text(asked, name).unwrap_or_default());
    let call = AdminCall::BillingUsage(time("starting_on")?, time("ending_before")?);
    Ok(Call::Admin(call).into())
}

pub(super) fn checkpoint_storage(asked: &Asked) -> Derived {
    let project_id = query::text(asked, "project_id").map(str::to_owned);
    Call::Admin(AdminCall::CheckpointStorage(project_id)).into()
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}
