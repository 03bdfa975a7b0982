use serde_json::json;

use super::*;
use crate::fixture::{FakeServer, Reply};

const PATH: &str = "tinker://s:train:0/weights/a";
const ARCHIVE: &str = "training_runs/s:train:0/checkpoints/weights/a/archive";

fn info() -> Reply {
    Reply::json(json!({"base_model": "b", "is_lora": true, "lora_rank": 4}))
}

async fn ask(server: &FakeServer) -> Result<CheckpointArchiveUrl, Error> {
    let checkpoints = server.service().checkpoints();
    checkpoints.archive_url(&PATH.parse().unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed_but_told() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (location, expires, url) in [
        (
            "https://files.test/a.tar?s=1",
            Some(date),
            "https://files.test/a.tar?s=1",
        ),
        ("/files/a.tar", Some("soon"), "http://fake/files/a.tar"),
        ("a.tar", None, "http://fake/a.tar"),
    ] {
        let server = FakeServer::new();
        server.on(ARCHIVE, move |_| {
            let reply = Reply::raw(302, "text/plain", "").with_header("location", location);
            Some(match expires {
                Some(expires) => reply.with_header("expires", expires),
                None => reply,
            })
        });
        let archive = ask(&server).await.unwrap();
        assert_eq!(archive.url, url);
        let known = (expires == Some(date)).then(|| "1994-11-06T08:49:37Z".parse().unwrap());
        assert_eq!(archive.expires, known);
        assert_eq!(server.seen_at(ARCHIVE).len(), 1);
        let headers = &server.seen_at(ARCHIVE)[0].headers;
        assert_eq!(headers["x-sdk-method"], METHOD);
        assert!(server.seen_at("create_session").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_may_say_it_too_and_an_archive_in_the_making_is_waited_for() {
    let server = FakeServer::new();
    let mut left = 3;
    server.on(ARCHIVE, move |_| {
        left -= 1;
        Some(match left {
            0 => Reply::json(json!({"url": "https://f.test/a", "expires": "2030-01-01T00:00:00Z"})),
            _ => Reply::status(503, json!({"detail": "not yet"})),
        })
    });
    let archive = ask(&server).await.unwrap();
    assert_eq!(archive.url, "https://f.test/a");
    assert!(archive.expires.is_some());
    assert_eq!(server.seen_at(ARCHIVE).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_nowhere_is_an_error() {
    let server = FakeServer::new();
    server.on(ARCHIVE, |_| Some(Reply::raw(302, "text/plain", "")));
    let error = ask(&server).await.unwrap_err();
    assert!(error.to_string().contains("no valid location"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_says_whether_the_archive_or_the_checkpoint_is_missing() {
    let not_found =
        |_: &crate::fixture::Seen| Some(Reply::status(404, json!({"detail": "Not Found"})));
    let server = FakeServer::new();
    server.on(ARCHIVE, not_found);
    server.on("weights_info", |_| Some(info()));
    let error = ask(&server).await.unwrap_err().to_string();
    assert!(error.contains("save_weights_external"), "{error}");

    let server = FakeServer::new();
    server.on(ARCHIVE, not_found);
    server.on("weights_info", not_found);
    let error = ask(&server).await.unwrap_err().to_string();
    assert!(error.contains("Not Found"), "{error}");

    let server = FakeServer::new();
    server.on(ARCHIVE, |_| {
        Some(Reply::status(405, json!({"detail": "no"})))
    });
    let error = ask(&server).await.unwrap_err().to_string();
    assert!(error.contains("save_weights_external"), "{error}");
    assert!(server.seen_at("weights_info").is_empty());
}
