//! Concurrent clients for a second. `cargo xtask load` runs them for minutes.

use std::time::Duration;

use tinker_local::LocalEngine;
use tinker_tests::load::{Plan, repeat, run, table};

use crate::support::{Outcome, Served};

async fn served(folder: &std::path::Path) -> Result<Served, Box<dyn std::error::Error>> {
    let engine = LocalEngine::builder().data_dir(folder).build()?;
    Ok(Served::start(engine).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_once_is_as_one_after_another() -> Outcome {
    let plan = Plan {
        clients: 16,
        trainers: 3,
        time: Duration::from_secs(1),
    };
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = served(first.path()).await?;
    let together = run(&server.url, first.path(), plan).await?;
    server.stop().await?;
    // The progress of each client depends on the machine, so it is not checked here; the command reports it.
    assert!(
        together.samples() >= plan.clients - plan.trainers,
        "{}",
        table(plan, &together, &[])
    );
    let server = served(second.path()).await?;
    let differences = repeat(&server.url, second.path(), &together).await?;
    server.stop().await?;
    assert!(differences.is_empty(), "{differences:?}");
    Ok(())
}
