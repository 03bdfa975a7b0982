//! Secrecy of the API key: a marked key appears in the header of requests and nowhere else.

use std::error::Error as StdError;
use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode};
use tinker_client::transport::layer::{Next, from_fn};
use tinker_client::transport::testing::{Cassette, RecordLayer, Scrub};
use tinker_client::transport::{Body, Event, Metrics};
use tinker_client::{AdamParams, ClientEvent, Config, Error, FinishReason, Loss, ServiceClient};
use tinker_local::{InjectedFault, LocalEngine};

use crate::support::{MODEL, Outcome, Served, data, greedy, lora, prompt};

const MARK: &str = "hunter2";
const KEY: &str = "tml-hunter2-key";

/// All log lines.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<String>>);

impl Ear {
    fn hear(&self, text: &str) {
        self.0.lock().expect("nobody panicked").push_str(text);
    }

    fn look(&self, value: &dyn Debug) {
        self.hear(&format!("{value:?}\n"));
    }

    /// An error with its causes, by `Display` and by `Debug`.
    fn fear(&self, error: &Error) {
        let mut text = String::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = next {
            writeln!(text, "{error} {error:?}").expect("text takes text");
            next = error.source();
        }
        self.hear(&text);
    }
}

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hear(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_of_a_client_is_in_a_header_and_nowhere_else() -> Outcome {
    let ear = Ear::default();
    let sink = ear.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || sink.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let folder = tempfile::tempdir()?;
    let cassette = folder.path().join("all.jsonl");
    let engine = LocalEngine::builtin()?;
    let served = Served::start(engine.clone()).await?;
    let config = Config::new(served.url.as_str()).with_api_key(KEY);
    let (events, bodies, metrics) = (ear.clone(), ear.clone(), Metrics::new());
    let counting = Arc::new(metrics.clone());
    let builder = ServiceClient::builder()
        .config(config.clone())
        .configure_transport(move |stack| {
            stack
                .with_logger()
                .with_observer(counting)
                .with_observer(Arc::new(move |event: &Event<'_>| events.look(event)))
        })
        .call_layer(RecordLayer::create(&cassette, Scrub::new())?)
        // Every request body, telemetry included.
        .attempt_layer(from_fn(move |request: Request<Body>, next: Next| {
            let body = request.body().as_bytes().cloned().unwrap_or_default();
            bodies.look(&request);
            bodies.hear(&String::from_utf8_lossy(&body));
            next.run(request)
        }));
    ear.look(&(&config, &builder));
    let service = builder.build()?;
    let operations = ear.clone();
    let look = move |event: &ClientEvent<'_>| operations.look(event);
    service.observers().attach(Arc::new(look));
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    training
        .forward_backward(data(), Loss::cross_entropy())
        .await?;
    training.optim_step(AdamParams::new(1e-3)).await?;
    let sampler = training.save_weights_and_get_sampling_client().await?;
    ear.look(&(
        &service,
        &training,
        &sampler,
        sampler.sample(prompt("a"), greedy()).await?,
    ));

    for status in [400, 401, 402, 403, 404, 410, 413, 422, 500] {
        if status == 402 {
            continue; // is waited out
        }
        engine.behave(|behavior| {
            let fault = InjectedFault::status("asample", status).with_times(1);
            behavior.faults.push(fault);
        });
        let error = sampler.sample(prompt("a"), greedy()).await.unwrap_err();
        let Error::Status(refusal) = &error else {
            panic!("{status}: {error:?}")
        };
        assert_eq!(refusal.status(), StatusCode::from_u16(status)?);
        ear.fear(&error);
    }
    ear.look(&metrics.snapshot());
    service.close(FinishReason::Success).await?;
    ear.fear(
        &training
            .optim_step(AdamParams::new(1e-3))
            .await
            .unwrap_err(),
    );
    served.stop().await?;
    let account = ServiceClient::new(config)?.account();
    let lost = std::time::Duration::from_millis(200);
    let lost = tokio::time::timeout(lost, account.api_key()).await;
    assert!(lost.is_err(), "a server that is gone is waited for");

    ear.hear(&std::fs::read_to_string(&cassette)?);
    ear.look(&Cassette::load(&cassette)?);
    let heard = ear.0.lock().unwrap();
    for words in [
        "tinker_cassette",
        "asample",
        "Attempt",
        "seq_id",
        "DEBUG",
        "422",
    ] {
        assert!(heard.contains(words), "{words:?} was never said");
    }
    if let Some(place) = heard.find(MARK) {
        let from = heard.floor_char_boundary(place.saturating_sub(200));
        panic!("the key is told: {}", &heard[from..place + MARK.len()]);
    }
    Ok(())
}
