//! The transfer of one file into the cache, with as many attempts as it takes.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use http::header::CONTENT_RANGE;
use http::{Response, StatusCode};
use http_body_util::BodyStream;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tinker_transport::policy::Backoff;
use tinker_transport::{Body, BoxError};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use super::cache::RepositoryCache;
use super::digested::hex;
use super::error::{HubError, HubErrorKind};
use super::pulled::PulledFile;
use super::remote::{Announced, Remote};
use super::repository::Repository;
use crate::download::options::Reports;

/// Number of consecutive attempts without data.
const ATTEMPTS: u32 = 5;
const WAIT: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(8));

/// Size of the read buffer in bytes.
const PIECE: usize = 1 << 20;

/// The transfer of one file.
pub(super) struct Transfer<'a> {
    pub(super) remote: &'a Remote,
    pub(super) cache: &'a RepositoryCache,
    pub(super) repository: &'a Repository,
    pub(super) commit: &'a str,
    pub(super) name: &'a str,
    pub(super) reports: &'a Reports,
}

impl Transfer<'_> {
    /// Fetches the file unless the cache has it, and places it into the folder of the commit.
    pub(super) async fn run(&self) -> Result<PulledFile, HubError> {
        let announced = self
            .remote
            .announced(self.repository, self.commit, self.name)
            .await?;
        let blob = self.cache.blob(&announced.etag);
        let mut is_new = false;
        if !blob.is_file() {
            let (cache, etag) = (self.cache.clone(), announced.etag.clone());
            let _lock = blocking(move || cache.lock(&etag)).await?;
            // Another program may have fetched it in the meantime.
            if !blob.is_file() {
                self.fetch(&announced).await?;
                is_new = true;
            }
        }
        let size = tokio::fs::metadata(&blob).await;
        let bytes = size
            .map_err(|error| HubError::disk(&blob, "cannot be read", error))?
            .len();
        if !is_new {
            self.reports.report(self.name, bytes, Some(bytes));
        }
        self.cache.place(self.commit, self.name, &announced.etag)?;
        Ok(PulledFile {
            name: self.name.to_owned(),
            bytes,
            is_new,
        })
    }

    /// Receives and checks the content.
    async fn fetch(&self, announced: &Announced) -> Result<(), HubError> {
        let path = self.cache.incomplete(&announced.etag);
        let mut failures = 0;
        let mut is_damaged = false;
        loop {
            let before = length(&path).await?;
            let attempt = if announced.size == Some(before) {
                Ok(())
            } else {
                self.attempt(announced, &path, before).await
            };
            match attempt {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    let after = length(&path).await?;
                    failures = if after > before { 0 } else { failures + 1 };
                    if failures >= ATTEMPTS {
                        return Err(error);
                    }
                    tokio::time::sleep(WAIT.with_jitter(0.25).wait(failures)).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
            match self.check(announced, &path).await {
                Ok(()) => break,
                // Once more from the start: a part may be of an earlier, damaged transfer.
                Err(error) if is_damaged || error.kind() != HubErrorKind::Damaged => {
                    return Err(error);
                }
                Err(_) => is_damaged = true,
            }
        }
        let blob = self.cache.blob(&announced.etag);
        let moved = tokio::fs::rename(&path, &blob).await;
        moved.map_err(|error| HubError::disk(&blob, "cannot be written", error))
    }

    /// Requests the missing part and writes it.
    async fn attempt(&self, announced: &Announced, path: &Path, have: u64) -> Result<(), HubError> {
        let response = self
            .remote
            .open(self.repository, self.commit, self.name, have)
            .await?;
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => have,
            StatusCode::OK => 0,
            // The part is longer than the file, or the range is another one.
            _ => {
                remove(path).await?;
                return Err(self.interrupted("the server does not continue the file", None));
            }
        };
        let failed = |error| HubError::disk(path, "cannot be written", error);
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .await;
        let mut file = opened.map_err(failed)?;
        file.set_len(from).await.map_err(failed)?;
        let written = self
            .write(announced, response.into_body(), &mut file, from)
            .await;
        file.sync_all().await.map_err(failed)?;
        match written.map_err(failed)? {
            (_, Some(cause)) => {
                Err(self.interrupted("the transfer is interrupted repeatedly", Some(cause)))
            }
            (have, None) if announced.size.is_some_and(|size| have < size) => {
                Err(self.interrupted("the transfer ends too early", None))
            }
            _ => Ok(()),
        }
    }

    /// Writes the body, and returns the length of the file with the error that ended it.
    async fn write(
        &self,
        announced: &Announced,
        body: Body,
        file: &mut File,
        mut have: u64,
    ) -> std::io::Result<(u64, Option<BoxError>)> {
        let mut frames = BodyStream::new(body);
        while let Some(frame) = frames.next().await {
            let data = match frame {
                Err(error) => return Ok((have, Some(error))),
                Ok(frame) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => continue, // trailers
                },
            };
            file.write_all(&data).await?;
            have += data.len() as u64;
            // More than announced is wrong, and need not be received.
            if announced.size.is_some_and(|size| have > size) {
                break;
            }
            self.reports.report(self.name, have, announced.size);
        }
        Ok((have, None))
    }

    /// Compares size and hash. Wrong content is discarded.
    async fn check(&self, announced: &Announced, path: &Path) -> Result<(), HubError> {
        let (file, etag) = (path.to_owned(), announced.etag.clone());
        let hashed = blocking(move || {
            hash_like(&file, &etag).map_err(|error| HubError::disk(&file, "cannot be read", error))
        });
        let (size, hash) = hashed.await?;
        let is_right = announced.size.is_none_or(|announced| announced == size)
            && hash.as_ref().is_none_or(|hash| *hash == announced.etag);
        if is_right {
            return Ok(());
        }
        remove(path).await?;
        let (name, repository, etag) = (self.name, self.repository, &announced.etag);
        let found = hash.unwrap_or_default();
        let what = format!(
            "{name} of {repository} has {size} bytes and the hash {found}, but the Hub announced {etag}; it was discarded"
        );
        Err(HubError::new(HubErrorKind::Damaged, what))
    }

    fn interrupted(&self, what: &str, cause: Option<BoxError>) -> HubError {
        let what = format!("{} of {}: {what}", self.name, self.repository);
        let error = HubError::new(HubErrorKind::Unreachable, what);
        match cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

/// Whether a partial answer begins with this byte.
fn starts_at(response: &Response<Body>, byte: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split_once('-')?.0.parse().ok());
    start == Some(byte)
}

/// Length of a file; 0 if it does not exist.
async fn length(path: &Path) -> Result<u64, HubError> {
    match tokio::fs::metadata(path).await {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(HubError::disk(path, "cannot be read", error)),
    }
}

async fn remove(path: &Path) -> Result<(), HubError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(HubError::disk(path, "cannot be removed", error))
        }
        _ => Ok(()),
    }
}

/// Size of a file and its hash of the kind that the tag is: SHA-256, or the SHA-1 of git. Blocks the thread.
fn hash_like(path: &PathBuf, etag: &str) -> std::io::Result<(u64, Option<String>)> {
    let mut file = std::fs::File::open(path)?;
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let is_hex = etag
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let hash = match etag.len() {
        64 if is_hex => Some(digest(Sha256::new(), &mut file)?),
        40 if is_hex => {
            let head = format!("blob {size}\0");
            Some(digest(Sha1::new_with_prefix(head), &mut file)?)
        }
        _ => None,
    };
    Ok((size, hash))
}

fn digest(mut hasher: impl Digest, file: &mut std::fs::File) -> std::io::Result<String> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// Runs blocking work. A panic in it is resumed here.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(HubError::new(
                HubErrorKind::Unreachable,
                "the runtime has stopped",
            )),
        },
    }
}
