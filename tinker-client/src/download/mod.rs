//! Files of a checkpoint, fetched into a folder.
//!
//! They are gathered in a folder beside the one that is wanted, `NAME.part`, which is renamed when
//! all are whole: what has the name is complete. A later call goes on with what is there. An archive
//! is fetched like any file, and unpacked then.

mod answer;
mod checksum;
mod error;
mod file;
mod folder;
mod links;
mod name;
mod record;
mod unpack;

pub use error::DownloadFailed;

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use futures_util::stream;
use tinker_types::{CheckpointKind, CheckpointPath};

use crate::error::Error;
use crate::options::DownloadOptions;
use crate::rest::RestClient;
use folder::Folder;
use links::Links;

/// What a download came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// Where the files are.
    pub folder: PathBuf,
    /// Their names in it, with slashes, in alphabetical order.
    pub files: Vec<String>,
    /// Their sizes, added up, in bytes.
    pub bytes: u64,
}

impl RestClient {
    /// Downloads the files of a checkpoint into a new folder.
    ///
    /// Those of one that [`save_weights_external`](crate::TrainingClient::save_weights_external)
    /// made come one by one. Those of any other come as an archive, see
    /// [`get_checkpoint_archive_url`](Self::get_checkpoint_archive_url), which not every server has;
    /// it is unpacked.
    ///
    /// A transfer that breaks off goes on where it was, in this call or, after an error or a drop, in
    /// the next one: until then the files are in `<folder>.part`. Sizes, and SHA-256 checksums where
    /// the server gives them, must be right. Links that stop working are replaced. The files may be
    /// on another server, which is sent no key.
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
    ///     .rest()
    ///     .download_checkpoint(&saved.path, &target, DownloadOptions::default())
    ///     .await?;
    /// assert!(target.join(&downloaded.files[0]).exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A folder that is there and not empty, before anything is sent. 404 for a checkpoint there is
    /// not, or whose files the server does not give. [`Error::Download`] for a name that would leave the folder, contents that are not what
    /// the server says, a transfer that keeps breaking off, a disk that cannot be written.
    pub async fn download_checkpoint(
        &self,
        path: &CheckpointPath,
        folder: impl AsRef<Path>,
        options: DownloadOptions,
    ) -> Result<Downloaded, Error> {
        let folder = Folder::new(folder.as_ref())?;
        let links = Links::open(self, path).await?;
        let folder = folder.begin(path, links.names()).await?;
        let names = links.names().to_vec();
        let fetches = names
            .iter()
            .map(|name| file::fetch(self, &links, &folder, name, &options));
        let mut fetches = stream::iter(fetches).buffer_unordered(options.parallel.get());
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
