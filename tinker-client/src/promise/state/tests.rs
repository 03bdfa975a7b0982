use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::fixture::{FakeServer, Reply, traced};
use crate::observe::event::ClientEvent;
use crate::{AdamParams, LoraConfig, ModelInput, SamplingParams, ServiceClient, TrainingClient};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

type Told = Arc<Mutex<Vec<String>>>;

/// Events about work, in words.
fn listen(service: &ServiceClient) -> Told {
    let told = Told::default();
    let log = Arc::clone(&told);
    service
        .observers()
        .attach(Arc::new(move |event: &ClientEvent<'_>| {
            let words = match event {
                ClientEvent::Promise {
                    operation,
                    id,
                    step,
                    elapsed,
                } => format!("{operation} {id} {} {elapsed:?}", step.name()),
                ClientEvent::Waiting {
                    operation,
                    id,
                    waiting,
                } => {
                    let reason = waiting.reason.explanation().unwrap_or("none");
                    format!(
                        "{operation} {id} waits: {}, {reason}",
                        waiting.reason.state()
                    )
                }
                _ => return,
            };
            log.lock().unwrap().push(words);
        }));
    told
}

async fn training(server: &FakeServer) -> (TrainingClient, Told) {
    let service = server.service();
    let training = service.create_lora_training_client("base", LoraConfig::new(4));
    let training = training.await.unwrap();
    (training, listen(&service))
}

#[tokio::test(start_paused = true)]
async fn each_step_of_a_promise_and_each_reason_to_wait_is_told_once() {
    let server = FakeServer::new();
    let (training, told) = training(&server).await;
    let paused = |reason: &str| {
        let word = json!({"type": "try_again", "queue_state": "paused_capacity",
                          "queue_state_reason": reason});
        Reply::json(word).after(seconds(30))
    };
    let active = Reply::json(json!({"type": "try_again", "queue_state": "active"}));
    let replies = vec![
        paused("no free node"),
        paused("no free node"),
        paused("soon"),
        active.after(seconds(30)),
        Reply::status(503, json!({})).after(seconds(5)),
        Reply::lost(),
    ];
    server.then("retrieve_future", replies);
    training.optim_step(AdamParams::new(0.1)).await.unwrap();
    let expected = [
        "optim_step step-1 accepted 0ns",
        "optim_step step-1 waits: paused_capacity, no free node",
        "optim_step step-1 waits: paused_capacity, soon",
        "optim_step step-1 waits: active, none",
        "optim_step step-1 waits: recovery, none",
        "optim_step step-1 waits: connection, the connection broke (retrieve_future)",
        "optim_step step-1 done 126s",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn failures_expiries_and_cancels_are_told_apart() {
    let server = FakeServer::new();
    let service = server.service();
    let sampling = service.create_sampling_client("base").await.unwrap();
    let told = listen(&service);
    let sample = || {
        let params = SamplingParams::default().with_max_tokens(1);
        sampling.sample(ModelInput::from_tokens([1]), params)
    };
    let replies = vec![
        Reply::status(410, json!({})),
        Reply::json(json!({"error": "boom", "category": "server"})),
        Reply::try_again().after(seconds(30)),
    ];
    server.then("retrieve_future", replies);
    sample().await.unwrap_err();
    let dropped = sample();
    sleep(seconds(2)).await;
    drop(dropped);
    sleep(seconds(1)).await;
    let steps: Vec<_> = told
        .lock()
        .unwrap()
        .iter()
        .map(|words| words.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    let expected = [
        "asample sample-0 accepted",
        "asample sample-0 expired",
        "asample sample-1 accepted",
        "asample sample-1 failed",
        "asample sample-2 accepted",
        "asample sample-2 cancelled",
    ];
    assert_eq!(steps, expected);
}

#[tokio::test(start_paused = true)]
async fn a_paused_training_run_is_not_silent_for_a_quarter_of_an_hour() {
    let server = FakeServer::new();
    let (training, _) = training(&server).await;
    let (lines, guard) = traced();
    server.on("retrieve_future", |_| {
        let word = json!({"type": "try_again", "queue_state": "paused_rate_limit"});
        Some(Reply::json(word).after(seconds(20)))
    });
    let step = training.optim_step(AdamParams::new(0.1));
    sleep(seconds(21)).await;
    let text = lines.text();
    assert!(text.contains("training of s:train:0 is paused"), "{text}");
    assert!(text.contains("a limit on concurrent use"), "{text}");
    drop((step, guard));
}
