//! Downloads of the files of a checkpoint.
//!
//! Files are collected in a folder beside the target, `NAME.part`, which is renamed when all are complete: a folder with
//! the target name is always complete. A later call continues with the collected parts. An archive is fetched like any
//! other file and then unpacked.

mod answer;
mod checksum;
mod file;
mod folder;
mod links;
mod name;
pub(crate) mod options;
mod record;
mod unpack;

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use futures_util::stream;
use tinker_types::{CheckpointKind, CheckpointPath};

use crate::download::options::DownloadOptions;
use crate::error::Error;
use crate::rest::checkpoints::CheckpointClient;
use folder::Folder;
use links::Links;

/// The result of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// The folder of the files.
    pub folder: PathBuf,
    /// Paths of the files relative to the folder, with slashes, in alphabetical order.
    pub files: Vec<String>,
    /// Total size in bytes.
    pub bytes: u64,
}

impl CheckpointClient {
    /// Downloads the files of a checkpoint into a new folder.
    ///
    /// The files of a checkpoint made by [`save_weights_external`](crate::TrainingClient::save_weights_external) are
    /// fetched one by one. Those of other checkpoints are fetched as an archive, which not every server provides (see
    /// [`archive_url`](Self::archive_url)), and unpacked.
    ///
    /// An interrupted transfer is continued, by this call or, after an error or a drop, by the next one; until then the
    /// files are in `<folder>.part`. Sizes are checked, and SHA-256 checksums if the server sends them. Expired URLs are
    /// renewed. Files may be on another server, which does not receive the key.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tinker_client::{DownloadOptions, LoraConfig, ServiceClient};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// # let folder = tempfile::tempdir()?;
    ///
    /// let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
    /// let saved = training.save_weights_external("adapter").await?;
    /// let target = folder.path().join("adapter");
    /// let downloaded = service
    ///     .checkpoints()
    ///     .download(&saved.path, &target, DownloadOptions::default())
    ///     .await?;
    /// assert!(target.join(&downloaded.files[0]).exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A folder that exists and is not empty, before anything is sent. 404 if the checkpoint does not exist or the server
    /// does not provide its files. [`Error::Download`] for a file name that would leave the folder, content that differs
    /// from what the server announced, repeated interruptions, and disk errors.
    pub async fn download(
        &self,
        path: &CheckpointPath,
        folder: impl AsRef<Path>,
        options: DownloadOptions,
    ) -> Result<Downloaded, Error> {
        let folder = Folder::new(folder.as_ref())?;
        let links = Links::open(self, path).await?;
        let folder = folder.begin(path, links.names()).await?;
        let names = links.names().to_vec();
        let reports = options.reports(names.len());
        let fetches = names
            .iter()
            .map(|name| file::fetch(self, &links, &folder, name, &reports));
        let mut fetches = stream::iter(fetches).buffer_unordered(options.parallel.max(1));
        let mut bytes = 0;
        while let Some(fetched) = fetches.next().await {
            bytes += fetched?;
        }
        drop(fetches);
        if path.kind() != CheckpointKind::External {
            let (folder, files, bytes) = folder.finish_archive(&names[0]).await?;
            return Ok(Downloaded {
                folder,
                files,
                bytes,
            });
        }
        Ok(Downloaded {
            folder: folder.finish().await?,
            files: names,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests;
