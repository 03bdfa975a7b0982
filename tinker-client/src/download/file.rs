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
use crate::download::options::DownloadOptions;
use crate::error::DownloadFailed;
use crate::error::{Error, StatusError};
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
    options: &'a DownloadOptions,
}

/// Fetches a file into the folder of parts, checks it, and returns its size.
pub(super) async fn fetch(
    checkpoints: &CheckpointClient,
    links: &Links,
    parts: &Parts,
    name: &str,
    options: &DownloadOptions,
) -> Result<u64, Error> {
    let transfer = Transfer {
        checkpoints,
        parts,
        name,
        options,
    };
    let (mut file, mut have) = transfer.open().await?;
    if parts.version(name).await.is_done {
        options.report(name, have, Some(have));
        return Ok(have);
    }
    let mut link = links.get(checkpoints, name, None).await?;
    let (mut failures, mut stale) = (0, false);
    loop {
        let outcome = transfer.attempt(&link, &mut file, &mut have).await?;
        match outcome {
            Attempt::Arrived => match transfer.check(&mut file, &mut have).await? {
                Ok(()) => return Ok(have),
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
                transfer.clear(&mut file, &mut have).await?;
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

impl Transfer<'_> {
    async fn open(&self) -> Result<(File, u64), Error> {
        let opened = self.parts.open(self.name).await;
        Ok(opened.map_err(|error| self.disk("cannot be opened", error))?)
    }

    fn disk(&self, what: &str, error: io::Error) -> DownloadFailed {
        DownloadFailed::new(self.name, what).because(error)
    }

    async fn clear(&self, file: &mut File, have: &mut u64) -> Result<(), Error> {
        *have = 0;
        let cleared = file.set_len(0).await;
        Ok(cleared.map_err(|error| self.disk("cannot be truncated", error))?)
    }

    /// Requests the missing part and writes it.
    async fn attempt(
        &self,
        link: &FileUrl,
        file: &mut File,
        have: &mut u64,
    ) -> Result<Attempt, Error> {
        let known = self.parts.version(self.name).await;
        // A part can be continued only if its version is known.
        if known.etag.is_none() && *have > 0 {
            self.clear(file, have).await?;
        }
        let request = self.request(link, *have, &known)?;
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
        let refused = || StatusError::new(status, OPERATION, format!("for {:?}", self.name));
        let version = match interpret(status, response.headers(), *have, &known) {
            Plan::Whole => return Ok(Attempt::Arrived),
            Plan::Restart => return Ok(Attempt::Restart),
            Plan::Stale => return Ok(Attempt::Stale(refused())),
            Plan::Refused => return Err(refused().into()),
            Plan::Append(version) => version,
            Plan::Replace(version) => {
                self.clear(file, have).await?;
                version
            }
        };
        let total = version.total;
        let recorded = self.parts.record(self.name, version).await;
        recorded.map_err(|error| self.disk("the download record cannot be written", error))?;
        self.write(response.into_body(), file, have, total).await
    }

    fn request(&self, link: &FileUrl, have: u64, known: &Version) -> Result<Request<Body>, Error> {
        let call = Call::new(OPERATION, Class::Rest).with_replay(Replay::Safe);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = link.uri.clone();
        request.extensions_mut().insert(call);
        let headers = request.headers_mut();
        // A range of a compressed body would not be a range of the file.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let (Some(etag), true) = (&known.etag, have > 0) {
            let unfit =
                |_| DownloadFailed::new(self.name, "the download record is damaged; delete it");
            headers.insert(
                RANGE,
                HeaderValue::from_str(&format!("bytes={have}-")).map_err(unfit)?,
            );
            headers.insert(IF_RANGE, HeaderValue::from_str(etag).map_err(unfit)?);
        }
        Ok(request)
    }

    async fn write(
        &self,
        body: Body,
        file: &mut File,
        have: &mut u64,
        total: Option<u64>,
    ) -> Result<Attempt, Error> {
        let before = *have;
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
            let written = file.write_all(&data).await;
            written.map_err(|error| self.disk("cannot be written", error))?;
            *have += data.len() as u64;
            if total.is_some_and(|total| *have > total) {
                self.clear(file, have).await?;
                let what = "the server sent more than it announced";
                return Err(DownloadFailed::new(self.name, what).into());
            }
            self.options.report(self.name, *have, total);
        };
        let flushed = file.sync_all().await;
        flushed.map_err(|error| self.disk("cannot be written", error))?;
        let is_whole = total.map_or(end.is_none(), |total| *have == total);
        if is_whole {
            return Ok(Attempt::Arrived);
        }
        let failed =
            DownloadFailed::new(self.name, "the transfer is interrupted repeatedly").temporary();
        let failed = match end {
            Some(cause) => failed.because(cause),
            None => failed,
        };
        Ok(Attempt::Interrupted(*have - before, failed))
    }

    /// Compares the checksum, if the server sent one. A wrong file is discarded.
    async fn check(
        &self,
        file: &mut File,
        have: &mut u64,
    ) -> Result<Result<(), DownloadFailed>, Error> {
        let mut version = self.parts.version(self.name).await;
        if let Some(expected) = &version.sha256 {
            let path = self.parts.path_of(self.name);
            let name = self.name.to_owned();
            let found = crate::wire::blocking::run(move || {
                let found = checksum::sha256(&path);
                Ok(found
                    .map_err(|error| DownloadFailed::new(&name, "cannot be read").because(error))?)
            })
            .await?;
            if found != *expected {
                self.clear(file, have).await?;
                let what = format!(
                    "has the SHA-256 {found}, but the server announced {expected}; the file was discarded"
                );
                return Ok(Err(DownloadFailed::new(self.name, what).temporary()));
            }
        }
        version.is_done = true;
        let recorded = self.parts.record(self.name, version).await;
        recorded.map_err(|error| self.disk("the download record cannot be written", error))?;
        Ok(Ok(()))
    }
}
