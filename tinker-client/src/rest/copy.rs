//! Copies of checkpoints.

use http::{HeaderName, HeaderValue};
use tinker_types::wire::header;
use tinker_types::{CheckpointPath, CopyWeights, InvalidValue, WeightsCopied};

use crate::error::Error;
use crate::rest::copy_options::CopyOptions;
use crate::session::ask::{ask, call};
use crate::session::state::ClientState;
use crate::wire::api::Answer;

const ACCESS_TOKEN: HeaderName = HeaderName::from_static(header::WEIGHTS_ACCESS_TOKEN);

const METHOD: &str = "RestClient.copy_weights";

/// Copies a checkpoint into a project and returns the path of the copy.
pub(crate) async fn copy(
    state: &ClientState,
    options: CopyOptions,
) -> Result<CheckpointPath, Error> {
    let project = options
        .project_id
        .or_else(|| state.config().project_id.clone());
    let project = project.ok_or_else(|| {
        InvalidValue::new(
            "project_id",
            "is missing; set it in CopyOptions or in TINKER_PROJECT_ID",
        )
    })?;
    let mut request = CopyWeights::new(&options.path, project);
    request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
    let Some(token) = options.access_token else {
        return Ok(ask(state, METHOD, request).await?.tinker_path);
    };
    let mut value = HeaderValue::from_str(token.expose())
        .map_err(|_| InvalidValue::new("access_token", "is not a valid header value"))?;
    value.set_sensitive(true);
    let api = &state.connection().await?.api;
    let call = call::<CopyWeights>(METHOD);
    let mut request = api.manner().request(&request, call)?;
    request.headers_mut().insert(ACCESS_TOKEN, value);
    let answer = Box::pin(api.exchange(request, Answer::into_message::<WeightsCopied>)).await;
    Ok(state.events().outcome(answer)?.tinker_path)
}
