//! The transfer of one file, with as many attempts as it takes.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http::{HeaderValue, Request};
use http_body_util::BodyStream;
use tinker_transport::policy::Backoff;
use tinker_transport::{Body, Call, Class, Replay};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::answer::{Plan, interpret};
use super::checksum;
use super::folder::Parts;
use super::links::{FileUrl, Links};
use super::record::Version;
use crate::download::options::Reports;
use crate::error::{DownloadFailed, Error, StatusError};
use crate::rest::checkpoints::CheckpointClient;

const OPERATION: &str = "download";
/// Number of consecutive attempts without data.
const ATTEMPTS: u32 = 6;
const WAIT: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(8));

/// The outcome of an attempt.
enum Attempt {
    /// Everything requested arrived.
    Arrived,
    /// The file must be requested from the start.
    Restart,
    /// The URL has expired.
    Stale(StatusError),
    /// The transfer was interrupted after these bytes.
    Interrupted(u64, DownloadFailed),
}

/// The transfer of one file.
struct Transfer<'a> {
    checkpoints: &'a CheckpointClient,
    parts: &'a Parts,
    name: &'a str,
    reports: &'a Reports,
    file: File,
    /// Number of bytes in `file`.
    have: u64,
}

/// Fetches a file into the folder of parts, checks it, and returns its size.
pub(super) async fn fetch(
    checkpoints: &CheckpointClient,
    links: &Links,
    parts: &Parts,
    name: &str,
    reports: &Reports,
) -> Result<u64, Error> {
    let opened = parts.open(name).await;
    let (file, have) = opened.map_err(|error| disk(name, "cannot be opened", error))?;
    if parts.version(name).await.is_done {
        reports.report(name, have, Some(have));
        return Ok(have);
    }
    let mut transfer = Transfer {
        checkpoints,
        parts,
        name,
        reports,
        file,
        have,
    };
    let mut link = links.get(checkpoints, name, None).await?;
    let (mut failures, mut stale) = (0, false);
    loop {
        match transfer.attempt(&link).await? {
            Attempt::Arrived => match transfer.check().await? {
                Ok(()) => return Ok(transfer.have),
                Err(wrong) if failures > 0 => return Err(wrong.into()),
                // One more attempt from the start: the received part may be of another version.
                Err(_) => failures = ATTEMPTS - 1,
            },
            Attempt::Stale(error) if stale => return Err(error.into()),
            Attempt::Stale(_) => {
                stale = true;
                link = links.get(checkpoints, name, Some(&link)).await?;
            }
            Attempt::Restart if failures + 1 >= ATTEMPTS => {
                let what = "the server does not send the file from the start";
                return Err(DownloadFailed::new(name, what).into());
            }
            Attempt::Restart => {
                failures += 1;
                transfer.clear().await?;
            }
            Attempt::Interrupted(arrived, error) => {
                failures = if arrived > 0 { 0 } else { failures + 1 };
                if failures >= ATTEMPTS {
                    return Err(error.into());
                }
                stale = false;
                tokio::time::sleep(WAIT.with_jitter(0.25).wait(failures)).await;
            }
        }
    }
}

fn disk(name: &str, what: &str, error: io::Error) -> DownloadFailed {
    DownloadFailed::new(name, what).because(error)
}

impl Transfer<'_> {
    async fn clear(&mut self) -> Result<(), Error> {
        self.have = 0;
        let cleared = self.file.set_len(0).await;
        Ok(cleared.map_err(|error| disk(self.name, "cannot be truncated", error))?)
    }

    async fn record(&self, version: Version) -> Result<(), DownloadFailed> {
        let recorded = self.parts.record(self.name, version).await;
        recorded.map_err(|error| disk(self.name, "the download record cannot be written", error))
    }

    /// Requests the missing part and writes it.
    async fn attempt(&mut self, link: &FileUrl) -> Result<Attempt, Error> {
        let known = self.parts.version(self.name).await;
        // A part can be continued only if its version is known.
        if known.etag.is_none() && self.have > 0 {
            self.clear().await?;
        }
        let request = self.request(link, &known)?;
        let api = &self.checkpoints.state().connection().await?.api;
        let response = match api.open(request).await {
            Ok(response) => response,
            Err(error) if error.is_retryable() => {
                let failed = DownloadFailed::new(self.name, "the server cannot be reached");
                return Ok(Attempt::Interrupted(0, failed.temporary().because(error)));
            }
            Err(error) => return Err(error.into()),
        };
        let status = response.status();
        let name = self.name;
        let refused = || StatusError::new(status, OPERATION, format!("for {name:?}"));
        let version = match interpret(status, response.headers(), self.have, &known) {
            Plan::Whole => return Ok(Attempt::Arrived),
            Plan::Restart => return Ok(Attempt::Restart),
            Plan::Stale => return Ok(Attempt::Stale(refused())),
            Plan::Refused => return Err(refused().into()),
            Plan::Append(version) => version,
            Plan::Replace(version) => {
                self.clear().await?;
                version
            }
        };
        let total = version.total;
        self.record(version).await?;
        self.write(response.into_body(), total).await
    }

    fn request(&self, link: &FileUrl, known: &Version) -> Result<Request<Body>, Error> {
        let call = Call::new(OPERATION, Class::Rest).with_replay(Replay::Safe);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = link.uri.clone();
        request.extensions_mut().insert(call);
        let headers = request.headers_mut();
        // A range of a compressed body would not be a range of the file.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let (Some(etag), true) = (&known.etag, self.have > 0) {
            let unfit =
                |_| DownloadFailed::new(self.name, "the download record is damaged; delete it");
            let range = format!("bytes={}-", self.have);
            headers.insert(RANGE, HeaderValue::from_str(&range).map_err(unfit)?);
            headers.insert(IF_RANGE, HeaderValue::from_str(etag).map_err(unfit)?);
        }
        Ok(request)
    }

    async fn write(&mut self, body: Body, total: Option<u64>) -> Result<Attempt, Error> {
        let before = self.have;
        let mut frames = BodyStream::new(body);
        let end = loop {
            let data = match frames.next().await {
                None => break None,
                Some(Err(error)) => break Some(error),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue, // trailers
                },
            };
            let written = self.file.write_all(&data).await;
            written.map_err(|error| disk(self.name, "cannot be written", error))?;
            self.have += data.len() as u64;
            if total.is_some_and(|total| self.have > total) {
                self.clear().await?;
                let what = "the server sent more than it announced";
                return Err(DownloadFailed::new(self.name, what).into());
            }
            self.reports.report(self.name, self.have, total);
        };
        let flushed = self.file.sync_all().await;
        flushed.map_err(|error| disk(self.name, "cannot be written", error))?;
        let is_whole = total.map_or(end.is_none(), |total| self.have == total);
        if is_whole {
            return Ok(Attempt::Arrived);
        }
        let failed =
            DownloadFailed::new(self.name, "the transfer is interrupted repeatedly").temporary();
        let failed = match end {
            Some(cause) => failed.because(cause),
            None => failed,
        };
        Ok(Attempt::Interrupted(self.have - before, failed))
    }

    /// Compares the checksum, if the server sent one. A wrong file is discarded.
    async fn check(&mut self) -> Result<Result<(), DownloadFailed>, Error> {
        let mut version = self.parts.version(self.name).await;
        if let Some(expected) = &version.sha256 {
            let path = self.parts.path_of(self.name);
            let name = self.name.to_owned();
            let found = crate::wire::blocking::run(move || {
                let found = checksum::sha256(&path);
                Ok(found.map_err(|error| disk(&name, "cannot be read", error))?)
            })
            .await?;
            if found != *expected {
                self.clear().await?;
                let what = format!(
                    "has the SHA-256 {found}, but the server announced {expected}; the file was discarded"
                );
                return Ok(Err(DownloadFailed::new(self.name, what).temporary()));
            }
        }
        version.is_done = true;
        self.record(version).await?;
        Ok(Ok(()))
    }
}
