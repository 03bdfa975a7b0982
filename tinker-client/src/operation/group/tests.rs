use std::sync::Mutex as StdMutex;

use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::fixture::{FakeServer, Reply};
use crate::observe::observer::ClientObserver;
use crate::{AdamParams, Config, LoraConfig, ModelInput, SamplingParams};

fn minutes(n: u64) -> Duration {
    Duration::from_mins(n)
}

type Told = Arc<StdMutex<Vec<(u64, String)>>>;

/// Minutes and words of every event about something stuck.
fn listener(start: Instant) -> (Arc<dyn ClientObserver>, Told) {
    let told = Told::default();
    let log = Arc::clone(&told);
    let observer = move |event: &ClientEvent<'_>| {
        if let ClientEvent::Stuck {
            operation,
            id,
            waiting,
        } = event
        {
            let (id, state) = (id.unwrap_or("none"), waiting.reason.state());
            let words = format!("{operation} {id} {state} {:?}", waiting.elapsed());
            let minute = start.elapsed().as_secs() / 60;
            log.lock().unwrap().push((minute, words));
        }
    };
    (Arc::new(observer), told)
}

#[tokio::test(start_paused = true)]
async fn what_is_stuck_is_named_every_ten_minutes_and_the_oldest_speaks_for_all() {
    let server = FakeServer::new();
    let service = server.service();
    let training = service.create_lora_training_client("base", LoraConfig::new(4));
    let training = training.await.unwrap();
    let start = Instant::now();
    let (observer, told) = listener(start);
    service.observers().attach(observer);
    server.on("retrieve_future", |_| {
        let word = json!({"type": "try_again", "queue_state": "paused_capacity"});
        Some(Reply::json(word).after(Duration::from_secs(30)))
    });
    let first = training.optim_step(AdamParams::new(0.1));
    sleep(minutes(1)).await;
    let second = training.optim_step(AdamParams::new(0.1));
    // The second was accepted after a minute, which is progress, so that the time counts from there.
    sleep(minutes(25)).await;
    let expected = [
        (11, "optim_step step-1 paused_capacity 630s".to_owned()),
        (21, "optim_step step-1 paused_capacity 1230s".to_owned()),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stuck_while_others_get_on_and_nothing_is_said_of_what_was_accepted_late() {
    let server = FakeServer::new();
    let service = server.service();
    let sampling = service.create_sampling_client("base").await.unwrap();
    let (observer, told) = listener(Instant::now());
    service.observers().attach(observer);
    server.on("retrieve_future", |seen| {
        let is_slow = seen.json()["request_id"] == "sample-0";
        is_slow.then(|| Reply::try_again().after(Duration::from_secs(30)))
    });
    let params = || SamplingParams::default().with_max_tokens(1);
    let slow = sampling.sample(ModelInput::from_tokens([1]), params());
    for _ in 0..6 {
        sleep(minutes(9)).await;
        let quick = sampling.sample(ModelInput::from_tokens([1]), params());
        quick.await.unwrap();
    }
    assert!(told.lock().unwrap().is_empty());
    sleep(minutes(11)).await;
    assert_eq!(told.lock().unwrap().len(), 1);
    drop(slow);
    sleep(minutes(30)).await;
    assert_eq!(told.lock().unwrap().len(), 1, "no operation is left");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_named_by_its_method() {
    let server = FakeServer::new();
    server.always("create_session", 503, json!({}));
    let config = Config::new("http://fake").with_stuck_after(minutes(2));
    let service = server.builder().config(config).build().unwrap();
    let (observer, told) = listener(Instant::now());
    service.observers().attach(observer);
    let pending = service.create_sampling_client("base");
    sleep(Duration::from_secs(121)).await;
    let words = "ServiceClient.create_sampling_client none session 120s";
    assert_eq!(*told.lock().unwrap(), [(2, words.to_owned())]);
    drop(pending);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_told_at_once_and_then_once_a_minute() {
    let (lines, guard) = crate::fixture::traced();
    let group = crate::fixture::group();
    for _ in 0..130 {
        group.note_queue_state(Some(&QueueState::PausedCapacity), Some("no free node"));
        sleep(Duration::from_secs(1)).await;
    }
    group.note_queue_state(Some(&QueueState::Active), None);
    drop(guard);
    let told = lines.text();
    assert_eq!(told.matches("testing is paused").count(), 3, "{told}");
    assert!(told.contains("no free node"));
}
