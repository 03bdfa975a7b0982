//! Requests to the Hub.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, ETAG, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use tinker_transport::policy::{Backoff, Policy as _, Standard};
use tinker_transport::{BaseUrl, Body, Call, Class, Replay, Transport, TransportConfig};

use super::config::HubConfig;
use super::error::{HubError, HubErrorKind};
use super::repository::{Repository, escaped, is_inside, is_word};

/// Largest description of a repository.
const MOST_BYTES: u64 = 64 << 20;

/// Redirects within the Hub that are followed for the description of a file.
const HOPS: usize = 5;

/// The Hub behind its address.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    transport: Transport,
    base: Arc<BaseUrl>,
    has_token: bool,
}

/// A commit and the names of its files.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// Announcement of a file by the Hub.
#[derive(Debug)]
pub(super) struct Announced {
    /// SHA-256 of a large file, the hash of git for others.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
}

#[derive(Deserialize)]
struct Description {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Remote {
    pub(super) fn new(config: &HubConfig) -> Result<Self, HubError> {
        let invalid = |error| {
            HubError::invalid("the address of the Hub (HF_ENDPOINT) cannot be used").because(error)
        };
        let base: BaseUrl = config.endpoint.parse().map_err(invalid)?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &config.token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| {
                HubError::invalid("the token of the Hub (HF_TOKEN) has characters that no token has; log in again")
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(4));
        let policy = Standard::new().with_backoff(backoff).with_attempt_limit(4);
        let transport = TransportConfig::new(base.as_str())
            .with_headers(headers)
            .with_policy(Class::Rest, policy);
        Ok(Self {
            transport: Transport::from_config(transport).map_err(invalid)?,
            base: Arc::new(base),
            has_token: config.token.is_some(),
        })
    }

    /// The commit and the files of a revision.
    pub(super) async fn list(
        &self,
        repository: &Repository,
        revision: &str,
    ) -> Result<Listing, HubError> {
        let path = format!(
            "/api/models/{repository}/revision/{}",
            escaped(revision, true)
        );
        let call = call().with_whole_answer(MOST_BYTES);
        let response = self
            .send(Method::GET, path_of(&path)?, call, HeaderMap::new())
            .await?;
        let response = self.accept(repository, revision, None, response)?;
        let body = response
            .into_body()
            .collect(MOST_BYTES)
            .await
            .map_err(unreachable)?;
        let odd = || {
            answer(format!(
                "the Hub's description of {repository} cannot be read"
            ))
        };
        let found: Description =
            serde_json::from_slice(&body).map_err(|error| odd().because(error))?;
        let files: Vec<String> = found
            .siblings
            .into_iter()
            .map(|file| file.rfilename)
            .collect();
        if !is_word(&found.sha) || !files.iter().all(|name| is_inside(name)) {
            return Err(odd());
        }
        Ok(Listing {
            commit: found.sha,
            files,
        })
    }

    /// Tag and size of a file.
    pub(super) async fn announced(
        &self,
        repository: &Repository,
        commit: &str,
        name: &str,
    ) -> Result<Announced, HubError> {
        let mut uri = path_of(&resolved(repository, commit, name))?;
        for _ in 0..HOPS {
            let call = call().without_redirects();
            let response = self.send(Method::HEAD, uri.clone(), call, plain()).await?;
            if !response.status().is_redirection() {
                let response = self.accept(repository, commit, Some(name), response)?;
                return read_announced(name, response.headers());
            }
            match self.within(&uri, response.headers()) {
                Some(next) => uri = next,
                // The content is on another server, and the Hub describes it.
                None => return read_announced(name, response.headers()),
            }
        }
        Err(answer(format!(
            "the Hub redirects {name} of {repository} more than {HOPS} times"
        )))
    }

    /// The Hub's address.
    pub(super) fn address(&self) -> &BaseUrl {
        &self.base
    }

    pub(super) fn has_token(&self) -> bool {
        self.has_token
    }

    /// Target of a redirect within the Hub.
    fn within(&self, from: &Uri, headers: &HeaderMap) -> Option<Uri> {
        let from = url::Url::parse(&self.base.join(from).ok()?.to_string()).ok()?;
        let location = headers.get(LOCATION)?.to_str().ok()?;
        let uri: Uri = from.join(location).ok()?.as_str().parse().ok()?;
        self.base.is_home_of(&uri).then_some(uri)
    }

    /// Opens a file from a byte on.
    pub(super) async fn open(
        &self,
        repository: &Repository,
        commit: &str,
        name: &str,
        from: u64,
    ) -> Result<Response<Body>, HubError> {
        let mut headers = plain();
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-"));
            headers.insert(
                RANGE,
                range.map_err(|error| answer("no range".to_owned()).because(error))?,
            );
        }
        let uri = path_of(&resolved(repository, commit, name))?;
        let response = self.send(Method::GET, uri, call(), headers).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        self.accept(repository, commit, Some(name), response)
    }

    async fn send(
        &self,
        method: Method,
        uri: Uri,
        call: Call,
        headers: HeaderMap,
    ) -> Result<Response<Body>, HubError> {
        self.send_body(method, uri, call, headers, Body::empty())
            .await
    }

    pub(super) async fn send_body(
        &self,
        method: Method,
        uri: Uri,
        call: Call,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Body>, HubError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(call);
        self.transport.call(request).await.map_err(|error| {
            let what = format!("{} cannot be reached", self.base);
            HubError::new(HubErrorKind::Unreachable, what).because(error)
        })
    }

    /// The response, unless its status is an error.
    fn accept(
        &self,
        repository: &Repository,
        revision: &str,
        name: Option<&str>,
        response: Response<Body>,
    ) -> Result<Response<Body>, HubError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let code = text("x-error-code").unwrap_or_default();
        let page = format!("{}/{repository}", self.base);
        let (kind, what) = match (status.as_u16(), code) {
            (401 | 403, "GatedRepo") if self.has_token => (
                HubErrorKind::Gated,
                format!(
                    "{repository} is gated, and the account of your token has no access yet; accept its licence at {page}"
                ),
            ),
            (401 | 403, "GatedRepo") => (
                HubErrorKind::Gated,
                format!(
                    "{repository} is gated: accept its licence at {page}, then log in with `hf auth login` or set HF_TOKEN"
                ),
            ),
            (404, "RevisionNotFound") => (
                HubErrorKind::NotFound,
                format!("{repository} has no revision {revision:?}; its page is {page}"),
            ),
            (404, "EntryNotFound") => (
                HubErrorKind::NotFound,
                format!(
                    "{repository} has no file {:?} in revision {revision}",
                    name.unwrap_or_default()
                ),
            ),
            (401 | 404, _) if !self.has_token => (
                HubErrorKind::NotFound,
                format!(
                    "{repository} does not exist on {}, or is private; check the spelling, and for a private one log in with \
                     `hf auth login` or set HF_TOKEN",
                    self.base
                ),
            ),
            (401, "RepoNotFound") | (404, _) => (
                HubErrorKind::NotFound,
                format!(
                    "{repository} does not exist on {}, or the account of your token has no access; check the spelling",
                    self.base
                ),
            ),
            (401, _) => (
                HubErrorKind::Token,
                format!(
                    "{} refused the token; log in again with `hf auth login`, or correct HF_TOKEN",
                    self.base
                ),
            ),
            (403, _) => (
                HubErrorKind::Token,
                format!(
                    "{} refused access to {repository} (403); see {page}",
                    self.base
                ),
            ),
            _ => {
                let detail = text("x-error-message").map(|detail| format!(": {detail}"));
                let detail = detail.unwrap_or_default();
                (
                    HubErrorKind::Answer,
                    format!("{} answered {status} for {repository}{detail}", self.base),
                )
            }
        };
        Err(HubError::new(kind, what))
    }
}

pub(super) fn call() -> Call {
    Call::new("hub", Class::Rest).with_replay(Replay::Safe)
}

/// Headers that ask for the file as it is: a range of a compressed body would not be a range of the file.
fn plain() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))])
}

fn resolved(repository: &Repository, commit: &str, name: &str) -> String {
    format!("/{repository}/resolve/{commit}/{}", escaped(name, false))
}

pub(super) fn path_of(path: &str) -> Result<Uri, HubError> {
    path.parse().map_err(|error: http::uri::InvalidUri| {
        HubError::invalid(format!("{path:?} is not a path")).because(error)
    })
}

fn read_announced(name: &str, headers: &HeaderMap) -> Result<Announced, HubError> {
    let text = |header: &str| headers.get(header).and_then(|value| value.to_str().ok());
    let tag = text("x-linked-etag")
        .or_else(|| text(ETAG.as_str()))
        .unwrap_or_default();
    let etag = tag.trim_start_matches("W/").trim_matches('"').to_owned();
    if !is_word(&etag) {
        return Err(answer(format!(
            "the Hub names no tag of {name}, so its content cannot be checked"
        )));
    }
    // The length of a redirect is that of its own body.
    let own = || text(CONTENT_LENGTH.as_str()).filter(|_| !headers.contains_key(LOCATION));
    let size = text("x-linked-size").or_else(own);
    Ok(Announced {
        etag,
        size: size.and_then(|size| size.parse().ok()),
    })
}

pub(super) fn answer(what: String) -> HubError {
    HubError::new(HubErrorKind::Answer, what)
}

pub(super) fn unreachable(error: tinker_transport::TransportError) -> HubError {
    let what = "the answer of the Hub was interrupted";
    HubError::new(HubErrorKind::Unreachable, what).because(error)
}
