//! Tests of the order in which the loop submits work. Results are held back until it is submitted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tinker_client::transport::layer;
use tinker_client::{Datum, Loss, ServiceClient};
use tinker_local::{Behavior, Limits, LocalEngine};
use tinker_types::wire::header;
use tinker_types::{QueueState, RequestType};
use tokio::sync::watch;

use super::*;
use crate::ended::EndReason;
use crate::fixture::{service, training};
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
    let training = training(&service).await;
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

/// A recipe of one example whose third batch lets the results of passes and updates through.
struct Held {
    batches: AtomicUsize,
    open: watch::Sender<bool>,
    samplers: Mutex<Vec<String>>,
}

impl Recipe for Held {
    fn samples(&self) -> bool {
        true
    }

    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        assert_eq!((position.batch, position.step), (number, number / 2));
        let sampler = position.sampler.unwrap();
        self.samplers
            .lock()
            .unwrap()
            .push(format!("{:?}", sampler.sampler_id()));
        if number >= 2 {
            self.open.send_replace(true);
        }
        let datum = Datum::weighted(&[1, 2, 3], &[0.0, 1.0, 1.0]).unwrap();
        std::future::ready(Ok(Batch::new(vec![datum], Loss::cross_entropy()))).boxed()
    }
}

#[tokio::test]
async fn the_next_batch_is_made_before_the_step_is_answered() {
    let engine = LocalEngine::builtin().unwrap();
    let (open, opened) = watch::channel(false);
    let hold = layer::from_fn(move |request, next| {
        let mut opened = opened.clone();
        async move {
            let kind = request.headers().get(header::REQUEST_TYPE);
            let held = [RequestType::ForwardBackward, RequestType::OptimStep];
            if kind.is_some_and(|kind| held.iter().any(|held| kind == held.as_str())) {
                opened.wait_for(|is_open| *is_open).await.unwrap();
            }
            next.run(request).await
        }
    });
    let service = ServiceClient::builder().leaf(engine.service());
    let service = service.call_layer(hold).build().unwrap();
    let training = training(&service).await;
    let recipe = Held {
        batches: AtomicUsize::new(0),
        open,
        samplers: Mutex::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&folder.path().join("run"), &0).unwrap();
    let mut settings = Settings::new(2, 1e-3);
    settings.accumulate = 2;
    let trainer = Trainer::new(settings);
    let mut quiet = |_| ();
    let steps = trainer.run(&training, &recipe, &mut run, &mut quiet);
    let steps = tokio::time::timeout(LONG, steps).await;
    steps
        .expect("the next batch is made before a result")
        .unwrap();
    assert_eq!(run.done(), 2);
    // The batches of a step are made from one sampler, and those of the next step from another.
    let samplers = recipe.samplers.into_inner().unwrap();
    assert_eq!(samplers.len(), 4);
    assert_eq!(samplers[0], samplers[1]);
    assert_ne!(samplers[1], samplers[2]);
    assert_eq!(samplers[2], samplers[3]);
}

/// A recipe whose second batch requests a stop and is never made.
struct Stuck {
    stop: StopFlag,
}

impl Recipe for Stuck {
    fn samples(&self) -> bool {
        true
    }

    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        if position.step > 0 {
            self.stop.request();
            return std::future::pending().boxed();
        }
        let datum = Datum::weighted(&[1, 2, 3], &[0.0, 1.0, 1.0]).unwrap();
        std::future::ready(Ok(Batch::new(vec![datum], Loss::cross_entropy()))).boxed()
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_next_batch() {
    let engine = LocalEngine::builtin().unwrap();
    let training = training(&service(&engine)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&folder.path().join("run"), &0).unwrap();
    let trainer = Trainer::new(Settings::new(3, 1e-3));
    let recipe = Stuck {
        stop: trainer.stop.clone(),
    };
    let mut quiet = |_| ();
    let ended = trainer.run(&training, &recipe, &mut run, &mut quiet);
    let ended = tokio::time::timeout(LONG, ended).await.unwrap().unwrap();
    assert_eq!((ended.reason, ended.steps), (EndReason::Stopped, 1));
    assert_eq!(run.saved().map(|saved| saved.step), Some(1));
}

/// A recipe whose second batch waits for the evaluation of the first step, which waits for that batch.
struct Entwined {
    evaluating: watch::Receiver<bool>,
    made: watch::Sender<bool>,
}

impl Recipe for Entwined {
    fn samples(&self) -> bool {
        true
    }

    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        let (mut evaluating, step) = (self.evaluating.clone(), position.step);
        async move {
            if step > 0 {
                evaluating
                    .wait_for(|is_evaluating| *is_evaluating)
                    .await
                    .unwrap();
                self.made.send_replace(true);
            }
            let datum = Datum::weighted(&[1, 2, 3], &[0.0, 1.0, 1.0]).unwrap();
            Ok(Batch::new(vec![datum], Loss::cross_entropy()))
        }
        .boxed()
    }
}

#[tokio::test]
async fn the_next_batch_is_made_during_an_evaluation() {
    let engine = LocalEngine::builtin().unwrap();
    let training = training(&service(&engine)).await;
    let (begin, evaluating) = watch::channel(false);
    let (made, is_made) = watch::channel(false);
    let recipe = Entwined { evaluating, made };
    let mut settings = Settings::new(2, 1e-3);
    settings.eval_every = Some(1);
    let mut trainer = Trainer::new(settings);
    trainer.evaluate = Some(Arc::new(move |_| {
        begin.send_replace(true);
        let mut is_made = is_made.clone();
        async move {
            is_made.wait_for(|is_made| *is_made).await?;
            Ok(BTreeMap::new())
        }
        .boxed()
    }));
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&folder.path().join("run"), &0).unwrap();
    let mut quiet = |_| ();
    let steps = trainer.run(&training, &recipe, &mut run, &mut quiet);
    let steps = tokio::time::timeout(LONG, steps).await;
    steps.expect("both go on").unwrap();
    assert_eq!(run.done(), 2);
}
