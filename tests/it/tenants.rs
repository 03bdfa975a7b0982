//! Isolation of tenants in one process: throttling of one does not slow the other.

use std::time::Duration;

use http::StatusCode;
use tinker_client::transport::testing::{Fault, FaultLayer};
use tinker_client::transport::{Body, Call, layer};
use tinker_client::{Config, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fault_run::{Halted, Leaf, Run, Size, on_a_halted_clock};
use crate::support::{MODEL, Outcome, prompt};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A tenant whose samples are always answered with 429.
struct Neighbour {
    layer: FaultLayer,
    samples: JoinSet<()>,
}

impl Neighbour {
    /// Starts this many samples, none of which completes.
    async fn start(leaf: impl Leaf, samples: usize) -> Result<Self> {
        let layer = FaultLayer::seeded(0)
            .with(Fault::Status(StatusCode::TOO_MANY_REQUESTS), 1.0)
            .only(|request| Call::of(request).operation == "asample");
        let service = ServiceClient::builder()
            .config(Config::new("http://in-process").with_api_key("neighbour"))
            .leaf(leaf)
            .attempt_layer(layer.clone())
            .build()?;
        let sampler = service.create_sampling_client(MODEL).await?;
        let mut waiting = JoinSet::new();
        for _ in 0..samples {
            let sampler = sampler.clone();
            waiting.spawn(async move {
                let params = SamplingParams::default().with_max_tokens(1);
                let result = sampler.sample(prompt("a"), params).await;
                panic!("the neighbour got {result:?}");
            });
        }
        // Started: one was refused and delays the others.
        while layer.injected().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self {
            layer,
            samples: waiting,
        })
    }

    /// Checks that the tenant kept trying and received nothing.
    fn check(mut self, least: usize) {
        let refused = self.layer.injected().len();
        assert!(refused >= least, "only {refused} tries were refused");
        assert!(self.samples.try_join_next().is_none(), "a sample ended");
    }
}

/// Seconds that a thousand samples take when every request takes one second.
async fn seconds_of_a_thousand_samples(leaf: impl Leaf) -> Result<f64> {
    let service = ServiceClient::builder()
        .config(Config::new("http://in-process").with_api_key("healthy"))
        .leaf(leaf)
        .attempt_layer(layer::from_fn(
            |request: http::Request<Body>, next: layer::Next| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                next.run(request).await
            },
        ))
        .build()?;
    let sampler = service.create_sampling_client(MODEL).await?;
    let began = Instant::now();
    let params = SamplingParams::default().with_max_tokens(1).with_seed(1);
    let samples = (0..1000).map(|_| sampler.sample(prompt("a"), params.clone()));
    for result in futures_util::future::join_all(samples).await {
        result?;
    }
    Ok(began.elapsed().as_secs_f64())
}

#[test]
fn a_neighbour_under_a_permanent_429_costs_no_time() -> Outcome {
    on_a_halted_clock(|threads| async move {
        let engine = LocalEngine::builtin()?;
        let leaf = || Halted::new(engine.service(), threads.clone());
        let alone = seconds_of_a_thousand_samples(leaf()).await?;
        // 400 submissions at a time and then a poll each.
        assert!((4.0..4.1).contains(&alone), "{alone}");
        let neighbour = Neighbour::start(leaf(), 1000).await?;
        let beside = seconds_of_a_thousand_samples(leaf()).await?;
        assert!((beside - alone).abs() < 0.01, "{beside} and {alone}");
        neighbour.check(3);
        Ok(())
    })
}

/// Samples a second of a run without faults.
async fn samples_per_second(engine: &LocalEngine) -> Result<f64> {
    let service = ServiceClient::builder()
        .config(Config::new("http://in-process").with_api_key("healthy"))
        .leaf(engine.service())
        .build()?;
    let run = Run::make(Size::TENANT, &service, engine.data_dir()).await?;
    Ok(run.samples.len() as f64 / run.took.as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in real time: cargo xtask fault-run --tenants"]
#[expect(clippy::print_stdout, reason = "a table for people")]
async fn a_neighbour_in_real_time() -> Outcome {
    let engine = LocalEngine::builtin()?;
    samples_per_second(&engine).await?; // warm
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    println!("| samples/s alone | beside a neighbour under 429 |\n|---|---|");
    for _ in 0..5 {
        let lonely = samples_per_second(&engine).await?;
        let neighbour = Neighbour::start(engine.service(), Size::TENANT.in_flight).await?;
        let accompanied = samples_per_second(&engine).await?;
        neighbour.check(2);
        println!("| {lonely:.0} | {accompanied:.0} |");
        alone.push(lonely);
        beside.push(accompanied);
    }
    // The best of each: other load on the machine can only lower a rate.
    let best = |rates: Vec<f64>| rates.into_iter().fold(0.0, f64::max);
    let ratio = best(beside) / best(alone);
    println!("\nbest of the second by best of the first: {ratio:.3}");
    assert!(ratio > 0.9, "{ratio}");
    Ok(())
}
