//! Upload of an adapter that was trained elsewhere.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tinker_transport::{Body, Call, Class, Replay};
use tinker_types::{
    CheckpointPath, FinishWeightsUpload, InvalidValue, LoraConfig, StartWeightsUpload, UploadUrl,
};

use super::checkpoints::CheckpointClient;
use crate::error::{Error, StatusError};
use crate::session::ask::ask;

const METHOD: &str = "RestClient.upload_external_weights";
const OPERATION: &str = "upload";

impl CheckpointClient {
    /// Uploads an adapter as a checkpoint, and returns its path. `files` are those that
    /// [`save_weights_external`](crate::TrainingClient::save_weights_external) exports for this base model and shape:
    /// `adapter_config.json` and `adapter_model.safetensors` of PEFT. Each file is sent to a URL that the server names,
    /// without the key.
    ///
    /// A method of newer versions of the API, which a server may not offer. The engine of this project does; there, such a
    /// checkpoint can be sampled from and trained on.
    ///
    /// # Errors
    /// The server does not offer uploads (404), wants a file that is missing, refuses a file, or finds that the files are no
    /// adapter of this shape.
    pub async fn upload(
        &self,
        base_model: &str,
        lora_config: LoraConfig,
        mut files: BTreeMap<String, Bytes>,
    ) -> Result<CheckpointPath, Error> {
        let mut request = StartWeightsUpload::new(base_model, lora_config);
        request
            .destination_project_id
            .clone_from(&self.state.config().project_id);
        let started = ask(&self.state, METHOD, request).await?;
        let mut wanted = Vec::new();
        for (name, url) in started.urls {
            let bytes = files.remove(&name).ok_or_else(|| {
                InvalidValue::new("files", format!("have no {name:?}, which the server wants"))
            })?;
            wanted.push((name, url, bytes));
        }
        if let Some(name) = files.keys().next() {
            let why = format!("have {name:?}, which the server does not take");
            return Err(InvalidValue::new("files", why).into());
        }
        for (name, url, bytes) in wanted {
            self.send_file(&name, &url, bytes).await?;
        }
        let finish = FinishWeightsUpload::new(&started.upload_id);
        Ok(ask(&self.state, METHOD, finish).await?.tinker_path)
    }

    async fn send_file(&self, name: &str, url: &UploadUrl, bytes: Bytes) -> Result<(), Error> {
        // The URL is a secret, so messages have the name of the file only.
        let unfit = |what: &str| InvalidValue::new("urls", format!("have {what} for {name:?}"));
        let uri: Uri = url.url.parse().map_err(|_| unfit("no valid URL"))?;
        let mut request = Request::new(Body::from(bytes));
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = uri;
        let call = Call::new(OPERATION, Class::Rest).with_replay(Replay::Safe);
        request.extensions_mut().insert(call);
        for (key, value) in &url.headers {
            let key = HeaderName::try_from(key).map_err(|_| unfit("an invalid header"))?;
            let value = HeaderValue::try_from(value).map_err(|_| unfit("an invalid header"))?;
            request.headers_mut().insert(key, value);
        }
        let api = &self.state.connection().await?.api;
        let status = Box::pin(api.open(request)).await?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(StatusError::new(status, OPERATION, format!("for {name:?}")).into())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http::Response;
    use serde_json::json;

    use super::*;
    use crate::{Config, ServiceClient};

    #[tokio::test]
    async fn files_are_put_with_the_headers_of_their_urls_and_without_the_key() {
        let puts = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&puts);
        let leaf = tower::service_fn(move |request: Request<Body>| {
            let answer = match request.uri().path() {
                "/api/v1/external_weights_upload_start" => json!({
                    "upload_id": "u", "expires": "2030-01-01T00:00:00Z",
                    "urls": {"a.bin": {"url": "http://files.test/a?sign=1", "headers": {"x-amz-a": "b"}},
                             "b.bin": "http://files.test/b"}}),
                "/api/v1/external_weights_upload_finish" => {
                    json!({"tinker_path": "tinker://r/external_weights/x"})
                }
                "/a" | "/b" => {
                    log.lock().unwrap().push(request);
                    json!(null)
                }
                _ => json!({}),
            };
            async move { Ok::<_, Infallible>(Response::new(Body::from(answer.to_string()))) }
        });
        let secret = HeaderValue::from_static("hunter2");
        let config = Config::new("http://api.test")
            .with_api_key("tml-hunter2")
            .with_telemetry(false)
            .with_header(HeaderName::from_static("cf-access-client-secret"), secret);
        let service = ServiceClient::builder().config(config).leaf(leaf).build();
        let files = ["a.bin", "b.bin"].map(|name| (name.to_owned(), Bytes::from(name)));
        let checkpoints = service.unwrap().checkpoints();
        let upload = checkpoints.upload("base", LoraConfig::new(4), files.into());
        assert_eq!(upload.await.unwrap().name(), "x");
        let puts = puts.lock().unwrap();
        let urls: Vec<String> = puts.iter().map(|put| put.uri().to_string()).collect();
        assert_eq!(urls, ["http://files.test/a?sign=1", "http://files.test/b"]);
        for (put, header) in puts.iter().zip([Some("b"), None]) {
            assert_eq!(put.method(), Method::PUT);
            let sent = put.headers().get("x-amz-a");
            assert_eq!(sent.map(HeaderValue::as_bytes), header.map(str::as_bytes));
            let values = put.headers().values();
            let mut values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            assert!(!values.any(|value| value.contains("hunter2")));
        }
    }
}
