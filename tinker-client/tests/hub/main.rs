//! The Hub's client against a local server that behaves like the Hub.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

mod push;
mod server;
mod taker;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use server::{Behavior, HubServer};
use tinker_client::DownloadOptions;
use tinker_client::hub::{Hub, HubConfig, HubError, HubErrorKind, HubFiles, Pulled, Repository};

const TOKEN: &str = "hf_secret";

fn hub(server: &HubServer, cache: &Path) -> Hub {
    let config = HubConfig::new(cache)
        .with_endpoint(server.url())
        .with_token(TOKEN);
    Hub::new(config).unwrap()
}

fn repository() -> Repository {
    "org/name".parse().unwrap()
}

async fn pull(hub: &Hub, files: HubFiles, options: &DownloadOptions) -> Result<Pulled, HubError> {
    hub.pull(&repository(), "main", files, options).await
}

fn weights() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn assert_has_weights(pulled: &Pulled) {
    let kept = std::fs::read(pulled.folder.join("model.safetensors")).unwrap();
    assert!(kept == weights(), "{} bytes differ", kept.len());
}

/// A model with a small file, one in a folder, and weights on another server.
async fn model(behavior: Behavior) -> HubServer {
    HubServer::start(
        vec![
            ("config.json", b"{}".to_vec(), false),
            ("tokenizer.json", b"{\"model\": {}}".to_vec(), false),
            (
                "additional_chat_templates/tool_use.jinja",
                b"{{ 1 }}".to_vec(),
                false,
            ),
            ("model.safetensors", weights(), true),
            ("pytorch_model.bin", b"no".to_vec(), true),
        ],
        behavior,
    )
    .await
}

#[tokio::test]
async fn a_model_arrives_whole_in_the_layout_of_the_cache() {
    let server = model(Behavior::default()).await;
    let place = tempfile::tempdir().unwrap();
    let hub = hub(&server, place.path());
    assert_eq!(hub.cached(&repository(), "main"), None);
    let received = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&received);
    let options = DownloadOptions::default().with_progress(move |progress| {
        if progress.file == "model.safetensors" {
            assert_eq!(progress.total, Some(1_200_000));
            seen.fetch_max(progress.received, Ordering::Relaxed);
        }
    });
    let pulled = pull(&hub, HubFiles::Model, &options).await.unwrap();
    assert_eq!(received.load(Ordering::Relaxed), 1_200_000);
    let names: Vec<&str> = pulled.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "additional_chat_templates/tool_use.jinja",
            "config.json",
            "model.safetensors",
            "tokenizer.json"
        ]
    );
    assert!(pulled.files.iter().all(|file| file.is_new));
    let folder = place.path().join("models--org--name");
    assert_eq!(pulled.folder, folder.join("snapshots").join(server::COMMIT));
    assert_eq!(
        hub.cached(&repository(), "main"),
        Some(pulled.folder.clone())
    );
    assert_eq!(
        hub.cached(&repository(), server::COMMIT),
        Some(pulled.folder.clone())
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("refs/main")).unwrap(),
        server::COMMIT
    );
    assert_has_weights(&pulled);
    let template = pulled
        .folder
        .join("additional_chat_templates/tool_use.jinja");
    assert_eq!(std::fs::read_to_string(&template).unwrap(), "{{ 1 }}");
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(&template).unwrap(),
        Path::new("../../../blobs").join(server::git_hash(b"{{ 1 }}"))
    );
    // A second call fetches nothing.
    let before = server.count("GET /org/name/resolve");
    let again = pull(&hub, HubFiles::Model, &options).await.unwrap();
    assert!(again.files.iter().all(|file| !file.is_new));
    assert_eq!(server.count("GET /org/name/resolve"), before);
}

#[tokio::test]
async fn the_token_is_sent_to_the_hub_only() {
    let server = model(Behavior::default()).await;
    let place = tempfile::tempdir().unwrap();
    let hub = hub(&server, place.path());
    let options = DownloadOptions::default();
    pull(&hub, HubFiles::Model, &options).await.unwrap();
    assert!(
        server
            .requests()
            .iter()
            .all(|head| head.contains("Bearer hf_secret"))
    );
    let elsewhere = server.requests_elsewhere();
    assert!(!elsewhere.is_empty());
    for head in elsewhere {
        assert!(
            !head.contains(TOKEN) && !head.to_ascii_lowercase().contains("authorization"),
            "{head}"
        );
    }
    assert!(!format!("{hub:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_cut_download_is_continued() {
    let server = model(Behavior {
        most_bytes: Some(500_000),
        ..Behavior::default()
    })
    .await;
    let place = tempfile::tempdir().unwrap();
    let hub = hub(&server, place.path());
    let options = DownloadOptions::default();
    let pulled = pull(&hub, HubFiles::Model, &options).await.unwrap();
    assert_has_weights(&pulled);
    let ranges: Vec<String> = server
        .requests_elsewhere()
        .iter()
        .filter_map(|head| {
            Some(
                head.split_once("range: bytes=")?
                    .1
                    .lines()
                    .next()?
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!(ranges, ["500000-", "1000000-"]);
}

#[tokio::test]
async fn a_later_call_continues_an_earlier_one() {
    let server = model(Behavior::default()).await;
    let place = tempfile::tempdir().unwrap();
    let blobs = place.path().join("models--org--name/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", server::sha256(&weights())));
    let hub = hub(&server, place.path());
    let options = DownloadOptions::default();
    std::fs::write(&part, &weights()[..700_001]).unwrap();
    let pulled = pull(&hub, HubFiles::Model, &options).await.unwrap();
    assert_has_weights(&pulled);
    let continued = server.requests_elsewhere();
    assert!(
        continued[0].contains("range: bytes=700001-"),
        "{continued:?}"
    );
    assert!(!part.exists());
}

#[tokio::test]
async fn damaged_content_is_discarded() {
    // A wrong part is found by the hash and fetched once more from the start.
    let server = model(Behavior::default()).await;
    let place = tempfile::tempdir().unwrap();
    let blobs = place.path().join("models--org--name/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let hash = server::sha256(&weights());
    let part = blobs.join(format!("{hash}.incomplete"));
    std::fs::write(&part, vec![7; 700_000]).unwrap();
    let options = DownloadOptions::default();
    let pulled = pull(&hub(&server, place.path()), HubFiles::Model, &options)
        .await
        .unwrap();
    assert_has_weights(&pulled);

    // A server that sends other content than it announces.
    for name in ["model.safetensors", "config.json"] {
        let server = model(Behavior {
            corrupts: Some(name),
            ..Behavior::default()
        })
        .await;
        let place = tempfile::tempdir().unwrap();
        let error = pull(&hub(&server, place.path()), HubFiles::Model, &options)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), HubErrorKind::Damaged);
        assert!(
            error.to_string().contains(name) && error.to_string().contains("was discarded"),
            "{error}"
        );
        let folder = place
            .path()
            .join("models--org--name/snapshots")
            .join(server::COMMIT);
        assert!(!folder.join(name).exists());
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let cases = [
        (
            401,
            "GatedRepo",
            true,
            HubErrorKind::Gated,
            "has no access yet; accept its licence at http",
        ),
        (403, "GatedRepo", true, HubErrorKind::Gated, "/org/name"),
        (
            401,
            "GatedRepo",
            false,
            HubErrorKind::Gated,
            "accept its licence at",
        ),
        (
            401,
            "RepoNotFound",
            false,
            HubErrorKind::NotFound,
            "does not exist on",
        ),
        (
            404,
            "RepoNotFound",
            true,
            HubErrorKind::NotFound,
            "the account of your token has no access",
        ),
        (
            404,
            "RevisionNotFound",
            true,
            HubErrorKind::NotFound,
            "has no revision \"main\"",
        ),
        (
            401,
            "",
            true,
            HubErrorKind::Token,
            "refused the token; log in again",
        ),
        (
            403,
            "",
            true,
            HubErrorKind::Token,
            "refused access to org/name (403)",
        ),
        (418, "", true, HubErrorKind::Answer, "answered 418"),
    ];
    for (status, code, has_token, kind, part) in cases {
        let server = model(Behavior {
            refusal: Some((status, code)),
            ..Behavior::default()
        })
        .await;
        let mut config = HubConfig::new(place.path()).with_endpoint(server.url());
        if has_token {
            config = config.with_token(TOKEN);
        }
        let hub = Hub::new(config).unwrap();
        let options = DownloadOptions::default();
        let error = pull(&hub, HubFiles::Model, &options).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(part) && !error.to_string().contains(TOKEN),
            "{error}"
        );
        assert_eq!(
            server.requests().len(),
            1,
            "{status} {code}: refusals are not repeated"
        );
    }
}

#[tokio::test]
async fn hostile_answers_stay_outside_of_the_cache() {
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("cache");
    for behavior in [
        Behavior {
            listed: Some("../../../outside.json"),
            ..Behavior::default()
        },
        Behavior {
            listed: Some("/outside.json"),
            ..Behavior::default()
        },
        Behavior {
            etag: Some("../../../outside"),
            ..Behavior::default()
        },
        Behavior {
            commit: Some("../../outside"),
            ..Behavior::default()
        },
    ] {
        let server = model(behavior).await;
        let options = DownloadOptions::default();
        let error = pull(&hub(&server, &cache), HubFiles::Tokenizer, &options)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), HubErrorKind::Answer, "{error}");
    }
    let found: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert!(
        found
            .iter()
            .all(|entry| entry.as_ref().unwrap().file_name() == "cache"),
        "{found:?}"
    );
}

#[tokio::test]
async fn offline_only_the_cache_is_used() {
    let server = model(Behavior::default()).await;
    let place = tempfile::tempdir().unwrap();
    let options = DownloadOptions::default();
    let online = hub(&server, place.path());
    let pulled = pull(&online, HubFiles::Tokenizer, &options).await.unwrap();
    assert!(!pulled.folder.join("model.safetensors").exists());
    let sent = server.requests().len();
    let offline = Hub::new(online.config().clone().with_offline(true)).unwrap();
    let again = pull(&offline, HubFiles::Tokenizer, &options).await.unwrap();
    assert_eq!(again.folder, pulled.folder);
    assert!(again.files.iter().all(|file| !file.is_new));
    let error = pull(&offline, HubFiles::Model, &options).await;
    assert_eq!(error.unwrap_err().kind(), HubErrorKind::Offline);
    assert_eq!(offline.cached(&repository(), "main"), Some(pulled.folder));
    assert_eq!(server.requests().len(), sent);
}
