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
