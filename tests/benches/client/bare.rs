//! A bare HTTP client that sends the bytes of the client of this workspace, and does not decode the answers.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, Response, Uri};
use tinker_client::{Config, ServiceClient};
use tinker_transport::{Body, TransportError};
use tinker_types::proto;

use crate::Outcome;
use crate::answers::Answers;
use crate::connection::Http;
use crate::manner::Manner;
use crate::passes::{Training, UPLOAD, repeat};
use crate::samples::{SEQUENCES, Samples, in_flight, read, read_view};
use crate::target::Target;
use crate::usage::Cost;
use crate::workload::Workload;

/// Most requests in flight on one connection over HTTP/2. A server on h2 ends one with 20,000 as excessive load.
const STREAMS: usize = 2_000;

/// Sends the requests of a workload to a server.
pub(crate) async fn run(target: &Target, workload: &Workload) -> Outcome<Cost> {
    let http = Http::new(target).await?;
    match *workload {
        Workload::Sample { in_flight, count }
        | Workload::Clients {
            clients: in_flight,
            count,
        } => {
            let connections = in_flight.div_ceil(STREAMS);
            let http = Http::with_connections(target, connections).await?;
            let units = Replay::new(http, record(target, 1).await?);
            units.run(in_flight, count).await
        }
        Workload::Answer { in_flight, count } | Workload::View { in_flight, count } => {
            let units = Replay::new(http, record(target, SEQUENCES).await?);
            units.run(in_flight, count).await
        }
        Workload::Beside { in_flight, count } => {
            let upload = Upload::new(http.clone(), target, UPLOAD).await?;
            let samples = Replay::new(http, record(target, 1).await?);
            let upload = async { while upload.pass().await.is_ok() {} };
            tokio::select! {
                cost = samples.run(in_flight, count) => cost,
                () = upload => Err("a pass failed".into()),
            }
        }
        Workload::Decode { count } => {
            // Only the reading, of arrays that are there.
            let response = proto::decode_sample(Answers::new().large())?;
            repeat(count, async || {
                read(std::hint::black_box(&response));
                Ok(())
            })
            .await
        }
        Workload::DecodeView { count } => {
            let view = proto::view_sample(Answers::new().large())?;
            repeat(count, async || {
                read_view(std::hint::black_box(&view));
                Ok(())
            })
            .await
        }
        Workload::Pass(passes) => {
            let mut upload = Upload::new(http, target, (passes.rows, passes.tokens)).await?;
            repeat(passes.count, async || upload.copy_and_pass().await).await
        }
        Workload::Compressed(passes) => {
            // The plain bodies are recorded, and compressed in each pass.
            let mut upload = Upload::new(http, target, (passes.rows, passes.tokens)).await?;
            upload.moved(&target.with(Manner::Compressed))?;
            repeat(passes.count, async || upload.compress_and_pass().await).await
        }
        Workload::Lanes {
            connections,
            passes,
        } => {
            let http = Http::with_connections(target, connections).await?;
            let mut upload = Upload::new(http, target, (passes.rows, passes.tokens)).await?;
            repeat(passes.count, async || upload.copy_and_pass().await).await
        }
        Workload::Step(steps) => {
            let mut upload = Upload::new(http, target, (steps.rows, steps.tokens)).await?;
            repeat(steps.count, async || upload.step().await).await
        }
        Workload::Working {
            microseconds,
            steps,
        } => {
            let target = target.with(Manner::Working(microseconds));
            let mut upload = Upload::new(http, &target, (steps.rows, steps.tokens)).await?;
            repeat(steps.count, async || upload.step().await).await
        }
        Workload::Idle { .. } => Err("a bare client has no session".into()),
    }
}

/// The requests of one unit, sent one after another.
#[derive(Clone)]
struct Replay {
    http: Http,
    calls: Arc<Vec<Request<Bytes>>>,
}

impl Replay {
    fn new(http: Http, calls: Vec<Request<Bytes>>) -> Self {
        let calls = Arc::new(calls);
        Self { http, calls }
    }

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

/// The requests of one pass and of an optimizer step.
struct Upload {
    http: Http,
    passes: Vec<Request<Bytes>>,
    results: Vec<Request<Bytes>>,
    optimizer: Vec<Request<Bytes>>,
    /// Memory that is in use already.
    buffer: Vec<u8>,
}

impl Upload {
    async fn new(http: Http, target: &Target, batch: (usize, usize)) -> Outcome<Self> {
        let recorder = Recorder::new(target)?;
        let training = Training::new(&recorder.service, batch).await?;
        recorder.clear();
        training.pass().await?;
        let (results, passes) = recorder
            .take(target)?
            .into_iter()
            .partition(|call| call.uri().path().ends_with("retrieve_future"));
        training.step().await?;
        let mut optimizer = recorder.take(target)?;
        let begin = |call: &Request<Bytes>| call.uri().path().ends_with("optim_step");
        let begin = optimizer.iter().position(begin);
        optimizer.drain(..begin.ok_or("a step was not recorded")?);
        Ok(Self {
            http,
            passes,
            results,
            optimizer,
            buffer: Vec::new(),
        })
    }

    /// Sends to another manner of the server from now on.
    fn moved(&mut self, target: &Target) -> Outcome<()> {
        for call in self.passes.iter_mut().chain(&mut self.results) {
            *call.uri_mut() = at(target, call.uri())?;
        }
        Ok(())
    }

    /// Sends the passes together, then fetches their results.
    async fn pass(&self) -> Outcome<()> {
        for group in [&self.passes, &self.results] {
            let mut tasks = tokio::task::JoinSet::new();
            for call in group {
                let (http, call) = (self.http.clone(), call.clone());
                tasks.spawn(async move { http.send(&call).await });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
        }
        Ok(())
    }

    /// Copies each body, as a client does that encodes its data, and sends.
    async fn copy_and_pass(&mut self) -> Outcome<()> {
        for call in &self.passes {
            self.buffer.clear();
            self.buffer.extend_from_slice(call.body());
            std::hint::black_box(&self.buffer);
        }
        self.pass().await
    }

    /// Compresses each body on a thread of its own, at the level of the client, and sends.
    async fn compress_and_pass(&mut self) -> Outcome<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for call in &self.passes {
            let plain = call.clone();
            let http = self.http.clone();
            tasks.spawn(async move {
                let (body, level) = (plain.body().clone(), Config::default().compression_level);
                let frame = move || zstd::bulk::compress(&body, level);
                let frame = tokio::task::spawn_blocking(frame).await??;
                let mut call = plain.map(|_| Bytes::from(frame));
                let encoding = HeaderValue::from_static("zstd");
                call.headers_mut().insert(CONTENT_ENCODING, encoding);
                http.send(&call).await
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        for call in &self.results {
            self.http.send(call).await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Outcome<()> {
        self.copy_and_pass().await?;
        for call in &self.optimizer {
            self.http.send(call).await?;
        }
        Ok(())
    }
}

/// The requests of one sample.
async fn record(target: &Target, sequences: u32) -> Outcome<Vec<Request<Bytes>>> {
    let recorder = Recorder::new(target)?;
    let client = recorder.service.create_sampling_client("m").await?;
    let work = Samples::new(client, sequences);
    recorder.clear();
    work.draw().await?;
    recorder.take(target)
}

/// A client whose requests are recorded and answered in this process.
struct Recorder {
    service: ServiceClient,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Recorder {
    fn new(target: &Target) -> Outcome<Self> {
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
        let config = Config::new(target.url.as_str())
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

    /// The recorded requests, for a server.
    fn take(&self, target: &Target) -> Outcome<Vec<Request<Bytes>>> {
        let mut sent = std::mem::take(&mut *self.sent.lock().map_err(|_| "poisoned")?);
        for request in &mut sent {
            *request.uri_mut() = at(target, request.uri())?;
        }
        if sent.is_empty() {
            return Err("nothing was recorded".into());
        }
        Ok(sent)
    }
}

/// The address of the same route at a server.
fn at(target: &Target, uri: &Uri) -> Outcome<Uri> {
    let whole = uri.path_and_query().ok_or("a request has no path")?;
    let (_, route) = whole.as_str().split_once("/api/").ok_or("not a route")?;
    Ok(format!("{}/api/{route}", target.url).parse()?)
}
