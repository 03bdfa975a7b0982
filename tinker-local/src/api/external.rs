//! Signed links to files, and downloads of files.

use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tinker_types::{CheckpointKind, ExternalWeightsUrls};

use super::call::Call;
use super::part;
use super::query::Query;
use super::response::{self, Response};
use super::route::Place;
use crate::audit::Entry;
use crate::clock;
use crate::refusal::Refusal;

/// Lifetime of a link.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

/// Characters that are escaped in a part of a link.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) async fn urls(call: &Call<'_>, place: &Place) -> Result<Response, Refusal> {
    let path = place.path()?;
    if path.kind() != CheckpointKind::External {
        return Err(Refusal::malformed(format!(
            "{path} was not saved for use elsewhere; save with save_weights_external"
        )));
    }
    let wanted = path.clone();
    let record = call
        .operations
        .archive
        .ask(move |store| store.find(&wanted).cloned())
        .await?;
    let ends = clock::calendar_after(LINK_LIFETIME);
    let link = |name: &str| {
        let parts = [&place.run, &place.kind, &place.name, name];
        (name.to_owned(), link(call, &parts, ends))
    };
    let urls = record.file_names().map(link).collect();
    let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
    call.operations.audit.note(entry.for_purpose("download"));
    Ok(response::json(&ExternalWeightsUrls::new(urls, ends)))
}

/// Makes a signed link to a file of this engine.
pub(super) fn link(call: &Call<'_>, parts: &[&str], ends: Timestamp) -> String {
    let signature = call.shared.signer.sign(&signed(parts, ends.as_second()));
    let escaped: Vec<String> = parts
        .iter()
        .map(|part| utf8_percent_encode(part, ESCAPED).to_string())
        .collect();
    format!(
        "{}/files/{}?expires={}&signature={signature}",
        call.origin,
        escaped.join("/"),
        ends.as_second()
    )
}

/// The signed text of a link. Names contain no line breaks.
fn signed(parts: &[&str], ends: impl Display) -> String {
    format!("{}\n{ends}", parts.join("\n"))
}

/// Checks the signature and the lifetime of a link.
pub(super) fn check_link(call: &Call<'_>, parts: &[&str]) -> Result<(), Refusal> {
    let query = Query::parse(call.query);
    let forbidden = |why: &str| Refusal::new(StatusCode::FORBIDDEN, why);
    let ends = query.text("expires").unwrap_or_default();
    let signature = query.text("signature").unwrap_or_default();
    if !call
        .shared
        .signer
        .has_signed(&signed(parts, ends), signature)
    {
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

pub(super) async fn file(call: &Call<'_>, place: &Place, name: &str) -> Result<Response, Refusal> {
    check_link(call, &[&place.run, &place.kind, &place.name, name])?;
    let (path, wanted) = (place.path()?, name.to_owned());
    let bytes = call
        .operations
        .archive
        .ask(move |store| store.file(&path, &wanted))
        .await?;
    let mut response = part::of_file(call.headers, name, bytes);
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}
