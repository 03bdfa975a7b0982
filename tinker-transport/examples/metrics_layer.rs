//! A custom layer that measures calls. `Metrics` of the client has counters and percentiles ready.
#![expect(clippy::print_stdout, reason = "a program with output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use tinker_transport::layer::from_fn;
use tinker_transport::testing::Script;
use tinker_transport::{Body, Call, Class, Replay, TransportBuilder, TransportConfig};
use tokio::time::Instant;

/// Number of calls and the longest of them, by operation.
type Seen = Arc<Mutex<BTreeMap<&'static str, (u32, Duration)>>>;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let seen = Seen::default();
    let sink = Arc::clone(&seen);
    let measure = from_fn(move |request, next| {
        let sink = Arc::clone(&sink);
        async move {
            let (operation, began) = (Call::of(&request).operation, Instant::now());
            let result = next.run(request).await;
            let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, longest) = seen.entry(operation).or_default();
            *count += 1;
            *longest = began.elapsed().max(*longest);
            result
        }
    });
    // A call layer, so that a call with its retries counts once.
    let script = Script::new()
        .answer(503, "")
        .answer(200, "")
        .answer(200, "");
    let transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
        .call_layer(measure)
        .leaf(script)
        .build()?;
    for operation in ["list", "get"] {
        let call = Call::new(operation, Class::Rest).with_replay(Replay::Safe);
        let request = Request::get("/api/v1/runs").extension(call);
        transport.call(request.body(Body::empty())?).await?;
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{seen:?}");
    assert_eq!(seen["list"].0, 1);
    Ok(())
}
