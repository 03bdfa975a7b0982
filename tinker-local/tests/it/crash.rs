//! Panics in the engine: the operation fails, and the server goes on.

use serde_json::json;
use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SamplingWeights, TrainBatch, TrainOutput,
};
use tinker_local::LocalEngine;
use tinker_types::{Datum, ForwardBackward, Loss};

use crate::support::{BASE, Client, backend, sample_body, step_body};

/// The real engine, but it panics if a batch or a prompt contains this token.
const FATAL: u32 = 200;

struct Fragile {
    inner: Box<dyn Backend>,
    is_doomed: bool,
}

impl Backend for Fragile {
    fn model(&self) -> &BaseModelInfo {
        self.inner.model()
    }
    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError> {
        self.inner.create(spec)
    }
    fn remove(&mut self, adapter: AdapterId) {
        self.inner.remove(adapter);
    }
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError> {
        assert!(
            !batch.data.iter().any(|datum| datum.tokens.contains(&FATAL)),
            "on purpose"
        );
        self.inner.train(adapter, batch)
    }
    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        self.inner.step(adapter, constants)
    }
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError> {
        self.inner.export(adapter, with_optimizer)
    }
    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError> {
        self.inner.import(state)
    }
    fn snapshot(&self, adapter: AdapterId) -> Result<SamplingWeights, BackendError> {
        self.inner.snapshot(adapter)
    }
    fn restore(&self, state: &AdapterState) -> Result<SamplingWeights, BackendError> {
        self.inner.restore(state)
    }
    fn read_weights(&self, from: &mut dyn std::io::Read) -> Result<SamplingWeights, BackendError> {
        self.inner.read_weights(from)
    }
    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        self.is_doomed |= job.prompt.contains(&FATAL);
        self.inner.submit(job)
    }
    fn cancel(&mut self, job: JobId) {
        self.inner.cancel(job);
    }
    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        assert!(!std::mem::take(&mut self.is_doomed), "on purpose");
        self.inner.advance()
    }
    fn live_jobs(&self) -> usize {
        self.inner.live_jobs()
    }
}

fn client() -> Client {
    let fragile = Fragile {
        inner: backend(),
        is_doomed: false,
    };
    Client::of(
        &LocalEngine::builder()
            .backend(Box::new(fragile))
            .build()
            .unwrap(),
    )
}

#[tokio::test]
async fn a_crash_in_training_fails_the_operation_and_the_model_and_nothing_else() {
    let client = client();
    let (_, model) = client.model().await;
    let (_, other) = client.model().await;
    let fatal = vec![Datum::supervised(&[1, FATAL], &[2])];
    let pass = ForwardBackward::new(model.as_str().into(), 1, fatal, Loss::cross_entropy());
    let crashed = client.pass(&pass).await.promise();
    let next = client
        .post("optim_step", step_body(&model, 2))
        .await
        .promise();
    let outcome = client.fetch(&crashed).await.json();
    assert!(
        outcome["category"] == "server" && outcome["error"].as_str().unwrap().contains("crashed"),
        "{outcome}"
    );
    let outcome = client.fetch(&next).await.json();
    assert!(
        outcome["category"] == "server"
            && outcome["error"]
                .as_str()
                .unwrap()
                .contains("load its last checkpoint"),
        "{outcome}"
    );
    client
        .output(&client.forward_backward(&other, 1).await)
        .await;
    let (_, third) = client.model().await;
    client.done(&client.step(&third, 1).await).await;
}

#[tokio::test]
async fn a_crash_in_sampling_fails_the_samples_and_nothing_else() {
    let client = client();
    let (session, model) = client.model().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let mut fatal = sample_body(&sampler, 0, 8);
    fatal["prompt"]["chunks"][0]["tokens"] = json!([1, FATAL]);
    let crashed = client.post("asample", fatal).await.promise();
    let outcome = client.fetch(&crashed).await.json();
    assert!(
        outcome["category"] == "server" && outcome["error"].as_str().unwrap().contains("crashed"),
        "{outcome}"
    );
    client
        .sampled(
            &client
                .post("asample", sample_body(&sampler, 1, 8))
                .await
                .promise(),
        )
        .await;
    client
        .output(&client.forward_backward(&model, 1).await)
        .await;
}
