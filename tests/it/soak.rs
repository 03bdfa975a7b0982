//! A client in steady use while its server is killed and restarted again and again. `cargo xtask soak` does the same for
//! ten minutes, with servers in processes of their own.

use std::sync::Arc;
use std::time::Duration;

use tinker_client::{Config, ServiceClient};
use tinker_local::LocalEngine;
use tinker_tests::executed::Told;
use tinker_tests::soak::{Ledger, Limits, Traffic};
use tokio::time::sleep;

use crate::support::{MODEL, Mortal, Outcome, lora};

const LIVES: usize = 3;
/// A server is killed when it has acknowledged this many samples, and two steps.
const SAMPLES: usize = 20;
/// Time for which nothing listens.
const AWAY: Duration = Duration::from_millis(300);
const LIMITS: Limits = Limits {
    call: Duration::from_mins(1),
    between_samples: Duration::from_millis(20),
    between_steps: Duration::from_millis(50),
};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_outlives_its_servers() -> Outcome {
    let runtime = tokio::runtime::Handle::current().metrics();
    let folder = tempfile::tempdir()?;
    let traffic = Arc::new(Traffic::new(Ledger::new(100_000, 100_000), LIMITS));
    let start = async |address: &str| {
        let (life, noted) = (traffic.ledger.begin_life(), Arc::clone(&traffic));
        let model = Told::builtin(move |executed| noted.ledger.execute(executed, life))?;
        let builder = LocalEngine::builder().backend(Box::new(model));
        let engine = builder.data_dir(folder.path()).build()?;
        Mortal::start(engine, address).await
    };
    let tasks_before = runtime.num_alive_tasks();
    let mut server = start("127.0.0.1:0").await?;
    let url = server.url.clone();
    let service = ServiceClient::new(Config::new(url.as_str()).with_telemetry(false))?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    training.save_state("start").await?;
    let sampler = service.create_sampling_client(MODEL).await?;

    let drawing = tokio::spawn(Arc::clone(&traffic).draw(sampler));
    let training = tokio::spawn(Arc::clone(&traffic).train(training));
    for life in 1..=LIVES {
        let (samples, steps) = (traffic.ledger.samples().good, traffic.ledger.steps().good);
        while traffic.ledger.samples().good < samples + SAMPLES
            || traffic.ledger.steps().good < steps + 2
        {
            assert!(!drawing.is_finished() && !training.is_finished());
            sleep(Duration::from_millis(5)).await;
        }
        if life < LIVES {
            server.kill().await?;
            sleep(AWAY).await;
            server = start(&url).await?;
        }
    }
    traffic.end();
    drawing.await?;
    training.await?;

    assert_eq!(traffic.ledger.doubles(), Vec::<String>::new());
    assert_eq!(traffic.wrong(), Vec::<String>::new());
    // Samplers of a base model are made again by themselves.
    let samples = traffic.ledger.samples();
    assert_eq!(samples.good, samples.started);
    assert_eq!(samples.executed, samples.started);
    // Each kill is noticed by the training client, which loses the steps since its checkpoint and nothing else.
    assert!(
        traffic
            .errors()
            .values()
            .map(|(times, _)| times)
            .sum::<usize>()
            >= LIVES - 1
    );
    let steps = traffic.ledger.steps();
    assert!(steps.good <= steps.executed && steps.executed <= steps.started);
    drop(service);
    server.kill().await?;
    // Nothing is left behind.
    let gone = async {
        while runtime.num_alive_tasks() > tasks_before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMITS.call, gone).await?;
    Ok(())
}
