//! Archives of checkpoints: links and downloads.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, EXPIRES, HeaderValue, LOCATION};
use tinker_types::CheckpointArchiveUrl;
use tinker_types::wire::route;

use super::call::Call;
use super::external::{check_link, link};
use super::part;
use super::response::{self, Response};
use crate::audit::Entry;
use crate::clock;
use crate::refusal::Refusal;
use crate::store::Access;

/// Lifetime of a link. A download that has begun goes on.
const LINK_LIFETIME: Duration = Duration::from_mins(15);

/// Redirects to the archive. The body has the same link as JSON, for clients that do not read the headers.
pub(super) async fn url(call: &Call<'_>) -> Result<Response, Refusal> {
    let path = call.checkpoint()?;
    let wanted = path.clone();
    let found = call.ask_about(wanted, Access::Read, |store, path| {
        Ok(store.find(path)?.expires)
    });
    let expires = found.await?;
    let ends = clock::calendar_after(LINK_LIFETIME);
    let ends = expires.map_or(ends, |expires| ends.min(expires));
    let url = link(call, route::ARCHIVE, &call.parameters, ends);
    let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
    call.operations.audit.note(entry.for_purpose("download"));

    let mut response = response::json(&CheckpointArchiveUrl::new(&url, Some(ends)));
    *response.status_mut() = StatusCode::FOUND;
    let ends = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ends);
    let unfit = |_| Refusal::malformed("host: can't stand in a link");
    for (name, text) in [(LOCATION, url), (EXPIRES, ends.unwrap_or_default())] {
        let value = HeaderValue::from_str(&text).map_err(unfit)?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

pub(super) async fn file(call: &Call<'_>) -> Result<Response, Refusal> {
    check_link(call)?;
    let path = call.checkpoint()?;
    let tarball = call.ask(move |store| store.tarball(&path)).await?;
    let mut response = part::of_tarball(call.headers, tarball, &call.operations.archive);
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}
