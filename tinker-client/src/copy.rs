//! Copying a checkpoint into a project.

use http::{HeaderName, HeaderValue};
use tinker_types::wire::header;
use tinker_types::{CheckpointPath, CopyWeights, InvalidValue};

use crate::ask::{ask, call};
use crate::core::Core;
use crate::error::Error;
use crate::options::CopyOptions;

const ACCESS_TOKEN: HeaderName = HeaderName::from_static(header::WEIGHTS_ACCESS_TOKEN);

/// Copies a checkpoint into a project, for a public method. Gives the path of the copy.
pub(crate) async fn copy_weights(
    core: &Core,
    method: &'static str,
    options: CopyOptions,
) -> Result<CheckpointPath, Error> {
    let project = options
        .project_id
        .or_else(|| core.config().project_id.clone());
    let project = project.ok_or_else(|| {
        InvalidValue::new(
            "project_id",
            "is missing; give CopyOptions one, or set TINKER_PROJECT_ID",
        )
    })?;
    let mut request = CopyWeights::new(&options.path, project);
    request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
    let Some(token) = options.access_token else {
        return Ok(ask(core, method, request).await?.tinker_path);
    };
    let mut value = HeaderValue::from_str(token.expose())
        .map_err(|_| InvalidValue::new("access_token", "cannot stand in a header"))?;
    value.set_sensitive(true);
    let link = core.link().await?;
    let call = call::<CopyWeights>(method);
    let answer = Box::pin(link.api.call_with(&request, (ACCESS_TOKEN, value), call)).await;
    Ok(core.news().outcome(answer)?.tinker_path)
}
