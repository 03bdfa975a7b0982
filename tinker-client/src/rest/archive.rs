//! Archives of checkpoints.

use http::header::{EXPIRES, LOCATION};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tinker_types::{
    CheckpointArchiveUrl, CheckpointPath, Endpoint, GetCheckpointArchiveUrl, GetWeightsInfo,
};
use url::Url;

use super::checkpoints::CheckpointClient;
use crate::error::{DecodeError, Error, StatusError};
use crate::session::ask::{ask, call};
use crate::wire::{api::Answer, request::json_request};

const METHOD: &str = "RestClient.get_checkpoint_archive_url_from_tinker_path";

/// Message for a server without archives.
const NO_ARCHIVES: &str = "the server provides no archives of checkpoints, as newer versions of the API need not; \
    load the checkpoint into a model, save it with save_weights_external, and download that checkpoint";

impl CheckpointClient {
    /// A signed URL of a tar archive with all files of a checkpoint, valid for some minutes. The URL needs no key and
    /// grants access to whoever has it.
    ///
    /// Servers of newer versions of the API need not provide archives; they provide the files of checkpoints made by
    /// [`save_weights_external`](crate::TrainingClient::save_weights_external). To fetch and unpack an archive use
    /// [`download`](Self::download). A server may take a while to make an archive; this call waits for it.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let archive = service.checkpoints().archive_url(&saved).await?;
    /// assert!(archive.url.contains("first.tar"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint does not exist or is not readable, and from a server without archives; the message says
    /// which.
    pub async fn archive_url(&self, path: &CheckpointPath) -> Result<CheckpointArchiveUrl, Error> {
        let request = GetCheckpointArchiveUrl { path: path.clone() };
        let call = call::<GetCheckpointArchiveUrl>(METHOD).without_redirects();
        let request = json_request(&request, call)?;
        let base = self.state.config().base_url.clone();
        let api = &self.state.connection().await?.api;
        let read = |answer| read(&base, answer);
        let result = Box::pin(api.exchange(request, read)).await;
        match self.state.events().outcome(result) {
            Err(Error::Status(error)) if self.has_no_archives(path, &error).await => {
                let operation = GetCheckpointArchiveUrl::NAME;
                Err(StatusError::new(error.status(), operation, NO_ARCHIVES.to_owned()).into())
            }
            result => result,
        }
    }

    /// Whether the endpoint is missing, rather than the checkpoint.
    async fn has_no_archives(&self, path: &CheckpointPath, error: &StatusError) -> bool {
        match error.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
            StatusCode::NOT_FOUND => {
                let is_known = ask(&self.state, METHOD, GetWeightsInfo::new(path));
                Box::pin(is_known).await.is_ok()
            }
            _ => false,
        }
    }
}

/// Reads a redirect to the archive, or a success with the URL in its body.
fn read(base: &str, answer: Answer) -> Result<CheckpointArchiveUrl, Error> {
    if !answer.status.is_redirection() {
        return answer.into_message();
    }
    let text = |name: HeaderName| text(&answer.headers, name);
    let missing = || {
        DecodeError::new(
            GetCheckpointArchiveUrl::NAME,
            "the redirect has no valid location",
        )
    };
    let url = Url::parse(base).ok();
    let url = text(LOCATION).and_then(|location| url?.join(location).ok());
    let expires = text(EXPIRES).and_then(parse_date);
    Ok(CheckpointArchiveUrl::new(url.ok_or_else(missing)?, expires))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests;
