//! Tests of the order in which the loop submits work. The server holds back results until it is submitted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tinker_client::transport::layer;
use tinker_client::{Datum, LoraConfig, Loss, ServiceClient};
use tinker_local::{Behavior, Limits, LocalEngine};
use tinker_types::QueueState;

use super::*;
use crate::recipe::Batch;

/// Far more than a step takes.
const LONG: Duration = Duration::from_mins(1);

/// A recipe of one example, which holds back the results of its first step.
struct Gated {
    engine: LocalEngine,
    samples: bool,
    batches: AtomicUsize,
}

impl Recipe for Gated {
    fn samples(&self) -> bool {
        self.samples
    }

    fn batch<'a>(&'a self, _: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        self.engine.behave(|behavior| {
            *behavior = match number {
                0 => Behavior::default().with_queue(QueueState::PausedCapacity, "held"),
                _ => Behavior::default(),
            }
        });
        let datum = Datum::weighted(&[1, 2, 3], &[0.0, 1.0, 1.0]).unwrap();
        std::future::ready(Ok(Batch::new(vec![datum], Loss::cross_entropy()))).boxed()
    }
}

/// Runs three steps. A request to a path that ends in `release` lets the engine go on.
async fn run(samples: bool, release: &'static str) {
    let mut limits = Limits::default();
    limits.long_poll = Duration::from_millis(200);
    let engine = LocalEngine::builder().limits(limits).build().unwrap();
    let behaved = engine.clone();
    let seen = layer::from_fn(move |request, next| {
        if request.uri().path().ends_with(release) {
            behaved.behave(|behavior| *behavior = Behavior::default());
        }
        async move { next.run(request).await }
    });
    let service = ServiceClient::builder().leaf(engine.service());
    let service = service.call_layer(seen).build().unwrap();
    let training = service
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(1))
        .await
        .unwrap();
    let recipe = Gated {
        engine,
        samples,
        batches: AtomicUsize::new(0),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&folder.path().join("run"), &0).unwrap();
    let trainer = Trainer::new(Settings::new(3, 1e-3));
    let mut quiet = |_| ();
    let steps = trainer.run(&training, &recipe, &mut run, &mut quiet);
    let steps = tokio::time::timeout(LONG, steps).await;
    steps
        .expect("the next work is submitted before a result")
        .unwrap();
    assert_eq!(run.done(), 3);
}

#[tokio::test]
async fn the_next_step_is_submitted_before_the_last_is_answered() {
    run(false, "-").await;
}

#[tokio::test]
async fn the_next_sampler_is_requested_before_the_step_is_answered() {
    run(true, "save_weights_for_sampler").await;
}
