//! Traces of OpenTelemetry: each call is a span, and its attempts are events. This program keeps the spans in memory; a real
//! one gives the provider an exporter, such as that of `opentelemetry-otlp`.

use std::error::Error;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tinker_client::{SamplingParams, ServiceClient};
use tinker_local::LocalEngine;
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone());
    let provider = provider.build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("my-program"));
    // A program sets its subscriber once, with `set_global_default`.
    let subscriber = tracing_subscriber::registry().with(layer);
    let guard = tracing::subscriber::set_default(subscriber);

    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let params = SamplingParams::default().with_max_tokens(2);
    sampler.sample([72, 105], params).await?;
    drop(guard);

    provider.force_flush()?;
    let spans = spans.get_finished_spans()?;
    // A span has the name of the operation in the API.
    let call = spans.iter().find(|span| span.name == "asample");
    let call = call.ok_or("no sample was traced")?;
    let status = KeyValue::new("http.response.status_code", 200);
    assert!(call.attributes.contains(&status), "{:?}", call.attributes);
    Ok(())
}
