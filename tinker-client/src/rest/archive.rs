//! All files of a checkpoint in one piece.

use http::header::{EXPIRES, LOCATION};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tinker_types::{
    CheckpointArchiveUrl, CheckpointPath, Endpoint, GetCheckpointArchiveUrl, WeightsInfoRequest,
};
use url::Url;

use super::RestClient;
use crate::api::Answer;
use crate::ask::{ask, call};
use crate::error::{DecodeError, Error, StatusError};

const METHOD: &str = "RestClient.get_checkpoint_archive_url_from_tinker_path";

/// What a server without archives is answered with.
const NO_ARCHIVES: &str = "the server gives no archives of checkpoints, which newer ones need not; \
    load the checkpoint into a model, save that with save_weights_external, and download what it made";

impl RestClient {
    /// Where all files of a checkpoint can be fetched in one piece, a tar archive: a signed URL,
    /// which needs no key and works for some minutes. Who has it has the files.
    ///
    /// Servers of newer versions of the API need not have this; they give files of checkpoints made
    /// by [`save_weights_external`](crate::TrainingClient::save_weights_external). To fetch and
    /// unpack an archive there is [`download_checkpoint`](Self::download_checkpoint). A server may
    /// take a while to make an archive; it is waited for.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let archive = service.rest().get_checkpoint_archive_url(&saved).await?;
    /// assert!(archive.url.contains("first.tar"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint there is not, or that may not be read, and from a server that gives no
    /// archives: its message says which.
    pub async fn get_checkpoint_archive_url(
        &self,
        path: &CheckpointPath,
    ) -> Result<CheckpointArchiveUrl, Error> {
        let request = GetCheckpointArchiveUrl { path: path.clone() };
        let call = call::<GetCheckpointArchiveUrl>(METHOD).without_redirects();
        let base = self.base_url().to_owned();
        let api = &self.link().await?.api;
        let read = |answer| read(&base, answer);
        let result = Box::pin(api.call_read(&request, call, read)).await;
        match self.core.news().outcome(result) {
            Err(Error::Status(error)) if self.has_no_archives(path, &error).await => {
                let operation = GetCheckpointArchiveUrl::NAME;
                Err(StatusError::new(error.status(), operation, NO_ARCHIVES.to_owned()).into())
            }
            result => result,
        }
    }

    /// Is it the endpoint that is missing, and not the checkpoint?
    async fn has_no_archives(&self, path: &CheckpointPath, error: &StatusError) -> bool {
        match error.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
            StatusCode::NOT_FOUND => {
                let is_known = ask(&self.core, METHOD, WeightsInfoRequest::new(path));
                Box::pin(is_known).await.is_ok()
            }
            _ => false,
        }
    }
}

/// A redirect to the archive, or a success whose body says where it is.
fn read(base: &str, answer: Answer) -> Result<CheckpointArchiveUrl, Error> {
    if !answer.status.is_redirection() {
        return answer.into_message();
    }
    let text = |name: HeaderName| text(&answer.headers, name);
    let missing = || DecodeError::new(GetCheckpointArchiveUrl::NAME, "redirects to nowhere");
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
