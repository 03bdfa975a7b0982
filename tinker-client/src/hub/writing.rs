//! Requests that write to the Hub.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tinker_transport::{Body, Call};

use super::answer::{Actions, Batch, Committed, CreatedRepository, Preupload, Wanted};
use super::digested::Digested;
use super::error::{HubError, HubErrorKind};
use super::remote::{Remote, answer, call, path_of, unreachable};
use super::repository::{Repository, escaped, is_inside};

/// Largest answer that is read.
const MOST_BYTES: u64 = 16 << 20;
/// Slowest transfer that is waited for, in bytes a second.
const SLOWEST: u64 = 128 << 10;
/// The media type of git's protocol for large files.
const LFS: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// A repository that exists, and whether it was made now.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) repository: Repository,
    pub(super) is_new: bool,
}

/// A file of a commit.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    /// With its content.
    Small(&'a Digested),
    /// By its hash, as it was transferred before.
    Large(&'a Digested),
}

impl Remote {
    /// Makes a repository if it is missing.
    pub(super) async fn create(
        &self,
        repository: &Repository,
        private: bool,
    ) -> Result<Created, HubError> {
        let (owner, name) = match repository.as_str().split_once('/') {
            Some((owner, name)) => (Some(owner), name),
            None => (None, repository.as_str()),
        };
        let mut body = json!({"name": name, "organization": owner, "type": "model"});
        if private {
            body["private"] = true.into();
        }
        let response = self
            .post("/api/repos/create", JSON, body.to_string())
            .await?;
        let is_new = response.status().is_success();
        if response.status() == StatusCode::FORBIDDEN {
            // A token may be restricted to repositories that exist.
            self.list(repository, "main")
                .await
                .map_err(|_| self.no_write(repository, ""))?;
            let repository = repository.clone();
            return Ok(Created { repository, is_new });
        }
        let response = match response.status() {
            StatusCode::CONFLICT => response,
            _ => self.accept_write(repository, response).await?,
        };
        if owner.is_some() {
            let repository = repository.clone();
            return Ok(Created { repository, is_new });
        }
        // The Hub knows the owner.
        let created: CreatedRepository = self.read(repository, response).await?;
        let mut parts = created.url.trim_end_matches('/').rsplit('/');
        let full = parts.next().zip(parts.next());
        let full = full.map(|(name, owner)| format!("{owner}/{name}"));
        let odd = || answer(format!("the Hub does not name the owner of {repository}"));
        let repository = full.and_then(|full| full.parse().ok()).ok_or_else(odd)?;
        Ok(Created { repository, is_new })
    }

    /// Makes a branch if it is missing.
    pub(super) async fn create_branch(
        &self,
        repository: &Repository,
        branch: &str,
    ) -> Result<(), HubError> {
        match self.list(repository, branch).await {
            Err(error) if error.kind() == HubErrorKind::NotFound => {}
            found => return found.map(drop),
        }
        let path = format!("/api/models/{repository}/branch/{}", escaped(branch, true));
        let response = self.post(&path, JSON, "{}".to_owned()).await?;
        if response.status() == StatusCode::CONFLICT {
            return Ok(());
        }
        self.accept_write(repository, response).await.map(drop)
    }

    /// Asks how the files are wanted.
    pub(super) async fn preupload(
        &self,
        repository: &Repository,
        revision: &str,
        files: &[Digested],
    ) -> Result<BTreeMap<String, Wanted>, HubError> {
        let row = |file: &Digested| {
            let sample = BASE64_STANDARD.encode(&file.sample);
            json!({"path": file.name, "sample": sample, "size": file.size})
        };
        let body = json!({"files": files.iter().map(row).collect::<Vec<_>>()});
        let revision = escaped(revision, true);
        let path = format!("/api/models/{repository}/preupload/{revision}");
        let response = self.post(&path, JSON, body.to_string()).await?;
        let response = self.accept_write(repository, response).await?;
        let wanted: Preupload = self.read(repository, response).await?;
        let wanted = wanted.files.into_iter();
        Ok(wanted.map(|file| (file.path.clone(), file)).collect())
    }

    /// Asks for the requests that transfer a large file; `None` if the Hub has its content.
    pub(super) async fn batch(
        &self,
        repository: &Repository,
        revision: &str,
        file: &Digested,
    ) -> Result<Option<Actions>, HubError> {
        let body = json!({
            "operation": "upload",
            "transfers": ["basic", "multipart"],
            "objects": [{"oid": file.sha256, "size": file.size}],
            "hash_algo": "sha256",
            "ref": {"name": revision},
        });
        let path = format!("/{repository}.git/info/lfs/objects/batch");
        let response = self.post(&path, LFS, body.to_string()).await?;
        let response = self.accept_write(repository, response).await?;
        let batch: Batch = self.read(repository, response).await?;
        let name = &file.name;
        let object = batch.objects.into_iter().next();
        let object = object.ok_or_else(|| answer(format!("the Hub does not take {name}")))?;
        if let Some(error) = object.error {
            let what = format!("the Hub refuses {name}: {}", error.message);
            return Err(answer(what));
        }
        Ok(object.actions.filter(|actions| actions.upload.is_some()))
    }

    /// Sends a part of a large file, and returns its tag.
    pub(super) async fn put(
        &self,
        url: &str,
        headers: &BTreeMap<String, Value>,
        name: &str,
        body: Body,
    ) -> Result<Option<String>, HubError> {
        let length = body.exact_len().unwrap_or_default();
        let time = Duration::from_mins(1) + Duration::from_secs(length / SLOWEST);
        let call = call().with_timeout(time).without_redirects();
        let mut sent = HeaderMap::new();
        for (key, value) in headers {
            let key = HeaderName::try_from(key);
            let value = value.as_str().map(HeaderValue::from_str);
            if let (Ok(key), Some(Ok(value))) = (key, value) {
                sent.insert(key, value);
            }
        }
        let uri = signed(url, name)?;
        let response = self.send_body(Method::PUT, uri, call, sent, body).await?;
        let status = response.status();
        if status.is_success() {
            let tag = response.headers().get(ETAG);
            return Ok(tag.and_then(|tag| Some(tag.to_str().ok()?.to_owned())));
        }
        // A signed address may have expired: the next attempt asks for another one.
        let what = format!("the storage of the Hub answered {status} for {name}");
        let kind = match status.as_u16() {
            403 | 408 | 429 | 500.. => HubErrorKind::Unreachable,
            _ => HubErrorKind::Answer,
        };
        Err(HubError::new(kind, what))
    }

    /// Sends a message about a large file to an address that the Hub named.
    pub(super) async fn tell(
        &self,
        repository: &Repository,
        url: &str,
        name: &str,
        body: &Value,
    ) -> Result<(), HubError> {
        let uri = signed(url, name)?;
        let response = self.post_to(uri, LFS, body.to_string(), call()).await?;
        self.accept_write(repository, response).await.map(drop)
    }

    /// Commits files, and returns the id of the commit.
    pub(super) async fn commit(
        &self,
        repository: &Repository,
        revision: &str,
        message: &str,
        entries: &[Entry<'_>],
    ) -> Result<String, HubError> {
        let header = json!({"key": "header", "value": {"summary": message, "description": ""}});
        let mut lines = header.to_string();
        for entry in entries {
            let line = match entry {
                Entry::Small(file) => {
                    let content = BASE64_STANDARD.encode(file.bytes().await?);
                    let value =
                        json!({"path": file.name, "content": content, "encoding": "base64"});
                    json!({"key": "file", "value": value})
                }
                Entry::Large(file) => {
                    let value = json!({"path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.size});
                    json!({"key": "lfsFile", "value": value})
                }
            };
            lines.push('\n');
            lines.push_str(&line.to_string());
        }
        let path = format!(
            "/api/models/{repository}/commit/{}",
            escaped(revision, true)
        );
        // A commit that is sent twice adds the same contents again, which changes nothing.
        let response = self.post(&path, LINES, lines).await?;
        let response = self.accept_write(repository, response).await?;
        let committed: Committed = self.read(repository, response).await?;
        Ok(committed.commit_oid)
    }

    async fn post(
        &self,
        path: &str,
        kind: HeaderValue,
        body: String,
    ) -> Result<Response<Body>, HubError> {
        self.post_to(path_of(path)?, kind, body, call()).await
    }

    async fn post_to(
        &self,
        uri: Uri,
        kind: HeaderValue,
        body: String,
        call: Call,
    ) -> Result<Response<Body>, HubError> {
        let accepted = if kind == LFS { LFS } else { JSON };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind), (ACCEPT, accepted)]);
        let call = call.with_whole_answer(MOST_BYTES);
        self.send_body(Method::POST, uri, call, headers, Body::from(body))
            .await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        response: Response<Body>,
    ) -> Result<T, HubError> {
        let body = response.into_body().collect(MOST_BYTES).await;
        let body = body.map_err(unreachable)?;
        let odd = || {
            answer(format!(
                "the Hub's answer about {repository} cannot be read"
            ))
        };
        serde_json::from_slice(&body).map_err(|error| odd().because(error))
    }

    /// The response, unless its status is an error.
    async fn accept_write(
        &self,
        repository: &Repository,
        response: Response<Body>,
    ) -> Result<Response<Body>, HubError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let header = response.headers().get("x-error-message").cloned();
        let header = header.and_then(|text| Some(text.to_str().ok()?.to_owned()));
        let body = response.into_body().collect(MOST_BYTES).await;
        let body = body.unwrap_or_default();
        let body = serde_json::from_slice::<Value>(&body).ok();
        let body = body.and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
        let detail = header.or(body).map(|detail| format!(": {detail}"));
        let detail = detail.unwrap_or_default();
        let base = self.address();
        Err(match status.as_u16() {
            401 => HubError::new(
                HubErrorKind::Token,
                format!(
                    "{base} refused the token (401){detail}; log in again with `hf auth login`, or correct HF_TOKEN"
                ),
            ),
            403 => self.no_write(repository, &detail),
            404 => HubError::new(
                HubErrorKind::NotFound,
                format!(
                    "{repository} does not exist on {base}, or the account of your token has no access (404){detail}"
                ),
            ),
            409 | 412 => HubError::new(
                HubErrorKind::Unreachable,
                format!("{repository} was changed at the same time ({status}){detail}; push again"),
            ),
            408 | 429 | 500.. => HubError::new(
                HubErrorKind::Unreachable,
                format!("{base} answered {status} for {repository}{detail}; push again later"),
            ),
            301 | 302 | 307 | 308 => {
                let what = format!(
                    "{repository} has moved ({status}); its page {base}/{repository} leads to the new name"
                );
                HubError::new(HubErrorKind::NotFound, what)
            }
            _ => answer(format!("{base} answered {status} for {repository}{detail}")),
        })
    }

    fn no_write(&self, repository: &Repository, detail: &str) -> HubError {
        let base = self.address();
        HubError::new(
            HubErrorKind::Token,
            format!(
                "the token may not write to {repository} (403){detail}; make one with write access at \
                 {base}/settings/tokens, and log in with `hf auth login` or set HF_TOKEN"
            ),
        )
    }
}

/// Whether a path can be one of a repository.
pub(super) fn check_path(name: &str) -> Result<(), HubError> {
    if is_inside(name) {
        return Ok(());
    }
    let what = format!("{name:?} is not a path in a repository");
    Err(HubError::invalid(what))
}

fn signed(url: &str, name: &str) -> Result<Uri, HubError> {
    let uri = url.parse::<Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme_str().is_some());
    // The address may be a secret, so the message has the name of the file only.
    uri.ok_or_else(|| answer(format!("the Hub names no valid address for {name}")))
}
