//! One file, fetched in as many tries as it takes.

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

use super::answer::{Plan, weigh};
use super::checksum;
use super::error::DownloadFailed;
use super::folder::Parts;
use super::links::{Link, Links};
use super::record::Version;
use crate::error::{Error, StatusError};
use crate::options::DownloadOptions;
use crate::rest::RestClient;

const OPERATION: &str = "download";
/// Tries in a row that bring nothing.
const TRIES: u32 = 6;
const WAIT: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(8));

/// What came of a try.
enum Try {
    /// All that was asked for arrived.
    Arrived,
    /// It must be asked for anew, from the start.
    Restart,
    /// The link works no more.
    Stale(StatusError),
    /// It broke off, after these bytes.
    BrokeOff(u64, DownloadFailed),
}

/// One file on its way.
struct Transfer<'a> {
    rest: &'a RestClient,
    parts: &'a Parts,
    name: &'a str,
    options: &'a DownloadOptions,
}

/// Fetches a file into the folder of parts, and checks it. Gives its size.
pub(super) async fn fetch(
    rest: &RestClient,
    links: &Links,
    parts: &Parts,
    name: &str,
    options: &DownloadOptions,
) -> Result<u64, Error> {
    let transfer = Transfer {
        rest,
        parts,
        name,
        options,
    };
    let (mut file, mut have) = transfer.open().await?;
    if parts.version(name).await.is_done {
        options.tell(name, have, Some(have));
        return Ok(have);
    }
    let mut link = links.get(rest, name, None).await?;
    let (mut fruitless, mut stale) = (0, false);
    loop {
        let outcome = transfer.attempt(&link, &mut file, &mut have).await?;
        match outcome {
            Try::Arrived => match transfer.check(&mut file, &mut have).await? {
                Ok(()) => return Ok(have),
                Err(wrong) if fruitless > 0 => return Err(wrong.into()),
                // Once more from the start: a part may have been of other contents.
                Err(_) => fruitless = TRIES - 1,
            },
            Try::Stale(error) if stale => return Err(error.into()),
            Try::Stale(_) => {
                stale = true;
                link = links.get(rest, name, Some(&link)).await?;
            }
            Try::Restart if fruitless + 1 >= TRIES => {
                let what = "the server does not send it from the start";
                return Err(DownloadFailed::new(name, what).into());
            }
            Try::Restart => {
                fruitless += 1;
                transfer.clear(&mut file, &mut have).await?;
            }
            Try::BrokeOff(arrived, error) => {
                fruitless = if arrived > 0 { 0 } else { fruitless + 1 };
                if fruitless >= TRIES {
                    return Err(error.into());
                }
                stale = false;
                tokio::time::sleep(WAIT.with_jitter(0.25).wait(fruitless)).await;
            }
        }
    }
}

impl Transfer<'_> {
    async fn open(&self) -> Result<(File, u64), Error> {
        let opened = self.parts.open(self.name).await;
        Ok(opened.map_err(|error| self.disk("it cannot be opened", error))?)
    }

    fn disk(&self, what: &str, error: io::Error) -> DownloadFailed {
        DownloadFailed::new(self.name, what).because(error)
    }

    async fn clear(&self, file: &mut File, have: &mut u64) -> Result<(), Error> {
        *have = 0;
        let cleared = file.set_len(0).await;
        Ok(cleared.map_err(|error| self.disk("it cannot be emptied", error))?)
    }

    /// Asks for what is missing and writes what arrives.
    async fn attempt(&self, link: &Link, file: &mut File, have: &mut u64) -> Result<Try, Error> {
        let known = self.parts.version(self.name).await;
        // What is there can be built on only if it is known what it is.
        if known.etag.is_none() && *have > 0 {
            self.clear(file, have).await?;
        }
        let request = self.request(link, *have, &known)?;
        let api = &self.rest.link().await?.api;
        let response = match api.open(request).await {
            Ok(response) => response,
            Err(error) if error.is_retryable() => {
                let failed = DownloadFailed::new(self.name, "the server cannot be reached");
                return Ok(Try::BrokeOff(0, failed.passing().because(error)));
            }
            Err(error) => return Err(error.into()),
        };
        let status = response.status();
        let refused = || StatusError::new(status, OPERATION, format!("for {:?}", self.name));
        let version = match weigh(status, response.headers(), *have, &known) {
            Plan::Whole => return Ok(Try::Arrived),
            Plan::Restart => return Ok(Try::Restart),
            Plan::Stale => return Ok(Try::Stale(refused())),
            Plan::Refused => return Err(refused().into()),
            Plan::Append(version) => version,
            Plan::Replace(version) => {
                self.clear(file, have).await?;
                version
            }
        };
        let total = version.total;
        let noted = self.parts.note(self.name, version).await;
        noted.map_err(|error| self.disk("the record cannot be written", error))?;
        self.write(response.into_body(), file, have, total).await
    }

    fn request(&self, link: &Link, have: u64, known: &Version) -> Result<Request<Body>, Error> {
        let call = Call::new(OPERATION, Class::Rest).with_replay(Replay::Safe);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = link.uri.clone();
        request.extensions_mut().insert(call);
        let headers = request.headers_mut();
        // Parts of compressed contents would not be parts of the file.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let (Some(etag), true) = (&known.etag, have > 0) {
            let unfit = |_| DownloadFailed::new(self.name, "its record is damaged; delete it");
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
    ) -> Result<Try, Error> {
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
            written.map_err(|error| self.disk("it cannot be written", error))?;
            *have += data.len() as u64;
            if total.is_some_and(|total| *have > total) {
                self.clear(file, have).await?;
                let what = "more arrived than the server announced";
                return Err(DownloadFailed::new(self.name, what).into());
            }
            self.options.tell(self.name, *have, total);
        };
        let flushed = file.sync_all().await;
        flushed.map_err(|error| self.disk("it cannot be written", error))?;
        let is_whole = total.map_or(end.is_none(), |total| *have == total);
        if is_whole {
            return Ok(Try::Arrived);
        }
        let failed = DownloadFailed::new(self.name, "the transfer keeps breaking off").passing();
        let failed = match end {
            Some(cause) => failed.because(cause),
            None => failed,
        };
        Ok(Try::BrokeOff(*have - before, failed))
    }

    /// Compares the checksum, where there is one. What is wrong is thrown away.
    async fn check(
        &self,
        file: &mut File,
        have: &mut u64,
    ) -> Result<Result<(), DownloadFailed>, Error> {
        let mut version = self.parts.version(self.name).await;
        if let Some(expected) = &version.sha256 {
            let place = self.parts.place_of(self.name);
            let name = self.name.to_owned();
            let found = crate::blocking::run(move || {
                let found = checksum::sha256(&place);
                Ok(found
                    .map_err(|error| DownloadFailed::new(&name, "cannot be read").because(error))?)
            })
            .await?;
            if found != *expected {
                self.clear(file, have).await?;
                let what = format!(
                    "its SHA-256 is {found} and not, as the server says, {expected}; it was thrown away"
                );
                return Ok(Err(DownloadFailed::new(self.name, what).passing()));
            }
        }
        version.is_done = true;
        let noted = self.parts.note(self.name, version).await;
        noted.map_err(|error| self.disk("the record cannot be written", error))?;
        Ok(Ok(()))
    }
}
