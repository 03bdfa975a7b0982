//! A bare HTTP client that sends the bytes of the client of this workspace, and does not decode the answers.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tinker_client::{Config, ServiceClient};
use tinker_transport::{Body, TransportError};

use crate::Outcome;
use crate::answers::Answers;
use crate::ours::{Samples, data, in_flight, pass, training};
use crate::usage::{Cost, Meter};
use crate::workload::Workload;

type Http = Client<HttpConnector, Full<Bytes>>;

/// Sends the requests of a workload to the server at `url`.
pub(crate) async fn run(url: &str, workload: &Workload) -> Outcome<Cost> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http: Http = Client::builder(TokioExecutor::new()).build(connector);
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
        Workload::Step { .. } => return Err("steps are compared by wall time".into()),
    };
    let calls = Arc::new(calls);
    let draw = move || {
        let (http, calls) = (http.clone(), Arc::clone(&calls));
        async move {
            for call in calls.iter() {
                send(&http, call).await?;
            }
            Ok(())
        }
    };
    in_flight(parallel, parallel, draw.clone()).await?;
    in_flight(parallel, count, draw).await
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
            tasks.spawn(async move { send(&http, &call).await });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
    }
    Ok(())
}

async fn send(http: &Http, call: &Request<Bytes>) -> Outcome<()> {
    let mut request = Request::new(Full::new(call.body().clone()));
    *request.method_mut() = call.method().clone();
    *request.uri_mut() = call.uri().clone();
    request.headers_mut().clone_from(call.headers());
    let mut body = http.request(request).await?.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
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
