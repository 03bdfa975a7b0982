//! Where files are: links that stop working after a while.

use std::collections::BTreeMap;

use http::Uri;
use tinker_types::{CheckpointKind, CheckpointPath};
use tokio::sync::Mutex;

use super::error::DownloadFailed;
use crate::error::Error;
use crate::rest::RestClient;

/// The links of a checkpoint.
#[derive(Debug)]
pub(super) struct Links {
    checkpoint: CheckpointPath,
    names: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    urls: BTreeMap<String, String>,
    /// How often they were asked for.
    round: u32,
}

/// A link, and from which round it is.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) uri: Uri,
    round: u32,
}

impl Links {
    pub(super) async fn open(rest: &RestClient, path: &CheckpointPath) -> Result<Self, Error> {
        let urls = urls_of(rest, path).await?;
        Ok(Self {
            checkpoint: path.clone(),
            names: urls.keys().cloned().collect(),
            state: Mutex::new(State { urls, round: 0 }),
        })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The link of a file; a fresh one where `stale` does not work any more.
    pub(super) async fn get(
        &self,
        rest: &RestClient,
        name: &str,
        stale: Option<&Link>,
    ) -> Result<Link, Error> {
        let mut state = self.state.lock().await;
        if stale.is_some_and(|stale| stale.round == state.round) {
            state.urls = urls_of(rest, &self.checkpoint).await?;
            state.round += 1;
        }
        let missing = || DownloadFailed::new(name, "the server does not name it any more");
        let url = state.urls.get(name).ok_or_else(missing)?;
        Ok(Link {
            uri: checked(rest, name, url)?,
            round: state.round,
        })
    }
}

/// Where the files of a checkpoint are, one by one or in one piece.
async fn urls_of(
    rest: &RestClient,
    path: &CheckpointPath,
) -> Result<BTreeMap<String, String>, Error> {
    if path.kind() == CheckpointKind::External {
        return Ok(rest.get_external_weights_urls(path).await?.urls);
    }
    let archive = rest.get_checkpoint_archive_url(path).await?;
    let name = format!("{}.tar", path.name());
    Ok(BTreeMap::from([(name, archive.url)]))
}

/// Only the web, and not in the clear where the server itself is not.
fn checked(rest: &RestClient, name: &str, url: &str) -> Result<Uri, DownloadFailed> {
    let refuse = |what: &str| DownloadFailed::new(name, what);
    let uri: Uri = url.parse().map_err(|_| refuse("its link is no URL"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if !rest.base_url().starts_with("https:") => Ok(uri),
        Some("http") => Err(refuse(
            "its link is not encrypted (http), the server's own address is",
        )),
        _ => Err(refuse("its link is neither https nor http")),
    }
}
