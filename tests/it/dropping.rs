//! Cancellation: dropping a public call at any await point leaves the client usable.

use std::convert::Infallible;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;

use http::Request;
use tinker_client::autodiff::Expr;
use tinker_client::transport::layer::{Next, from_fn};
use tinker_client::transport::{Body, Class, ClassLimits};
use tinker_client::types::{SearchSessions, SessionStatus};
use tinker_client::{
    AdamParams, Config, CustomLoss, Datum, FinishReason, ListOptions, Loss, LossGraph,
    SamplingClient, ServiceClient, TrainingClient,
};
use tinker_local::LocalEngine;
use tokio::runtime::Handle;

use crate::fault_run::{Halted, on_a_halted_clock};
use crate::support::{MODEL, Outcome, data, greedy, lora, prompt};

/// Half of the time of a request: the leaf waits once before the engine and once after it.
const STEP: Duration = Duration::from_millis(10);

/// Number of clients that admit one call at a time in each class, so that a leaked permit blocks the next call.
struct Clients {
    service: ServiceClient,
    training: TrainingClient,
    sampler: SamplingClient,
}

impl Clients {
    async fn new(leaf: Halted) -> Result<Self, tinker_client::Error> {
        let mut config = Config::new("http://in-process");
        for class in Class::ALL
            .into_iter()
            .filter(|class| *class != Class::Retrieve)
        {
            let limits = ClassLimits::of(class).with_concurrency(NonZeroUsize::MIN);
            config = config.with_limits(class, limits);
        }
        let service = ServiceClient::builder()
            .config(config)
            .leaf(leaf)
            .attempt_layer(from_fn(|request: Request<Body>, next: Next| async move {
                tokio::time::sleep(STEP).await;
                let answer = next.run(request).await;
                tokio::time::sleep(STEP).await;
                answer
            }))
            .build()?;
        Ok(Self {
            training: service.create_lora_training_client(MODEL, lora()).await?,
            sampler: service.create_sampling_client(MODEL).await?,
            service,
        })
    }

    /// Checks that every kind of call still works within a time limit.
    async fn check(&self, place: &str) -> Outcome {
        let works = async {
            let pass = self
                .training
                .forward_backward(data(), Loss::cross_entropy());
            let step = self.training.optim_step(AdamParams::new(1e-3));
            let sample = self.sampler.sample(prompt("a"), greedy());
            pass.await?;
            step.await?;
            sample.await?;
            self.service.server_capabilities().await?;
            self.service.checkpoints().page(first_five()).await
        };
        let works = tokio::time::timeout(Duration::from_secs(20), works).await;
        works.unwrap_or_else(|_| panic!("{place}: a later call is stuck"))?;
        Ok(())
    }
}

fn first_five() -> ListOptions {
    ListOptions::default().with_page_size(5)
}

type Called<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// A call whose result is ignored.
macro_rules! call {
    ($name:literal, |$clients:ident| $call:expr) => {
        ($name, |$clients: &Clients| -> Called<'_> {
            Box::pin(async move {
                let _ = $call.await?;
                Ok(())
            })
        })
    };
}

type Case = (&'static str, for<'a> fn(&'a Clients) -> Called<'a>);

const CASES: [Case; 16] = [
    call!("create_lora_training_client", |c| c
        .service
        .create_lora_training_client(MODEL, lora())),
    call!("create_sampling_client", |c| c
        .service
        .create_sampling_client(MODEL)),
    call!("server_capabilities", |c| c.service.server_capabilities()),
    call!("forward", |c| c
        .training
        .forward(data(), Loss::cross_entropy())),
    call!("forward_backward", |c| c
        .training
        .forward_backward(data(), Loss::cross_entropy())),
    call!("optim_step", |c| c
        .training
        .optim_step(AdamParams::new(1e-3))),
    call!("forward_backward_custom", |c| c
        .training
        .forward_backward_custom(data(), likely)),
    call!("create_custom_loss", |c| c.service.create_custom_loss(
        LossGraph::new("dropped", -Expr::logprobs().sum())
    )),
    call!("save_state", |c| c.training.save_state("dropped")),
    call!("save_weights_external", |c| c
        .training
        .save_weights_external("dropped")),
    call!("save_weights_for_sampler", |c| c
        .training
        .save_weights_for_sampler("dropped")),
    call!("save_weights_and_get_sampling_client", |c| c
        .training
        .save_weights_and_get_sampling_client()),
    call!("sample", |c| c.sampler.sample(prompt("a b"), greedy())),
    call!("compute_logprobs", |c| c
        .sampler
        .compute_logprobs(prompt("a b"))),
    call!("checkpoints.page", |c| {
        let checkpoints = c.service.checkpoints();
        async move { checkpoints.page(first_five()).await }
    }),
    call!("sessions.sampler", |c| {
        let sessions = c.service.sessions();
        async move { sessions.sampler(&c.sampler.sampler_id()).await }
    }),
];

/// A custom loss: minus the sum of the log probabilities.
#[expect(clippy::unnecessary_wraps, reason = "a loss of the caller's may fail")]
fn likely(_: &[Datum], logprobs: &[Vec<f32>]) -> Result<CustomLoss, Infallible> {
    let gradients = logprobs.iter().map(|of| vec![-1.0; of.len()]).collect();
    let loss = logprobs.iter().flatten().map(|&lp| -f64::from(lp)).sum();
    Ok(CustomLoss::new(loss, gradients))
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Drops the call after this many half steps. Returns false if it had finished before.
async fn drop_at(
    (name, call): Case,
    leaf: Halted,
    number: u32,
) -> Result<bool, Box<dyn std::error::Error>> {
    let place = format!("{name}, dropped after {number} half steps");
    let clients = Clients::new(leaf).await?;
    clients.check(&place).await?;
    tokio::time::sleep(STEP * 10).await;
    let before = tasks();
    // The offset keeps the drop from coinciding with a step of a request.
    let after = STEP / 2 * number + STEP / 4;
    let is_dropped = tokio::time::timeout(after, call(&clients)).await.is_err();
    clients.check(&place).await?;
    // A dropped call is cancelled, or completed if it already has a sequence number.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(tasks(), before, "{place}: tasks");
    clients.service.close(FinishReason::Success).await?;
    drop(clients);
    tokio::time::sleep(STEP).await;
    assert_eq!(tasks(), 0, "{place}: tasks after the last client");
    Ok(is_dropped)
}

#[test]
fn a_public_call_dropped_at_any_point_leaves_the_client_whole() -> Outcome {
    on_a_halted_clock(|threads| async move {
        let engine = LocalEngine::builtin()?;
        engine.behave(|behavior| behavior.client_config.custom_loss_server_side = true);
        for case in CASES {
            let leaf = || Halted::new(engine.service(), threads.clone());
            let mut number = 0;
            while drop_at(case, leaf(), number).await? {
                number += 1;
                assert!(number < 100, "{} never ends", case.0);
            }
            assert!(number >= 4, "{}: a request takes four half steps", case.0);
        }
        Ok(())
    })
}

/// Closes, drops that call after this many half steps, and closes again. Returns false if the first had finished before.
async fn close_at(leaf: Halted, number: u32) -> Result<bool, Box<dyn std::error::Error>> {
    let place = format!("close, dropped after {number} half steps");
    let clients = Clients::new(leaf.clone()).await?;
    clients.check(&place).await?;
    let after = STEP / 2 * number + STEP / 4;
    let close = || clients.service.close(FinishReason::Success);
    let is_dropped = tokio::time::timeout(after, close()).await.is_err();
    // The client counts as closed even though the first call was dropped.
    let late = clients.sampler.sample(prompt("a"), greedy());
    let late = tokio::time::timeout(STEP, late).await;
    assert!(late.is_ok_and(|late| late.is_err()), "{place}: a late call");
    let again = tokio::time::timeout(Duration::from_secs(20), close()).await;
    again.unwrap_or_else(|_| panic!("{place}: the second close is stuck"))?;
    let session = clients.training.model_id().to_string();
    let session = session.split(':').next().unwrap_or_default().to_owned();
    drop(clients);
    tokio::time::sleep(STEP).await;
    assert_eq!(tasks(), 0, "{place}: tasks after the last client");
    // The server received it.
    let other = ServiceClient::builder().leaf(leaf).build()?;
    let found = other.sessions().search(SearchSessions::default());
    let found = found.all().await?;
    let found = found
        .iter()
        .find(|found| found.session_id.as_str() == session);
    let status = found.and_then(|found| found.status.as_ref());
    let is_finished = matches!(status, Some(SessionStatus::ClientFinished { .. }));
    assert!(is_finished, "{place}: {status:?}");
    Ok(is_dropped)
}

#[test]
fn a_close_dropped_at_any_point_can_be_done_again() -> Outcome {
    on_a_halted_clock(|threads| async move {
        let engine = LocalEngine::builtin()?;
        let mut number = 0;
        let leaf = || Halted::new(engine.service(), threads.clone());
        while close_at(leaf(), number).await? {
            number += 1;
            assert!(number < 100, "close never ends");
        }
        assert!(number >= 4, "a request takes four half steps");
        Ok(())
    })
}
