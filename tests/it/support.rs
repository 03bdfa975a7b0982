//! Shared set-up: an engine, a client of it, training data.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tinker_client::{Config, Datum, LoraConfig, ModelInput, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) const MODEL: &str = "tinker-local/tiny";
pub(crate) const END: u32 = 256;

/// A client of an engine in this process, through the whole default stack.
pub(crate) fn in_process(engine: &LocalEngine) -> Result<ServiceClient, tinker_client::Error> {
    let config = Config::new("http://in-process");
    ServiceClient::builder()
        .config(config)
        .leaf(engine.service())
        .build()
}

/// An engine on a free port of the loopback interface, stopped on drop.
pub(crate) struct Served {
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    done: tokio::task::JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(engine: LocalEngine) -> std::io::Result<Self> {
        Self::start_at(engine, "127.0.0.1:0").await
    }

    pub(crate) async fn start_at(engine: LocalEngine, address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let done = tokio::spawn(async move {
            tinker_local::serve(listener, engine, shutdown)
                .await
                .expect("the server ends cleanly");
        });
        Ok(Self {
            url,
            stop: Some(stop),
            done,
        })
    }

    pub(crate) fn client(&self) -> Result<ServiceClient, tinker_client::Error> {
        let config = Config::new(self.url.as_str()).with_api_key("any");
        ServiceClient::new(config)
    }

    /// Stops the engine and waits until port and data folder are free.
    pub(crate) async fn stop(mut self) -> Outcome {
        self.stop.take();
        Ok((&mut self.done).await?)
    }
}

/// A server with its own runtime, so that it can be killed with its open connections.
pub(crate) struct Mortal {
    runtime: tokio::runtime::Runtime,
    pub(crate) url: String,
}

impl Mortal {
    pub(crate) async fn start(engine: LocalEngine, address: &str) -> Result<Self, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let address = address.trim_start_matches("http://").to_owned();
        let listener = runtime.spawn(TcpListener::bind(address)).await??;
        let url = format!("http://{}", listener.local_addr()?);
        runtime.spawn(tinker_local::serve(
            listener,
            engine,
            std::future::pending(),
        ));
        Ok(Self { runtime, url })
    }

    /// Ends it at once. Returns when its port and data folder are free.
    pub(crate) async fn kill(self) -> Outcome {
        let end = || self.runtime.shutdown_timeout(Duration::from_secs(5));
        Ok(tokio::task::spawn_blocking(end).await?)
    }
}

pub(crate) fn tokens(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

pub(crate) fn prompt(text: &str) -> ModelInput {
    ModelInput::from_tokens(tokens(text))
}

/// Pairs that the base model does not answer correctly.
pub(crate) fn data() -> Arc<[Datum]> {
    let pairs = [
        ("sky ->", " blue"),
        ("grass ->", " green"),
        ("snow ->", " white"),
        ("coal ->", " black"),
    ];
    let datum = |(before, after): (&str, &str)| {
        Datum::supervised(&tokens(before), &[tokens(after), vec![END]].concat())
    };
    pairs.into_iter().map(datum).collect()
}

pub(crate) fn lora() -> LoraConfig {
    LoraConfig::new(8).with_seed(1)
}

pub(crate) fn greedy() -> SamplingParams {
    SamplingParams::default()
        .with_temperature(0.0)
        .with_max_tokens(12)
}

/// The text of a sampled sequence, without its end token.
pub(crate) fn text(tokens: &[u32]) -> String {
    let bytes = tokens
        .iter()
        .filter_map(|&token| u8::try_from(token).ok())
        .collect();
    String::from_utf8(bytes).unwrap_or_default()
}
