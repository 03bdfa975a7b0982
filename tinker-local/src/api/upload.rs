//! Uploads of adapters.

use std::time::Duration;

use serde_json::json;
use tinker_types::wire::route;
use tinker_types::{
    FinishWeightsUpload, StartWeightsUpload, UploadUrl, WeightsUpload, WeightsUploaded,
};

use super::body;
use super::call::Call;
use super::external::{check_link, link};
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;
use crate::store::UPLOADED;

/// Time for an upload.
const LIFETIME: Duration = Duration::from_hours(1);

pub(super) fn start(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: StartWeightsUpload = body::json(&call.body)?;
    call.check_notes()?;
    let expires = clock::calendar_after(LIFETIME);
    let id = call
        .operations
        .start_upload(&request, &call.tenant, expires)?;
    let place = |file: &str| {
        let url = link(call, route::UPLOAD, &[&id, file], expires);
        (file.to_owned(), UploadUrl::new(url))
    };
    let urls = UPLOADED.into_iter().map(place).collect();
    Ok(response::json(&WeightsUpload::new(id, urls, expires)))
}

/// Takes a file, which is sent to a signed link.
pub(super) async fn file(call: &Call<'_>) -> Result<Response, Refusal> {
    check_link(call)?;
    let [id, file] = call.parameters[..] else {
        return Err(Refusal::malformed("the path names no file of an upload"));
    };
    let received = call.operations.receive_upload(id, file, call.body.clone());
    received.await?;
    Ok(response::json(&json!({})))
}

pub(super) async fn finish(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: FinishWeightsUpload = body::json(&call.body)?;
    let finished = call
        .operations
        .finish_upload(&request.upload_id, &call.tenant);
    let path = finished.await?;
    Ok(response::json(&WeightsUploaded::new(path)))
}
