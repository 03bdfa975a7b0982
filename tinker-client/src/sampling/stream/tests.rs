use std::time::Duration;

use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::json;
use tinker_types::SamplingParams;
use tokio::time::timeout;

use super::*;
use crate::fixture::{FakeServer, Reply};

/// A stream with one token and, if `is_whole`, the end of the sample. It is never closed.
fn tokens(is_whole: bool) -> Reply {
    let mut text = "event: tokens\ndata: {\"sequence\":0,\"tokens\":[1]}\n\n".to_owned();
    if is_whole {
        text += "event: done\ndata: {\"type\":\"sample\",\"sequences\":[{\"stop_reason\":\"stop\",\"tokens\":[1]}]}\n\n";
    }
    let first = Ok::<_, std::io::Error>(Frame::data(Bytes::from(text)));
    let frames = stream::once(async { first }).chain(stream::pending());
    Reply::raw(200, "text/event-stream", Body::new(StreamBody::new(frames)))
}

fn start(client: &SamplingClient) -> SampleStream {
    let params = SamplingParams::default().with_max_tokens(1);
    client.stream(ModelInput::from_tokens([1, 2]), params)
}

/// Its first event comes, or nothing does for a long time.
async fn begins(events: &mut SampleStream) -> bool {
    let first = timeout(Duration::from_secs(1000), events.try_next()).await;
    first.is_ok_and(|event| event.unwrap().is_some())
}

async fn with_two_places() -> (FakeServer, SamplingClient) {
    let server = FakeServer::new();
    let flags = json!({"sample_max_concurrent_requests": 2});
    server.always("client/config", 200, flags);
    let client = server.sampling().await;
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn a_stream_counts_like_any_sample_until_it_is_dropped() {
    let (server, client) = with_two_places().await;
    server.on("stream_sample", |_| Some(tokens(false)));
    let (mut first, mut second, mut third) = (start(&client), start(&client), start(&client));
    assert!(begins(&mut first).await && begins(&mut second).await);
    assert!(!begins(&mut third).await, "two are under way");
    assert_eq!(server.seen_at("stream_sample").len(), 2);
    let params = SamplingParams::default().with_max_tokens(1);
    let mut sample = client.sample(ModelInput::from_tokens([1]), params);
    let waits = timeout(Duration::from_secs(1000), &mut sample).await;
    assert!(waits.is_err() && server.seen_at("asample").is_empty());

    drop(first);
    assert!(begins(&mut third).await, "it waited before the sample");
    drop(second);
    sample.await.unwrap();
    // One that waits for its place leaves nothing behind either.
    let (mut fourth, mut fifth) = (start(&client), start(&client));
    assert!(begins(&mut fourth).await && !begins(&mut fifth).await);
    drop((fifth, fourth));
    assert!(begins(&mut start(&client)).await);
}

#[tokio::test(start_paused = true)]
async fn its_place_is_free_after_the_last_event() {
    let (server, client) = with_two_places().await;
    server.on("stream_sample", |_| Some(tokens(true)));
    let mut ended = Vec::new();
    for _ in 0..5 {
        let mut events = start(&client);
        assert!(begins(&mut events).await);
        let last = events.try_next().await.unwrap();
        assert!(matches!(last, Some(SampleEvent::Done(_))));
        // Kept, as a caller may.
        ended.push(events);
    }
    for events in &mut ended {
        assert!(events.try_next().await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streams_is_asked_within_the_same_places() {
    let (server, client) = with_two_places().await;
    server.always("stream_sample", 404, json!({"detail": "Not Found"}));
    let streams: Vec<_> = (0..6).map(|_| start(&client).collect::<Vec<_>>()).collect();
    for events in futures_util::future::join_all(streams).await {
        assert_eq!(events.len(), 2);
    }
    assert_eq!(server.seen_at("asample").len(), 6);
}
