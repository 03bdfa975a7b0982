//! Signed URLs of files, which expire.

use std::collections::BTreeMap;

use http::Uri;
use tinker_types::{CheckpointKind, CheckpointPath};
use tokio::sync::Mutex;

use crate::error::{DownloadFailed, Error};
use crate::rest::checkpoints::CheckpointClient;

/// The URLs of the files of a checkpoint.
#[derive(Debug)]
pub(super) struct Links {
    checkpoint: CheckpointPath,
    names: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    urls: BTreeMap<String, String>,
    /// Number of refreshes.
    round: u32,
}

/// The URL of a file, and the refresh it is from.
#[derive(Debug, Clone)]
pub(super) struct FileUrl {
    pub(super) uri: Uri,
    round: u32,
}

impl Links {
    pub(super) async fn open(
        checkpoints: &CheckpointClient,
        path: &CheckpointPath,
    ) -> Result<Self, Error> {
        let urls = urls_of(checkpoints, path).await?;
        Ok(Self {
            checkpoint: path.clone(),
            names: urls.keys().cloned().collect(),
            state: Mutex::new(State { urls, round: 0 }),
        })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The URL of a file; a fresh one if `stale` has expired.
    pub(super) async fn get(
        &self,
        checkpoints: &CheckpointClient,
        name: &str,
        stale: Option<&FileUrl>,
    ) -> Result<FileUrl, Error> {
        let mut state = self.state.lock().await;
        if stale.is_some_and(|stale| stale.round == state.round) {
            state.urls = urls_of(checkpoints, &self.checkpoint).await?;
            state.round += 1;
        }
        let missing = || DownloadFailed::new(name, "the server does not list the file any more");
        let url = state.urls.get(name).ok_or_else(missing)?;
        Ok(FileUrl {
            uri: checked(checkpoints, name, url)?,
            round: state.round,
        })
    }
}

/// The URLs of the files of a checkpoint, or of its archive.
async fn urls_of(
    checkpoints: &CheckpointClient,
    path: &CheckpointPath,
) -> Result<BTreeMap<String, String>, Error> {
    if path.kind() == CheckpointKind::External {
        return Ok(checkpoints.file_urls(path).await?.urls);
    }
    let archive = checkpoints.archive_url(path).await?;
    let name = format!("{}.tar", path.name());
    Ok(BTreeMap::from([(name, archive.url)]))
}

/// Checks that the URL is HTTPS, or HTTP if the server itself uses HTTP.
fn checked(checkpoints: &CheckpointClient, name: &str, url: &str) -> Result<Uri, DownloadFailed> {
    let refuse = |what: &str| DownloadFailed::new(name, what);
    let uri: Uri = url
        .parse()
        .map_err(|_| refuse("the link is not a valid URL"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if !checkpoints.state().config().base_url.starts_with("https:") => Ok(uri),
        Some("http") => Err(refuse("the link uses http, but the server uses https")),
        _ => Err(refuse("the link is neither https nor http")),
    }
}
