//! The client of this workspace.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tinker_client::transport::{Class, ClassLimits};
use tinker_client::{Config, ServiceClient};
use tinker_types::proto;

use crate::Outcome;
use crate::answers::Answers;
use crate::connection::Http;
use crate::manner::Manner;
use crate::passes::{Training, UPLOAD, repeat};
use crate::samples::{SEQUENCES, Samples, in_flight, read, read_view};
use crate::target::Target;
use crate::usage::{Before, Cost, Meter};
use crate::workload::{Passes, Workload};

/// Runs a workload on a server. A first, small part of it is not measured.
pub(crate) async fn run(target: &Target, workload: &Workload) -> Outcome<Cost> {
    match *workload {
        Workload::Sample { in_flight, count } => {
            let work = samples(&service(target)?, 1).await?;
            work.run(in_flight, count).await
        }
        Workload::Answer { in_flight, count } => {
            let work = samples(&service(target)?, SEQUENCES).await?;
            work.run(in_flight, count).await
        }
        Workload::View { in_flight, count } => {
            let work = samples(&service(target)?, SEQUENCES).await?;
            work.in_place().run(in_flight, count).await
        }
        Workload::DecodeView { count } => {
            let body = Answers::new().large();
            repeat(count, async || {
                read_view(&proto::view_sample(body.clone())?);
                Ok(())
            })
            .await
        }
        Workload::Decode { count } => {
            let body = Answers::new().large();
            repeat(count, async || {
                read(&proto::decode_sample(body.clone())?);
                Ok(())
            })
            .await
        }
        Workload::Beside { in_flight, count } => {
            let service = service(target)?;
            let training = Training::new(&service, UPLOAD).await?;
            training.pass().await?;
            let work = samples(&service, 1).await?;
            let upload = async { while training.pass().await.is_ok() {} };
            tokio::select! {
                cost = work.run(in_flight, count) => cost,
                () = upload => Err("a pass failed".into()),
            }
        }
        Workload::Clients { clients, count } => many(target, clients, count).await,
        Workload::Pass(passes) => measure(config(target), passes).await,
        Workload::Compressed(passes) => {
            measure(config(&target.with(Manner::Compressed)), passes).await
        }
        Workload::Lanes {
            connections,
            passes,
        } => {
            let one = NonZeroUsize::MIN;
            let connections = NonZeroUsize::new(connections).unwrap_or(one);
            let limits = ClassLimits::of(Class::Train)
                .with_concurrency(connections)
                .with_per_connection(one);
            measure(config(target).with_limits(Class::Train, limits), passes).await
        }
        Workload::Step(steps) => measure_steps(target, steps).await,
        Workload::Working {
            microseconds,
            steps,
        } => measure_steps(&target.with(Manner::Working(microseconds)), steps).await,
        Workload::Idle { seconds } => idle(target, seconds).await,
    }
}

async fn samples(service: &ServiceClient, sequences: u32) -> Outcome<Samples> {
    let client = service.create_sampling_client("m").await?;
    Ok(Samples::new(client, sequences))
}

async fn measure(config: Config, passes: Passes) -> Outcome<Cost> {
    let service = ServiceClient::new(config)?;
    let training = Training::new(&service, (passes.rows, passes.tokens)).await?;
    repeat(passes.count, async || training.pass().await).await
}

async fn measure_steps(target: &Target, steps: Passes) -> Outcome<Cost> {
    let training = Training::new(&service(target)?, (steps.rows, steps.tokens)).await?;
    repeat(steps.count, async || training.step().await).await
}

/// Samples of many clients, each with a sampler and one sample in flight.
async fn many(target: &Target, clients: usize, count: usize) -> Outcome<Cost> {
    let mut all = Vec::with_capacity(clients);
    for _ in 0..clients {
        let service = service(target)?;
        let work = samples(&service, 1).await?;
        all.push((service, work));
    }
    let (all, next) = (Arc::new(all), Arc::new(AtomicUsize::new(0)));
    let draw = move || {
        let at = next.fetch_add(1, Ordering::Relaxed) % clients;
        let all = Arc::clone(&all);
        async move { all[at].1.draw().await }
    };
    in_flight(clients, count, draw).await
}

/// A client with a sampler that is not used, for a stretch of real time. The unit is ten minutes.
async fn idle(target: &Target, seconds: u64) -> Outcome<Cost> {
    let work = samples(&service(target)?, 1).await?;
    work.draw().await?;
    let http = Http::new(target).await?;
    let first = http.traffic(&target.url).await?;
    let before = http.traffic(&target.url).await?;
    let meter = Meter::start(Before::now()?)?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let mut cost = meter.stop(1, Vec::new())?;
    // The questions are not the client's traffic; each costs the same.
    cost.traffic = http.traffic(&target.url).await? - before - (before - first);
    cost.units = seconds as f64 / 600.0;
    Ok(cost)
}

fn config(target: &Target) -> Config {
    let config = Config::new(target.url.as_str())
        .with_api_key("tml-benchmark")
        .with_telemetry(false);
    match &target.certificate {
        Some(certificate) => config.with_root_certificates(certificate.clone()),
        None => config,
    }
}

/// A client of a server, without telemetry.
fn service(target: &Target) -> Outcome<ServiceClient> {
    Ok(ServiceClient::new(config(target))?)
}
