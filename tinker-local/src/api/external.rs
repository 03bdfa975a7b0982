//! Signed links to files, and downloads of files.

use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tinker_types::wire::route;
use tinker_types::{CheckpointKind, ExternalWeightsUrls};

use super::call::Call;
use super::part;
use super::query::Query;
use super::response::{self, Response};
use crate::audit::Entry;
use crate::clock;
use crate::refusal::Refusal;
use crate::store::Access;

/// Lifetime of a link.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

/// Characters that are escaped in a part of a link.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) async fn urls(call: &Call<'_>) -> Result<Response, Refusal> {
    let path = call.checkpoint()?;
    if path.kind() != CheckpointKind::External {
        return Err(Refusal::malformed(format!(
            "{path} was not saved for use elsewhere; save with save_weights_external"
        )));
    }
    let wanted = path.clone();
    let found = call.ask_about(wanted, Access::Read, |store, path| {
        store.find(path).cloned()
    });
    let record = found.await?;
    let ends = clock::calendar_after(LINK_LIFETIME);
    let link = |name: &str| {
        let values = [&call.parameters[..], &[name]].concat();
        (name.to_owned(), link(call, route::FILE, &values, ends))
    };
    let urls = record.file_names().map(link).collect();
    let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
    call.operations.audit.note(entry.for_purpose("download"));
    Ok(response::json(&ExternalWeightsUrls::new(urls, ends)))
}

/// Makes a signed link to a file of this engine. `values` fill the route template.
pub(super) fn link(
    call: &Call<'_>,
    template: &'static str,
    values: &[&str],
    ends: Timestamp,
) -> String {
    let ends = ends.as_second();
    let path = route::fill(template, values);
    let signature = call.shared.signer.sign(&signed(&path, ends));
    let escape = |value: &&str| utf8_percent_encode(value, ESCAPED).to_string();
    let escaped: Vec<String> = values.iter().map(escape).collect();
    let escaped: Vec<&str> = escaped.iter().map(String::as_str).collect();
    format!(
        "{}{}{}?expires={ends}&signature={signature}",
        call.origin,
        route::FILES,
        route::fill(template, &escaped),
    )
}

/// The signed text of a link.
fn signed(path: &str, ends: impl Display) -> String {
    format!("{path}\n{ends}")
}

/// Checks the signature and the lifetime of the link that is requested.
pub(super) fn check_link(call: &Call<'_>) -> Result<(), Refusal> {
    let query = Query::parse(call.query);
    let forbidden = |why: &str| Refusal::new(StatusCode::FORBIDDEN, why);
    let ends = query.text("expires").unwrap_or_default();
    let signature = query.text("signature").unwrap_or_default();
    let text = signed(&call.target.path, ends);
    if !call.shared.signer.has_signed(&text, signature) {
        return Err(forbidden(
            "the link was not made by this engine, or before it was restarted; ask for a new one",
        ));
    }
    if ends
        .parse()
        .is_ok_and(|ends: i64| ends > clock::calendar().as_second())
    {
        return Ok(());
    }
    Err(forbidden("the link no longer works; ask for a new one"))
}

pub(super) async fn file(call: &Call<'_>) -> Result<Response, Refusal> {
    check_link(call)?;
    let path = call.checkpoint()?;
    let name = call.parameters.last().copied().unwrap_or_default();
    let wanted = name.to_owned();
    let bytes = call.ask(move |store| store.file(&path, &wanted)).await?;
    let mut response = part::of_file(call.headers, name, bytes);
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}
