//! Traces of sessions.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use http::{Request, Uri};
use http_body_util::BodyStream;
use tinker_transport::{Body, Call, Class, Replay};
use tinker_types::{ExportSessionTrace, SessionId, TraceExport};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::sessions::SessionClient;
use crate::error::{DownloadFailed, Error, ExportFailed, StatusError};
use crate::session::ask::ask;

/// Interval between two queries for the state of an export.
const EXPORT_INTERVAL: Duration = Duration::from_secs(5);
const OPERATION: &str = "download_trace";

impl SessionClient {
    /// Requests a trace of a session, waits for it without a time limit, and returns a signed URL of a file in
    /// Perfetto's format, valid for about an hour.
    ///
    /// Dropping the future ends the wait; the server continues, and the next call finds its work.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// let url = service.sessions().export_trace(&session).await?;
    /// assert!(url.starts_with("http"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Export`] if the server could not make the trace.
    pub async fn export_trace(&self, id: &SessionId) -> Result<String, Error> {
        let method = "RestClient.export_session_trace";
        let request = ExportSessionTrace {
            session_id: id.clone(),
        };
        loop {
            match ask(&self.state, method, request.clone()).await? {
                TraceExport::Ready { url } => return Ok(url),
                TraceExport::Failed { error } => {
                    return Err(ExportFailed::new(id.clone(), error).into());
                }
                TraceExport::Pending => tokio::time::sleep(EXPORT_INTERVAL).await,
            }
        }
    }

    /// Requests a trace of a session as [`export_trace`](Self::export_trace) does, and writes it to a file, which is
    /// replaced when the trace is complete. Returns the size in bytes. The trace may be on another server, which does not
    /// receive the key.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("trace");
    /// let bytes = service.sessions().download_trace(&session, &file).await?;
    /// assert_eq!(std::fs::metadata(&file)?.len(), bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`export_trace`](Self::export_trace); [`Error::Download`] for an interrupted transfer and disk errors.
    pub async fn download_trace(
        &self,
        id: &SessionId,
        file: impl AsRef<Path>,
    ) -> Result<u64, Error> {
        let target = file.as_ref();
        let name = target.display().to_string();
        let failed = |what: &str| DownloadFailed::new(&name, what);
        let url = self.export_trace(id).await?;
        // The URL is a secret, so messages have the name of the file only.
        let uri: Uri = url
            .parse()
            .map_err(|_| failed("the link is not a valid URL"))?;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        let call = Call::new(OPERATION, Class::Rest).with_replay(Replay::Safe);
        request.extensions_mut().insert(call);
        let api = &self.state.connection().await?.api;
        let response = Box::pin(api.open(request)).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(StatusError::new(status, OPERATION, "for the trace".to_owned()).into());
        }
        let disk = |error| failed("cannot be written").because(error);
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let mut writer = File::create(&part).await.map_err(disk)?;
        let (mut frames, mut bytes) = (BodyStream::new(response.into_body()), 0);
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|error| {
                failed("the transfer was interrupted")
                    .temporary()
                    .because(error)
            })?;
            if let Ok(data) = frame.into_data() {
                writer.write_all(&data).await.map_err(disk)?;
                bytes += data.len() as u64;
            }
        }
        writer.sync_all().await.map_err(disk)?;
        tokio::fs::rename(&part, target).await.map_err(disk)?;
        Ok(bytes)
    }
}
