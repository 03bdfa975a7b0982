//! An engine with a model of the golden fixtures.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tinker_local::{ExportTarget, LocalEngine, ModelFolder, SavedAdapter, Storage};
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, LossFn, SampleResponse};

use super::fixture::{Fixture, LossCase, PEFT_ADAPTER, Tensors, read, tensors};
use crate::support::{Client, sample_body};

/// An engine, a session and the models in it.
pub(super) struct Subject {
    client: Client,
    session: String,
    base_model: String,
    data: TempDir,
    made: u64,
}

/// A model in training and the number of its next operation.
pub(super) struct Model {
    pub(super) id: String,
    next: u64,
}

impl Model {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Subject {
    /// With the adapter of a fixture.
    pub(super) async fn new(model: ModelFolder, adapter: Option<&Fixture>) -> Self {
        let data = tempfile::tempdir().unwrap();
        if let Some(fixture) = adapter {
            fixture.lay_adapter(data.path());
        }
        let engine = LocalEngine::builder()
            .model(model)
            .threads(2)
            .data_dir(data.path());
        let engine = engine.build().unwrap();
        let base_model = engine.model().name.clone();
        let client = Client::of(&engine);
        let session = client.session().await;
        Self {
            client,
            session,
            base_model,
            data,
            made: 0,
        }
    }

    /// A model with a new adapter, which computes the same as the base.
    pub(super) async fn fresh(&mut self) -> Model {
        let lora = json!({"rank": 4, "seed": 1, "train_unembed": true, "train_mlp": true, "train_attn": true});
        let body = json!({"base_model": self.base_model, "lora_config": lora, "optimizer_config": {"type": "adamw"}});
        self.make("create_model", body).await
    }

    /// A model with the adapter that peft made.
    pub(super) async fn adapted(&mut self) -> Model {
        let body = json!({"path": PEFT_ADAPTER, "optimizer": false});
        self.make("load_weights", body).await
    }

    async fn make(&mut self, path: &str, mut body: Value) -> Model {
        body["session_id"] = self.session.as_str().into();
        body["model_seq_id"] = self.made.into();
        self.made += 1;
        let made = self
            .client
            .done(&self.client.post(path, body).await.promise())
            .await;
        Model {
            id: made["model_id"].as_str().unwrap().to_owned(),
            next: 0,
        }
    }

    pub(super) async fn forward(&self, model: &mut Model, data: &[Datum]) -> ForwardBackwardOutput {
        let number = model.number();
        let pass = ForwardBackward::new(
            model.id.as_str().into(),
            number,
            data.to_vec(),
            Loss::cross_entropy(),
        );
        self.pass(&pass.with_forward_only(true)).await
    }

    pub(super) async fn backward(
        &self,
        model: &mut Model,
        data: &[Datum],
        loss: Loss,
    ) -> ForwardBackwardOutput {
        let number = model.number();
        self.pass(&ForwardBackward::new(
            model.id.as_str().into(),
            number,
            data.to_vec(),
            loss,
        ))
        .await
    }

    async fn pass(&self, pass: &ForwardBackward) -> ForwardBackwardOutput {
        self.client
            .output(&self.client.pass(pass).await.promise())
            .await
    }

    /// The loss of a case, uploaded if the engine lacks it.
    pub(super) async fn loss(&self, case: &LossCase, number: usize) -> Loss {
        let Some(upload) = &case.upload else {
            let loss = Loss::new(LossFn::from_name(&case.loss_fn));
            let with =
                |loss: Loss, (name, value): (&String, &f64)| loss.with(name.as_str(), *value);
            return case.config.iter().fold(loss, with);
        };
        let mut body = upload.clone();
        body["session_id"] = self.session.as_str().into();
        body["custom_loss_seq_id"] = number.into();
        body["type"] = "create_custom_loss".into();
        let made = self
            .client
            .done(&self.client.post("create_custom_loss", body).await.promise())
            .await;
        Loss::new(LossFn::Custom).with("loss_id", made["loss_id"].as_str().unwrap())
    }

    /// Takes a step and returns the norm of the gradients.
    pub(super) async fn step(&self, model: &mut Model, adam: &Value) -> f64 {
        let body = json!({"model_id": model.id, "seq_id": model.number(), "adam_params": adam, "type": "optim_step"});
        let done = self
            .client
            .done(&self.client.post("optim_step", body).await.promise())
            .await;
        done["metrics"]["grad_norm:mean"].as_f64().unwrap()
    }

    /// The accumulated gradients, which are reset: they are the first moments after a step without momentum and with
    /// learning rate 0.
    pub(super) async fn gradients(&self, model: &mut Model) -> Tensors {
        let still = json!({
            "learning_rate": 0.0, "beta1": 0.0, "beta2": 0.0, "eps": 1.0, "weight_decay": 0.0, "grad_clip_norm": 0.0,
        });
        self.step(model, &still).await;
        let saved = self.saved(model, "optimizer.safetensors").await;
        let moment = |(name, values): (String, Vec<f32>)| {
            Some((name.strip_suffix(".exp_avg")?.to_owned(), values))
        };
        saved.into_iter().filter_map(moment).collect()
    }

    pub(super) async fn weights(&self, model: &mut Model) -> Tensors {
        self.saved(model, "adapter_model.safetensors").await
    }

    async fn saved(&self, model: &mut Model, file: &str) -> Tensors {
        tensors(&read(&self.save(model).await.join(file)))
    }

    /// Saves a checkpoint and returns its folder.
    pub(super) async fn save(&self, model: &mut Model) -> PathBuf {
        let body = json!({
            "model_id": model.id, "path": "now", "seq_id": model.number(), "overwrite": true, "type": "save_weights",
        });
        let promise = self.client.post("save_weights", body).await.promise();
        self.client.done(&promise).await;
        let run = self
            .data
            .path()
            .join("checkpoints")
            .join(model.id.replace(':', "_"));
        run.join("weights/now")
    }

    /// Writes the fixture's model with a saved adapter merged into it.
    pub(super) fn merge(
        &self,
        fixture: &Fixture,
        saved: &str,
        storage: Option<Storage>,
        into: &Path,
    ) {
        let saved = SavedAdapter::open(self.data.path(), &saved.parse().unwrap()).unwrap();
        let output = ExportTarget::new(into).replacing(true);
        let base = saved.base(Some(&fixture.model()));
        saved.write_merged(&base, storage, &output).unwrap();
    }

    /// The most likely continuation of a prompt, of at most this many tokens.
    pub(super) async fn greedy(
        &self,
        adapter: bool,
        prompt: &[u32],
        tokens: usize,
    ) -> SampleResponse {
        let source = if adapter {
            json!({"model_path": PEFT_ADAPTER})
        } else {
            json!({"base_model": self.base_model})
        };
        let sampler = self
            .client
            .sampler(&self.session, u64::from(adapter), source)
            .await;
        let mut body = sample_body(&sampler, 0, u32::try_from(tokens).unwrap());
        body["prompt"] = json!({"chunks": [{"tokens": prompt, "type": "encoded_text"}]});
        body["sampling_params"]["temperature"] = 0.0.into();
        body["sampling_params"]["stop"] = Value::Null;
        body["prompt_logprobs"] = true.into();
        self.client
            .sampled(&self.client.post("asample", body).await.promise())
            .await
    }
}
