//! Token streams.

use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinker_local::LocalEngine;
use tinker_types::wire::stream::StreamEvent;
use tinker_types::{ModelInput, SampleRequest, SamplingParams};
use tower_service::Service;

use crate::hooked::held;
use crate::support::{BASE, Client, builder, sample_body};

async fn engine() -> (LocalEngine, Client, String) {
    with_sampler(builder().build().unwrap()).await
}

async fn with_sampler(engine: LocalEngine) -> (LocalEngine, Client, String) {
    let client = Client::of(&engine);
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    (engine, client, sampler)
}

fn request(sampler: &str, number: u64, max_tokens: u32) -> SampleRequest {
    let prompt = ModelInput::from_tokens([97, 98]);
    let mut request = SampleRequest::new(sampler.into(), number, prompt);
    let stop = tinker_types::Stop::Tokens(vec![]);
    request.sampling_params = SamplingParams::default()
        .with_max_tokens(max_tokens)
        .with_stop(stop);
    request.sampling_params.seed = Some(5);
    request.num_samples = 2;
    request
}

#[tokio::test]
async fn tokens_are_told_as_they_are_drawn() {
    let (engine, client, sampler) = engine().await;
    let mut stream = engine.stream(&request(&sampler, 0, 8)).unwrap();
    let (mut told, mut events, mut whole) = ([vec![], vec![]], 0, None);
    let mut ends = [None, None];
    while let Some(event) = stream.next().await {
        match event {
            StreamEvent::Tokens(new) => {
                assert_eq!(new.tokens.len(), new.logprobs.len());
                let end = &mut ends[new.sequence];
                assert!(end.is_none(), "nothing comes after the end");
                *end = new.stop_reason;
                assert!(whole.is_none(), "the whole comes last");
                told[new.sequence].extend(new.tokens);
                events += 1;
            }
            StreamEvent::Done(response) => whole = Some(response),
            other => panic!("{other:?}"),
        }
    }
    let whole = whole.unwrap();
    let reasons = whole.sequences.iter().map(|s| Some(s.stop_reason));
    assert!(reasons.eq(ends));
    assert_eq!(
        told.to_vec(),
        whole
            .sequences
            .iter()
            .map(|s| s.tokens.clone())
            .collect::<Vec<_>>()
    );
    assert!(events > 8, "{events} events for 16 tokens");
    // The same seed without a stream gives the same tokens, and the result can be fetched as well.
    assert_eq!(client.sampled(stream.request_id().as_str()).await, *whole);
    let plain = client
        .post("asample", json!(request(&sampler, 1, 8)))
        .await
        .promise();
    assert_eq!(client.sampled(&plain).await.sequences, whole.sequences);
    let again = engine.stream(&request(&sampler, 0, 8)).unwrap_err();
    assert!(again.message().contains("use a new number"), "{again}");
    assert!(engine.stream(&request("s-0:sample:0", 0, 8)).is_err());
}

#[tokio::test]
async fn a_stream_that_is_dropped_cancels_its_sample() {
    let (engine, allowed) = held();
    let (engine, client, sampler) = with_sampler(engine).await;
    let mut stream = engine.stream(&request(&sampler, 0, 60)).unwrap();
    allowed.set(3);
    assert!(matches!(stream.next().await, Some(StreamEvent::Tokens(_))));
    let id = stream.request_id().to_string();
    drop(stream);
    allowed.set(1);
    let outcome = client.fetch(&id).await.json();
    assert_eq!(outcome["error"], "cancelled by the client");
}

#[tokio::test]
async fn a_cancel_ends_a_stream() {
    let (engine, allowed) = held();
    let (engine, client, sampler) = with_sampler(engine).await;
    let mut stream = engine.stream(&request(&sampler, 0, 60)).unwrap();
    let body = json!({"request_id": stream.request_id()});
    client.post("cancel_future", body).await;
    allowed.set(1);
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(
        matches!(last, Some(StreamEvent::Failed(failed)) if failed.error.contains("cancelled"))
    );
}

/// Names and data of server-sent events.
fn events(text: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let (name, data) = block.split_once("\ndata: ").unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        (name, serde_json::from_str(data).unwrap())
    };
    text.split("\n\n")
        .filter(|block| !block.is_empty())
        .map(event)
        .collect()
}

#[tokio::test]
async fn events_come_over_http_piece_by_piece() {
    let (engine, client, sampler) = engine().await;
    let body = sample_body(&sampler, 0, 6).to_string();
    let request = Request::post("http://local/api/v1/stream_sample")
        .body(Full::<bytes::Bytes>::from(body))
        .unwrap();
    let Ok(answer) = engine.service().call(request).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let (mut pieces, mut text) = (0, String::new());
    while let Some(frame) = body.frame().await {
        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        pieces += 1;
    }
    assert!(pieces > 3);
    let events = events(&text);
    assert_eq!(events[0].0, "accepted");
    assert_eq!(
        events[0].1["sample_sequence_ids"].as_array().unwrap().len(),
        1
    );
    let (name, last) = events.last().unwrap();
    assert_eq!((name.as_str(), &last["type"]), ("done", &json!("sample")));
    let told: Vec<Value> = events[1..events.len() - 1]
        .iter()
        .flat_map(|(name, data)| {
            assert_eq!((name.as_str(), &data["sequence"]), ("tokens", &json!(0)));
            data["tokens"].as_array().unwrap().clone()
        })
        .collect();
    assert_eq!(json!(told), last["sequences"][0]["tokens"]);
    let refused = client
        .post("stream_sample", sample_body("s-0:sample:0", 0, 4))
        .await;
    assert_eq!(refused.status, 404);
}
