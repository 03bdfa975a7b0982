//! A training run with samples under faults must end with the same results as a run without faults.
//!
//! `cargo xtask fault-run` makes the full run; `docs/faults.md` has its figures.

mod faults;
mod halted;
mod report;
mod run;
mod size;

use std::sync::Arc;

use tinker_client::transport::{Class, Metrics, policy::Standard};
use tinker_client::{SampleOptions, SamplingParams, ServiceClient};
use tinker_local::{LocalEngine, LocalService};
use tinker_tests::executed::{Counts, Told};

use crate::support::{MODEL, Outcome, prompt};
use faults::Faults;
pub(crate) use halted::{Halted, Leaf, on_a_halted_clock};
use report::{FinishedRun, Report};
pub(crate) use run::Run;
pub(crate) use size::Size;

/// An engine in this process that counts its operations.
fn engine() -> Result<(LocalEngine, Arc<Counts>), Box<dyn std::error::Error>> {
    let (backend, counts) = Told::counted()?;
    let engine = LocalEngine::builder().backend(Box::new(backend)).build()?;
    Ok((engine, counts))
}

/// Runs against a fresh engine behind `leaf`.
async fn make<S>(
    size: Size,
    faults: Option<Faults>,
    leaf: impl FnOnce(LocalService) -> S,
) -> Result<FinishedRun, Box<dyn std::error::Error>>
where
    S: Leaf,
{
    let (engine, counts) = engine()?;
    let metrics = Metrics::new();
    let observer = Arc::new(metrics.clone());
    let mut builder = ServiceClient::builder()
        .leaf(leaf(engine.service()))
        // By default a server error on a sample is returned to the caller; this run sets a policy that retries it.
        .configure_transport(|stack| {
            stack
                .with_policy(Class::Sample, Standard::new())
                .with_observer(observer)
        });
    for layer in faults.iter().flat_map(Faults::layers) {
        builder = builder.attempt_layer(layer);
    }
    let run = Run::make(size, &builder.build()?, engine.data_dir()).await?;
    Ok(FinishedRun {
        run,
        counts,
        metrics,
        faults,
    })
}

/// Compares the run without faults with the run with faults.
fn compare(size: Size, calm: &FinishedRun, stormy: &FinishedRun) {
    for finished in [calm, stormy] {
        let delivered: Vec<usize> = finished.run.samples.keys().copied().collect();
        assert_eq!(delivered, (0..size.samples).collect::<Vec<_>>());
        assert_eq!(
            finished.counts.passes(),
            size.steps,
            "passes the engine made"
        );
        assert_eq!(
            finished.counts.steps(),
            size.steps,
            "steps the engine applied"
        );
        assert_eq!(finished.run.losses.len(), size.steps);
    }
    // Samples whose promise expired are drawn again.
    let expired = stormy.faults.as_ref().map_or(0, Faults::expired);
    assert_eq!(calm.counts.jobs(), size.samples);
    assert!(stormy.counts.jobs() <= size.samples + expired);
    assert_eq!(calm.run.losses, stormy.run.losses);
    assert!(calm.run.samples == stormy.run.samples, "samples differ");
    assert!(calm.run.weights == stormy.run.weights, "weights differ");
}

async fn calm_and_stormy<S: Leaf>(
    size: Size,
    leaf: impl Fn(LocalService) -> S,
) -> Result<Report, Box<dyn std::error::Error>> {
    let calm = make(size, None, &leaf).await?;
    let stormy = make(size, Some(Faults::new(size.seed)), &leaf).await?;
    compare(size, &calm, &stormy);
    Ok(Report::new(size, calm, stormy))
}

#[test]
fn a_run_under_faults_ends_as_the_run_without() -> Outcome {
    let report = on_a_halted_clock(|threads| async move {
        calm_and_stormy(Size::SMALL, |engine| Halted::new(engine, threads.clone())).await
    })?;
    let share = report.share_of_faults();
    assert!((0.25..0.40).contains(&share), "{share}\n{report}");
    Ok(())
}

#[test]
#[ignore = "the full run: cargo xtask fault-run"]
#[expect(clippy::print_stdout, reason = "a table for people")]
fn full() -> Outcome {
    let report = on_a_halted_clock(|threads| async move {
        calm_and_stormy(Size::FULL, |engine| Halted::new(engine, threads.clone())).await
    })?;
    println!("{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the full run in real time: cargo xtask fault-run --real-time"]
#[expect(clippy::print_stdout, reason = "a table for people")]
async fn full_in_real_time() -> Outcome {
    let report = calm_and_stormy(Size::FULL, |engine| engine).await?;
    println!("{report}");
    Ok(())
}

/// Without the policy that the run sets, a server error on a sample is returned to the caller after one attempt.
#[test]
fn samples_are_repeated_only_as_the_policy_allows() -> Outcome {
    on_a_halted_clock(|threads| async move {
        let layer = faults::server_errors_on_samples(3);
        let (engine, counts) = engine()?;
        let metrics = Metrics::new();
        let observer = Arc::new(metrics.clone());
        let service = ServiceClient::builder()
            .leaf(Halted::new(engine.service(), threads))
            .configure_transport(|stack| stack.with_observer(observer))
            .attempt_layer(layer.clone())
            .build()?;
        let sampler = service.create_sampling_client(MODEL).await?;
        let samples = (0..60).map(|n| {
            let params = SamplingParams::default().with_max_tokens(1).with_seed(n);
            sampler.sample(prompt("a"), SampleOptions::new(params))
        });
        let results = futures_util::future::join_all(samples).await;
        let failed = results.iter().filter(|result| result.is_err()).count();
        assert_eq!(failed, layer.injected().len());
        assert!((5..40).contains(&failed), "{failed}");
        assert_eq!(counts.jobs(), 60 - failed);
        let sent = &metrics.snapshot().operations["asample"];
        assert_eq!((sent.attempts, sent.retries), (60, 0));
        for error in results.into_iter().filter_map(Result::err) {
            assert!(error.is_retryable(), "{error}");
        }
        Ok(())
    })
}
