//! Archives of checkpoints.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tinker_local::LocalEngine;
use tinker_types::CheckpointArchiveUrl;
use tower_service::Service;

use crate::support::{Client, Reply, builder, client, save_body};

/// A model with a checkpoint `a b`, and the path of its archive endpoint.
async fn saved(client: &Client) -> (String, String) {
    let (_, model) = client.model().await;
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    let promise = client
        .post("save_weights", save_body(&model, 3, "a-b"))
        .await;
    client.done(&promise.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/weights/a-b/archive");
    (model, place)
}

/// The link of a redirect, which the body has as well.
fn link_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 302, "{:?}", reply.body);
    let location = reply.headers["location"].to_str().unwrap();
    let said: CheckpointArchiveUrl = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(said.url, location);
    let head = reply.headers["expires"].to_str().unwrap();
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let ends = parser.parse_timestamp(head).unwrap();
    assert_eq!(ends.as_second(), said.expires.unwrap().as_second());
    location.to_owned()
}

fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(bytes);
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn a_checkpoint_is_fetched_in_one_piece() {
    let client = client();
    let (model, place) = saved(&client).await;
    let link = link_of(&client.get(&place).await);
    assert!(link.contains("/weights/a-b.tar?expires="), "{link}");
    let whole = client.follow(&link).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.headers["content-type"], "application/x-tar");
    let files = unpack(&whole.body);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let want = [
        "adapter_config.json",
        "adapter_model.safetensors",
        "checkpoint_complete",
        "optimizer.safetensors",
    ];
    assert_eq!(names, want);
    let listed = client.get("checkpoints?limit=10").await.json();
    let size: usize = files.values().map(Vec::len).sum();
    assert_eq!(listed["checkpoints"][0]["size_bytes"], size);

    // A sampler's weights too, and the same weights are in both.
    let body = json!({"model_id": model, "path": "s", "seq_id": 4, "kind": "snapshot", "type": "save_weights_for_sampler"});
    let promise = client.post("save_weights_for_sampler", body).await;
    client.done(&promise.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/sampler_weights%2Fs/archive");
    let sampler = client.follow(&link_of(&client.get(&place).await)).await;
    let weights = "adapter_model.safetensors";
    assert!(unpack(&sampler.body)[weights] == files[weights]);
    // The download is in the audit log.
    let audit = client.get("audit?scope=checkpoints").await;
    let reads = String::from_utf8_lossy(&audit.body)
        .matches("checkpoint_read")
        .count();
    assert!(reads >= 2, "{:?}", audit.body);
}

#[tokio::test]
async fn a_transfer_that_broke_off_goes_on() {
    let client = client();
    let (_, place) = saved(&client).await;
    let link = link_of(&client.get(&place).await);
    let whole = client.follow(&link).await;
    let tag = whole.headers["etag"].to_str().unwrap().to_owned();
    let ask = |range: &str, tag: &str| {
        let request = Request::get(&link)
            .header("range", range)
            .header("if-range", tag)
            .body(Full::new(Bytes::new()))
            .unwrap();
        let client = client.clone();
        async move { client.call(request).await.unwrap() }
    };
    let length = whole.body.len();
    for start in [0, 1, 511, 512, 600, length - 1] {
        let part = ask(&format!("bytes={start}-"), &tag).await;
        assert_eq!(part.status, 206);
        assert_eq!(
            part.headers["content-range"],
            format!("bytes {start}-{}/{length}", length - 1)
        );
        assert!(part.body == whole.body[start..]);
    }
    assert_eq!(ask("bytes=5-", "\"other\"").await.body.len(), length);
    let request = Request::get(&link).header("range", format!("bytes={length}-"));
    let engine = request.body(Full::new(Bytes::new())).unwrap();
    // A response without a body, which the test client does not accept.
    let mut service = client.service();
    let Ok(answer) = service.call(engine).await;
    assert_eq!(answer.status(), 416);
    assert_eq!(
        answer.headers()["content-range"],
        format!("bytes */{length}")
    );
}

#[tokio::test]
async fn the_body_says_its_length_and_reads_only_what_is_taken() {
    let engine = builder().build().unwrap();
    let client = Client::of(&engine);
    let (_, place) = saved(&client).await;
    let link = link_of(&client.get(&place).await);
    let request = || Request::get(&link).body(Full::new(Bytes::new())).unwrap();
    let Ok(answer) = engine.service().call(request()).await;
    let mut body = answer.into_body();
    let mut left = body.size_hint().exact().unwrap();
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        assert!(bytes.len() <= 128 << 10);
        left -= bytes.len() as u64;
        assert_eq!(body.size_hint().exact(), Some(left));
    }
    assert!(left == 0 && body.is_end_stream());

    // Deleted during a download: the download completes, later ones are refused.
    let Ok(answer) = engine.service().call(request()).await;
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let checkpoint = place.trim_end_matches("/archive");
    assert_eq!(client.delete(checkpoint).await.status, 200);
    let rest = body.collect().await.unwrap().to_bytes();
    assert!(unpack(&[&first[..], &rest].concat()).contains_key("checkpoint_complete"));
    assert_eq!(client.follow(&link).await.status, 404);
    assert_eq!(client.get(&place).await.status, 404);

    // The engine stops during a download: an error, not an early end.
    let (_, place) = saved(&client).await;
    let link = link_of(&client.get(&place).await);
    let request = Request::get(&link).body(Full::new(Bytes::new())).unwrap();
    let Ok(answer) = engine.service().call(request).await;
    let mut body = answer.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    drop((client, engine));
    let end = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    assert!(end.is_err(), "{end:?}");
}

#[tokio::test]
async fn a_link_cannot_be_guessed_changed_or_kept() {
    let client = client();
    let (model, place) = saved(&client).await;
    let link = link_of(&client.get(&place).await);
    let (path, query) = link.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let later = format!("expires={}", 1_i64 << 40);
    for changed in [
        path.to_owned(),
        format!("{path}?{expires}"),
        format!("{path}?{expires}&signature=AAAA"),
        format!("{path}?{later}&{signature}"),
        format!("{}?{query}", path.replace("a-b.tar", "a-c.tar")),
        format!(
            "{}?{query}",
            path.replace("a-b.tar", "a-b.tar/adapter_config.json")
        ),
        format!(
            "{}?{query}",
            path.replace("a-b.tar", "a-b/adapter_config.json")
        ),
        format!("{}?{query}", path.replace("/weights/", "/sampler_weights/")),
        format!("{}?{query}", path.replace("/weights/", "%0Aweights%0A")),
        format!(
            "{}?{query}",
            path.replace("/weights/a-b.tar", "/weights%2F..%2Fa-b.tar")
        ),
    ] {
        let reply = client.follow(&changed).await;
        assert!(
            matches!(reply.status, 403 | 404),
            "{changed}: {}",
            reply.status
        );
    }
    // Another engine has another key.
    let other = crate::support::client();
    assert_eq!(other.follow(&link).await.status, 403);
    // It ends with the checkpoint, if that is sooner, and it does end.
    let ttl = format!("training_runs/{model}/checkpoints/weights/a-b/ttl");
    assert_eq!(
        client.put(&ttl, json!({"ttl_seconds": 2})).await.status,
        200
    );
    let soon = link_of(&client.get(&place).await);
    assert_eq!(
        client.put(&ttl, json!({"ttl_seconds": null})).await.status,
        200
    );
    assert_eq!(client.follow(&soon).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let ended = client.follow(&soon).await;
    assert!(ended.status == 403 && ended.detail().contains("no longer works"));
    assert_eq!(
        client.follow(&link).await.status,
        200,
        "the checkpoint is there"
    );
}

#[tokio::test]
async fn hostile_and_unknown_ids_are_refused() {
    let client = client();
    let (model, _) = saved(&client).await;
    let of = |checkpoint: &str| format!("training_runs/{model}/checkpoints/{checkpoint}/archive");
    for (place, status) in [
        (of("weights/none"), 404),
        (of("sampler_weights/a-b"), 404),
        (of("weights/.."), 400),
        (of("weights%2F.."), 400),
        (of("weights/..%2F..%2Fa-b"), 404),
        (of("weights/a-b%00"), 404),
        (of("weights/a%0Ab"), 404),
        (of("nothing/a-b"), 400),
        (of("weights/a-b/more"), 404),
        // A checkpoint named `archive`, which can be deleted.
        (of("weights"), 405),
        (
            "training_runs/../checkpoints/weights/a-b/archive".to_owned(),
            400,
        ),
        (
            "training_runs/%2e%2e/checkpoints/weights/a-b/archive".to_owned(),
            400,
        ),
        (
            "training_runs//checkpoints/weights/a-b/archive".to_owned(),
            400,
        ),
        (
            "training_runs/s%20x/checkpoints/weights/a-b/archive".to_owned(),
            404,
        ),
    ] {
        let reply = client.get(&place).await;
        assert_eq!(reply.status, status, "{place}: {:?}", reply.body);
    }
    let reply = client.send(Method::POST, &of("weights/a-b"), &[], "").await;
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn the_link_is_for_who_may_ask_and_works_for_who_has_it() {
    let engine: LocalEngine = builder().build().unwrap();
    let client = Client::of(&engine);
    let (_, place) = saved(&client).await;
    engine.behave(|behavior| behavior.token_lifetime = Some(std::time::Duration::from_mins(1)));
    assert_eq!(client.get(&place).await.status, 401);
    let token = client.post("auth/token", json!({})).await.json()["jwt"]
        .as_str()
        .unwrap()
        .to_owned();
    let reply = client
        .send(Method::GET, &place, &[("x-api-key", &token)], "")
        .await;
    let link = link_of(&reply);
    assert_eq!(client.follow(&link).await.status, 200, "it needs no key");
    // Clients of the time of JSON ask for it.
    engine.behave(|behavior| {
        behavior.token_lifetime = None;
        behavior.json_only = true;
    });
    assert_eq!(client.get(&place).await.status, 302);
}
