//! Client of the Hub and its cache.

use std::path::PathBuf;

use futures_util::{StreamExt, stream};

use super::cache::RepositoryCache;
use super::config::HubConfig;
use super::error::{HubError, HubErrorKind};
use super::pulled::{Pulled, PulledFile};
use super::push::{Push, Pushed};
use super::remote::Remote;
use super::repository::{Repository, check_revision};
use super::transfer::{Transfer, blocking};
use super::{digested::Digested, upload, writing::check_path};
use crate::download::options::DownloadOptions;

/// The file that says which weights are in which file.
const INDEX: &str = "model.safetensors.index.json";

/// Parts of the index of weights.
#[derive(Debug, serde::Deserialize)]
struct WeightIndex {
    /// Files by tensor.
    weight_map: std::collections::BTreeMap<String, String>,
}

/// The Hugging Face Hub with its cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    config: HubConfig,
    remote: Remote,
}

/// The files to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubFiles {
    /// A model: configuration, weights in safetensors, and tokenizer.
    Model,
    /// Tokenizer, chat templates and configuration.
    Tokenizer,
}

impl HubFiles {
    /// Whether a file of a repository is one of these.
    fn has(self, name: &str) -> bool {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if let Some((folder, template)) = name.split_once('/') {
            let is_template = folder == "additional_chat_templates" && extension == "jinja";
            return is_template && !template.contains('/');
        }
        let is_index = name.strip_suffix(".index.json").is_some();
        let is_text = matches!(extension, "json" | "jinja") && !is_index;
        let is_weights = name.starts_with("model") && (extension == "safetensors" || name == INDEX);
        let is_vocabulary = matches!(name, "merges.txt" | "tokenizer.model");
        match self {
            Self::Model => is_weights || is_text || is_vocabulary,
            Self::Tokenizer => is_text,
        }
    }
}

impl Hub {
    /// A client with these settings. Sends nothing.
    ///
    /// # Errors
    /// An address or a token that cannot be used.
    pub fn new(config: HubConfig) -> Result<Self, HubError> {
        Ok(Self {
            remote: Remote::new(&config)?,
            config,
        })
    }

    /// The settings.
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    /// The folder of a branch, tag or commit in the cache, if it has any file of it. Sends nothing.
    pub fn cached(&self, repository: &Repository, revision: &str) -> Option<PathBuf> {
        check_revision(revision).ok()?;
        RepositoryCache::new(&self.config.cache, repository).find(revision)
    }

    /// Fetches the files of a branch, tag or commit that the cache lacks.
    ///
    /// Files are checked by their hash, and an interrupted transfer is continued, now or by the next call. The token is
    /// sent to the Hub only. If [`HubConfig::is_offline`] is set, nothing is sent, and the files of the cache are the result.
    ///
    /// # Errors
    /// See [`HubErrorKind`]: among others an offline cache that lacks the weights or the tokenizer.
    pub async fn pull(
        &self,
        repository: &Repository,
        revision: &str,
        files: HubFiles,
        options: &DownloadOptions,
    ) -> Result<Pulled, HubError> {
        check_revision(revision)?;
        let cache = RepositoryCache::new(&self.config.cache, repository);
        if self.config.is_offline {
            let revision = revision.to_owned();
            let found = blocking(move || Ok(of_cache(&cache, &revision, files))).await?;
            return found.map_or_else(|| Err(offline(repository, "fetched")), Ok);
        }
        let listing = self.remote.list(repository, revision).await?;
        let mut names: Vec<String> = listing
            .files
            .into_iter()
            .filter(|name| files.has(name))
            .collect();
        names.sort();
        if names.is_empty() {
            let what = format!("{repository} has no files of a model in revision {revision}");
            return Err(HubError::new(HubErrorKind::NotFound, what));
        }
        let reports = options.reports(names.len());
        let transfers = names.iter().map(|name| async {
            let transfer = Transfer {
                remote: &self.remote,
                cache: &cache,
                repository,
                commit: &listing.commit,
                name,
                reports: &reports,
            };
            Box::pin(transfer.run()).await
        });
        let mut transfers = stream::iter(transfers).buffer_unordered(options.parallel.max(1));
        let mut fetched = Vec::with_capacity(names.len());
        while let Some(file) = transfers.next().await {
            fetched.push(file?);
        }
        drop(transfers);
        fetched.sort_by(|a: &PulledFile, b| a.name.cmp(&b.name));
        cache.note(revision, &listing.commit)?;
        Ok(Pulled {
            folder: cache.snapshot(&listing.commit),
            commit: listing.commit,
            files: fetched,
        })
    }

    /// Commits files to a repository, which is made if it is missing; so is the branch.
    ///
    /// Files are compared by their hash first, and only what the Hub lacks is transferred: large files to its storage, small
    /// ones with the commit. A transfer that fails is repeated, and a later call does not repeat what succeeded. The token
    /// is sent to the Hub only. If the future is dropped, there is no commit, or the whole one.
    ///
    /// # Errors
    /// See [`HubErrorKind`]: above all a missing or refused token. Nothing is sent if [`HubConfig::is_offline`] is set.
    pub async fn push(&self, repository: &Repository, push: &Push) -> Result<Pushed, HubError> {
        check_revision(&push.revision)?;
        if self.config.is_offline {
            return Err(offline(repository, "pushed to"));
        }
        if !self.remote.has_token() {
            let what = format!(
                "pushing to {repository} needs a token: log in with `hf auth login`, or set HF_TOKEN to a token with write access"
            );
            return Err(HubError::new(HubErrorKind::Token, what));
        }
        if push.files.is_empty() {
            return Err(HubError::invalid("there are no files to push"));
        }
        let mut files = Vec::with_capacity(push.files.len());
        for (name, content) in push.files.clone() {
            check_path(&name)?;
            files.push(blocking(move || Digested::read(name, content)).await?);
        }
        Box::pin(upload::push(&self.remote, repository, push, files)).await
    }
}

fn offline(repository: &Repository, done: &str) -> HubError {
    let what = format!("{repository} cannot be {done}, because HF_HUB_OFFLINE is set");
    HubError::new(HubErrorKind::Offline, what)
}

/// The files of a revision in the cache, if those that a model or tokenizer cannot do without are there.
fn of_cache(cache: &RepositoryCache, revision: &str, files: HubFiles) -> Option<Pulled> {
    let (commit, mut found) = cache.files(revision)?;
    found.retain(|(name, _)| files.has(name));
    let folder = cache.snapshot(&commit);
    let has = |wanted: &str| found.iter().any(|(name, _)| name == wanted);
    let is_complete = match files {
        HubFiles::Model if has(INDEX) => {
            let index = std::fs::read(folder.join(INDEX)).ok()?;
            let index: WeightIndex = serde_json::from_slice(&index).ok()?;
            has("config.json") && index.weight_map.values().all(|file| has(file))
        }
        HubFiles::Model => has("config.json") && has("model.safetensors"),
        HubFiles::Tokenizer => has("tokenizer.json"),
    };
    let file = |(name, bytes)| PulledFile {
        name,
        bytes,
        is_new: false,
    };
    is_complete.then(|| Pulled {
        folder,
        commit,
        files: found.into_iter().map(file).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_files() {
        for (name, is_model, is_tokenizer) in [
            ("config.json", true, true),
            ("tokenizer.json", true, true),
            ("chat_template.jinja", true, true),
            ("additional_chat_templates/tool_use.jinja", true, true),
            ("model.safetensors", true, false),
            ("model-00001-of-00002.safetensors", true, false),
            ("model.safetensors.index.json", true, false),
            ("merges.txt", true, false),
            ("pytorch_model.bin", false, false),
            ("pytorch_model.bin.index.json", false, false),
            ("consolidated.safetensors", false, false),
            ("original/params.json", false, false),
            ("README.md", false, false),
        ] {
            assert_eq!(HubFiles::Model.has(name), is_model, "{name}");
            assert_eq!(HubFiles::Tokenizer.has(name), is_tokenizer, "{name}");
        }
    }
}
