//! Serves an engine with the behaviors in its arguments, for trying out clients.
//!
//! ```text
//! cargo run -p tinker-local --features serve --example behave -- tokens poller busy
//!
//!   tokens    API keys are exchanged for tokens that last two minutes
//!   poller    clients wait for samples with one poll for each sampler, and copies of a sampler get a number
//!   losses    clients upload custom losses
//!   sizes     results of more than 200 bytes are announced by their size first
//!   busy      the first requests are refused or lose their responses
//!   older     JSON only, without the endpoints of the last two years
//! ```

#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::time::Duration;

use tinker_local::{Behavior, InjectedFault, Limits, LocalEngine};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut behavior, mut limits) = (Behavior::default(), Limits::default());
    for word in std::env::args().skip(1) {
        let config = &mut behavior.client_config;
        match word.as_str() {
            "tokens" => behavior.token_lifetime = Some(Duration::from_mins(2)),
            "poller" => {
                config.sample_use_retrieve_futures = true;
                config.sample_join_sampling_session = true;
            }
            "losses" => config.custom_loss_server_side = true,
            "sizes" => limits.inline_result_bytes = 200,
            "busy" => behavior.faults.extend(faults()),
            "older" => behavior.json_only = true,
            other => return Err(format!("{other:?} is none of the words").into()),
        }
    }
    let engine = LocalEngine::builder()
        .behavior(behavior)
        .limits(limits)
        .build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    tinker_local::serve(listener, engine, std::future::pending()).await?;
    Ok(())
}

/// Faults that happen a few times, to requests that clients repeat.
fn faults() -> Vec<InjectedFault> {
    let wait = Duration::from_secs(1);
    vec![
        InjectedFault::status("asample", 429).with_times(3),
        InjectedFault::status("optim_step", 503)
            .with_times(2)
            .with_retry_after(wait),
        InjectedFault::status("retrieve_future", 500).with_times(3),
        InjectedFault::answer_lost("forward_backward").with_times(2),
        InjectedFault::dropped("save_weights").with_times(1),
    ]
}
