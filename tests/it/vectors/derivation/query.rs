//! Values in a recorded query.

use tinker_types::{AccessScope, AuditScope};

use crate::vectors::call::Page;
use crate::vectors::exchange::Asked;

pub(super) fn text<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    let mut query = asked.query.iter();
    let found = query.find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

pub(super) fn page(asked: &Asked) -> Result<Page, String> {
    let number = |name| {
        let text = text(asked, name).unwrap_or_default();
        text.parse().map_err(|_| format!("{name} is {text:?}"))
    };
    Ok(Page {
        limit: number("limit")?,
        offset: number("offset")?,
    })
}

pub(super) fn access_scope(asked: &Asked) -> Result<AccessScope, String> {
    let scopes = [AccessScope::Owned, AccessScope::Accessible];
    let named = text(asked, "access_scope").unwrap_or_default();
    let scope = scopes.into_iter().find(|scope| scope.as_str() == named);
    scope.ok_or_else(|| format!("access_scope is {named:?}"))
}

pub(super) fn audit_scope(asked: &Asked) -> Result<AuditScope, String> {
    let scopes = [
        AuditScope::All,
        AuditScope::Checkpoints,
        AuditScope::Projects,
        AuditScope::Teams,
        AuditScope::Organizations,
    ];
    let named = text(asked, "event_type").unwrap_or_default();
    let scope = scopes.into_iter().find(|scope| scope.as_str() == named);
    scope.ok_or_else(|| format!("event_type is {named:?}"))
}
