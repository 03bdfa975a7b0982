//! Clients on a runtime with one thread, and on another runtime than the one that made them.

use std::time::Duration;

use tinker_client::{AdamParams, Config, Loss, ServiceClient};
use tinker_local::{Limits, LocalEngine};
use tokio::runtime::{Builder, Runtime};

use crate::support::{MODEL, Outcome, Served, data, greedy, lora, prompt};

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

#[test]
fn one_thread_is_enough() -> Outcome {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let served = Served::start(LocalEngine::builtin()?).await?;
        let service = served.client()?;
        let training = service.create_lora_training_client(MODEL, lora()).await?;
        let adam = AdamParams::new(1e-3);
        let step = training.train_step(data(), Loss::cross_entropy(), adam);
        let sampler = service.create_sampling_client(MODEL).await?;
        let samples = (0..20).map(|_| sampler.sample(prompt("a"), greedy()));
        let samples = futures_util::future::try_join_all(samples).await?;
        assert_eq!(samples.len(), 20);
        step.await?;
        served.stop().await
    })
}

/// Heartbeats and connections belong to the runtime of the first call. When it ends, the session is lost in time, and a
/// sampler opens another one on the runtime that uses it.
#[test]
fn a_client_moves_to_another_runtime() -> Outcome {
    let servers = runtime()?;
    let mut limits = Limits::default();
    limits.session_timeout = Duration::from_secs(2);
    let engine = LocalEngine::builder().limits(limits).build()?;
    let served = servers.block_on(Served::start(engine.clone()))?;

    let first = runtime()?;
    let service = ServiceClient::new(Config::new(served.url.as_str()).with_telemetry(false))?;
    let sampler = first.block_on(async {
        let sampler = service.create_sampling_client(MODEL).await?;
        sampler.sample(prompt("a"), greedy()).await?;
        Ok::<_, tinker_client::Error>(sampler)
    })?;
    let session = service.session_id().ok_or("no session")?;

    // Used on both at once.
    let second = runtime()?;
    let sample = || async { sampler.sample(prompt("a"), greedy()).await };
    second.block_on(sample())?;
    assert_eq!(service.session_id().as_ref(), Some(&session));

    drop(first);
    second.block_on(sample())?;
    // As the server does when the heartbeats have stopped for long enough.
    engine.expire_session(&session);
    second.block_on(sample())?;
    assert_ne!(service.session_id(), Some(session));
    second.block_on(async {
        let training = service.create_lora_training_client(MODEL, lora()).await?;
        training.forward(data(), Loss::cross_entropy()).await
    })?;
    servers.block_on(served.stop())
}
