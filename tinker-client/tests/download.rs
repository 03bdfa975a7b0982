//! Downloads from the embedded engine over an interrupted connection.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, StreamBody};
use tinker_client::transport::{Body, BoxError};
use tinker_client::{DownloadOptions, LoraConfig, ServiceClient};
use tinker_local::LocalEngine;
use tower::ServiceExt;

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_arrives_whole_over_a_broken_connection() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let parts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&parts);
    let leaf = {
        let engine = engine.service();
        tower::service_fn(move |request: http::Request<Body>| {
            let (engine, seen) = (engine.clone(), Arc::clone(&seen));
            async move {
                let is_file = request.uri().path().starts_with("/files/");
                let response = engine.oneshot(request).await?;
                let (head, body) = response.into_parts();
                if !is_file {
                    return Ok::<_, BoxError>(http::Response::from_parts(head, Body::new(body)));
                }
                seen.fetch_add(usize::from(head.status == 206), Ordering::Relaxed);
                let whole = body.collect().await?.to_bytes();
                // No transfer brings more than this.
                let piece = whole.slice(..whole.len().min(40_000));
                let mut frames = vec![Ok(http_body::Frame::data(piece.clone()))];
                if piece.len() < whole.len() {
                    frames.push(Err(std::io::Error::other("broke off")));
                }
                let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
                Ok(http::Response::from_parts(head, body))
            }
        })
    };
    let service = ServiceClient::builder().leaf(leaf).build()?;
    let training = service
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(8))
        .await?;
    let saved = training.save_weights_external("adapter").await?;
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("adapter");
    let downloaded = service
        .checkpoints()
        .download(&saved.path, &target, DownloadOptions::default())
        .await?;
    assert_eq!(saved.size_bytes, Some(downloaded.bytes));
    assert!(downloaded.bytes > 40_000 && parts.load(Ordering::Relaxed) > 0);
    for name in &downloaded.files {
        assert!(target.join(name).is_file(), "{name}");
    }
    Ok(())
}
