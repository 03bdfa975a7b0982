//! A bare HTTP client that sends the bytes of the client of this workspace, and does not decode the answers.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Uri};
use tinker_client::{Config, ServiceClient};
use tinker_transport::{Body, TransportError};

use crate::Outcome;
use crate::answers::Answers;
use crate::connection::Http;
use crate::ours::{Samples, UPLOAD, data, in_flight, pass, training};
use crate::target::Target;
use crate::usage::{Cost, Meter};
use crate::workload::Workload;

/// Sends the requests of a workload to a server.
pub(crate) async fn run(target: &Target, workload: &Workload) -> Outcome<Cost> {
    let (http, url) = (Http::new(target).await?, target.url.as_str());
    let (count, calls, parallel) = match *workload {
        Workload::Sample { in_flight, count } => (count, record(url, 1).await?, in_flight),
        Workload::Answer { in_flight, count } => (count, record(url, 16).await?, in_flight),
        Workload::Pass {
            rows,
            tokens,
            count,
        } => {
            let calls = record_pass(url, rows, tokens).await?;
            send_pass(&http, &calls).await?;
            let meter = Meter::start()?;
            let (mut latencies, mut buffer) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let start = Instant::now();
                for call in &calls {
                    // The copy into a body that the client has to make, in memory that is in use already.
                    buffer.clear();
                    buffer.extend_from_slice(call.body());
                    std::hint::black_box(&buffer);
                }
                send_pass(&http, &calls).await?;
                latencies.push(start.elapsed());
            }
            return meter.stop(count, latencies);
        }
        Workload::Beside { in_flight, count } => {
            let passes = record_pass(url, UPLOAD.0, UPLOAD.1).await?;
            let calls = Arc::new(record(url, 1).await?);
            let samples = Replay {
                http: http.clone(),
                calls,
            };
            samples.run(in_flight, in_flight).await?;
            let upload = async { while send_pass(&http, &passes).await.is_ok() {} };
            return tokio::select! {
                cost = samples.run(in_flight, count) => cost,
                () = upload => Err("a pass failed".into()),
            };
        }
        Workload::Clients { .. } => return Err("a bare client has no sessions".into()),
        Workload::Step { .. } => return Err("steps are compared by wall time".into()),
    };
    let calls = Arc::new(calls);
    let units = Replay { http, calls };
    units.run(parallel, parallel).await?;
    units.run(parallel, count).await
}

/// The requests of one unit, sent one after another.
#[derive(Clone)]
struct Replay {
    http: Http,
    calls: Arc<Vec<Request<Bytes>>>,
}

impl Replay {
    async fn send(&self) -> Outcome<()> {
        for call in self.calls.iter() {
            self.http.send(call).await?;
        }
        Ok(())
    }

    /// Keeps `parallel` units in flight until `count` are done.
    async fn run(&self, parallel: usize, count: usize) -> Outcome<Cost> {
        let work = self.clone();
        in_flight(parallel, count, move || {
            let work = work.clone();
            async move { work.send().await }
        })
        .await
    }
}

/// Sends the passes together, then fetches their results.
async fn send_pass(http: &Http, calls: &[Request<Bytes>]) -> Outcome<()> {
    let (results, passes): (Vec<_>, Vec<_>) = calls
        .iter()
        .partition(|call| call.uri().path().ends_with("retrieve_future"));
    for group in [passes, results] {
        let mut tasks = tokio::task::JoinSet::new();
        for call in group {
            let (http, call) = (http.clone(), call.clone());
            tasks.spawn(async move { http.send(&call).await });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
    }
    Ok(())
}

/// The requests of one sample.
async fn record(url: &str, sequences: u32) -> Outcome<Vec<Request<Bytes>>> {
    let recorder = Recorder::new(url)?;
    let work = Samples::new(
        recorder.service.create_sampling_client("m").await?,
        sequences,
    );
    recorder.clear();
    work.draw().await?;
    recorder.take(url)
}

/// The requests of one pass.
async fn record_pass(url: &str, rows: usize, tokens: usize) -> Outcome<Vec<Request<Bytes>>> {
    let recorder = Recorder::new(url)?;
    let client = training(&recorder.service).await?;
    recorder.clear();
    pass(&client, &data(rows, tokens)).await?;
    recorder.take(url)
}

/// A client whose requests are recorded and answered in this process.
struct Recorder {
    service: ServiceClient,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Recorder {
    fn new(url: &str) -> Outcome<Self> {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (Arc::clone(&sent), Arc::new(Answers::new()));
        let leaf = tower::service_fn(move |request: Request<Body>| {
            let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
            async move {
                let (mut head, body) = request.into_parts();
                head.extensions = http::Extensions::new();
                let body = body.collect(1 << 30).await?;
                let answer = answers.to(head.uri.path(), &body);
                if let Ok(mut kept) = kept.lock() {
                    kept.push(Request::from_parts(head, body));
                }
                Ok::<Response<Body>, TransportError>(answer.map(Body::new))
            }
        });
        let config = Config::new(url)
            .with_api_key("tml-benchmark")
            .with_telemetry(false);
        let service = ServiceClient::builder().config(config).leaf(leaf).build()?;
        Ok(Self { service, sent })
    }

    fn clear(&self) {
        if let Ok(mut sent) = self.sent.lock() {
            sent.clear();
        }
    }

    /// The recorded requests, for the server at `url`.
    fn take(&self, url: &str) -> Outcome<Vec<Request<Bytes>>> {
        let mut sent = std::mem::take(&mut *self.sent.lock().map_err(|_| "poisoned")?);
        for request in &mut sent {
            let path = request
                .uri()
                .path_and_query()
                .ok_or("a request has no path")?;
            *request.uri_mut() = format!("{url}{path}").parse::<Uri>()?;
        }
        if sent.is_empty() {
            return Err("nothing was recorded".into());
        }
        Ok(sent)
    }
}
