//! The course of a push.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tinker_transport::policy::Backoff;

use super::answer::Action;
use super::digested::Digested;
use super::error::{HubError, HubErrorKind};
use super::push::{Push, PushProgress, Pushed, PushedFile};
use super::remote::{Remote, answer};
use super::repository::Repository;
use super::writing::Entry;

/// Number of attempts to transfer a file.
const ATTEMPTS: u32 = 5;
const WAIT: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(8));

/// Makes the repository and the branch if they are missing, transfers what the Hub lacks, and commits.
pub(super) async fn push(
    remote: &Remote,
    repository: &Repository,
    push: &Push,
    files: Vec<Digested>,
) -> Result<Pushed, HubError> {
    let created = remote.create(repository, push.private).await?;
    let repository = &created.repository;
    if push.revision != "main" {
        remote.create_branch(repository, &push.revision).await?;
    }
    let wanted = remote.preupload(repository, &push.revision, &files).await?;
    let mut entries = Vec::new();
    let mut pushed = Vec::new();
    for file in &files {
        let name = &file.name;
        let wanted = wanted.get(name).ok_or_else(|| {
            answer(format!(
                "the Hub does not say how it wants {name} of {repository}"
            ))
        })?;
        if wanted.is_ignored() {
            let what = format!(
                "the file .gitignore of {repository} excludes {name}; change it, or push to another repository"
            );
            return Err(HubError::invalid(what));
        }
        let mut is_new = false;
        if !wanted.has(file) {
            if wanted.is_large() {
                let upload = Upload {
                    remote,
                    repository,
                    push,
                    file,
                };
                is_new = Box::pin(upload.run()).await?;
                entries.push(Entry::Large(file));
            } else {
                is_new = true;
                entries.push(Entry::Small(file));
            }
        }
        pushed.push(PushedFile {
            name: name.clone(),
            bytes: file.size,
            is_new,
        });
    }
    let commit = if entries.is_empty() {
        None
    } else {
        let commit = remote.commit(repository, &push.revision, &push.message, &entries);
        Some(commit.await?)
    };
    Ok(Pushed {
        url: format!("{}/{repository}", remote.address()),
        commit,
        is_new: created.is_new,
        files: pushed,
    })
}

/// The transfer of one large file.
struct Upload<'a> {
    remote: &'a Remote,
    repository: &'a Repository,
    push: &'a Push,
    file: &'a Digested,
}

impl Upload<'_> {
    /// Transfers the file unless the Hub has its content. Returns whether it did.
    async fn run(&self) -> Result<bool, HubError> {
        let mut failures = 0;
        loop {
            // Asked anew for each attempt: addresses expire, and an attempt whose answer was lost may have succeeded.
            let (repository, revision) = (self.repository, &self.push.revision);
            let actions = self.remote.batch(repository, revision, self.file).await?;
            let Some(upload) = actions.as_ref().and_then(|actions| actions.upload.as_ref()) else {
                return Ok(failures > 0);
            };
            let sent = if let Some(size) = upload.header.get("chunk_size") {
                self.in_parts(upload, size).await
            } else {
                let sent = self.send(&upload.href, &upload.header, 0, self.file.size);
                sent.await.map(drop)
            };
            match sent {
                Ok(()) => {
                    if let Some(verify) = actions.and_then(|actions| actions.verify) {
                        let told = json!({"oid": self.file.sha256, "size": self.file.size});
                        self.tell(&verify.href, &told).await?;
                    }
                    return Ok(true);
                }
                Err(error) if error.kind() == HubErrorKind::Unreachable => {
                    failures += 1;
                    if failures >= ATTEMPTS {
                        return Err(error);
                    }
                    tokio::time::sleep(WAIT.with_jitter(0.25).wait(failures)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn tell(&self, url: &str, message: &Value) -> Result<(), HubError> {
        let told = self
            .remote
            .tell(self.repository, url, &self.file.name, message);
        told.await
    }

    async fn send(
        &self,
        url: &str,
        headers: &BTreeMap<String, Value>,
        from: u64,
        length: u64,
    ) -> Result<Option<String>, HubError> {
        let (name, total) = (&self.file.name, self.file.size);
        let (report, file) = (self.push.reports(), Arc::<str>::from(name.as_str()));
        let progress = move |sent: u64| {
            if let Some(report) = &report {
                report(&PushProgress {
                    file: &file,
                    sent: from + sent,
                    total,
                });
            }
        };
        let body = self.file.body(from, length, progress).await?;
        self.remote.put(url, headers, name, body).await
    }

    /// Sends the parts to their addresses, and then their tags.
    async fn in_parts(&self, upload: &Action, size: &Value) -> Result<(), HubError> {
        let name = &self.file.name;
        let odd = || answer(format!("the Hub names no valid parts for {name}"));
        let size = match size {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let size = size.filter(|&size: &u64| size > 0).ok_or_else(odd)?;
        let number = |key: &str| key.parse::<u64>().ok();
        let headers = upload.header.iter();
        let mut urls: Vec<(u64, &str)> = headers
            .filter_map(|(key, url)| Some((number(key)?, url.as_str()?)))
            .collect();
        urls.sort_unstable();
        if urls.len() as u64 != self.file.size.div_ceil(size) {
            return Err(odd());
        }
        let mut parts = Vec::with_capacity(urls.len());
        let none = BTreeMap::new();
        for (index, (_, url)) in urls.into_iter().enumerate() {
            let from = index as u64 * size;
            let length = size.min(self.file.size - from);
            let tag = self.send(url, &none, from, length).await?;
            let tag = tag.ok_or_else(|| {
                answer(format!(
                    "the storage of the Hub names no tag of a part of {name}"
                ))
            })?;
            parts.push(json!({"partNumber": index + 1, "etag": tag}));
        }
        let told = json!({"oid": self.file.sha256, "parts": parts});
        self.tell(&upload.href, &told).await
    }
}
