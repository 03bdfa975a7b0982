//! Commits to a local server that takes them as the Hub does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tinker_client::hub::{Hub, HubConfig, HubErrorKind, Push};

use crate::server::git_hash;
use crate::taker::{COMMIT, Habits, TOKEN, Taker, sha256};

const CARD: &str = "# An adapter\n";

fn weights() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn hub(taker: &Taker, token: Option<&str>) -> Hub {
    let mut config = HubConfig::new("cache").with_endpoint(taker.url());
    if let Some(token) = token {
        config = config.with_token(token);
    }
    Hub::new(config).unwrap()
}

/// A card in memory and weights on the disk.
fn adapter(folder: &Path) -> Push {
    let path = folder.join("adapter_model.safetensors");
    std::fs::write(&path, weights()).unwrap();
    Push::new("Upload adapter")
        .with_bytes("README.md", CARD)
        .with_file("adapter_model.safetensors", path)
}

#[tokio::test]
async fn files_are_committed_once_and_secrets_stay_with_the_hub() {
    let taker = Taker::start(Habits::default());
    let folder = tempfile::tempdir().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&sent);
    let push = adapter(folder.path()).with_progress(move |progress| {
        assert_eq!(
            (progress.file, progress.total),
            ("adapter_model.safetensors", 1_200_000)
        );
        seen.fetch_max(progress.sent, Ordering::Relaxed);
    });
    let hub = hub(&taker, Some(TOKEN));
    // Without an owner it belongs to the account of the token.
    let pushed = hub.push(&"name".parse().unwrap(), &push).await.unwrap();
    assert_eq!(pushed.url, format!("{}/me/name", taker.url()));
    assert_eq!(
        (pushed.commit.as_deref(), pushed.is_new),
        (Some(COMMIT), true)
    );
    assert!(pushed.files.iter().all(|file| file.is_new));
    assert_eq!(sent.load(Ordering::Relaxed), 1_200_000);

    let committed = taker.committed();
    let card = committed["README.md"]["value"]["content"].as_str().unwrap();
    assert_eq!(BASE64_STANDARD.decode(card).unwrap(), CARD.as_bytes());
    let large = &committed["adapter_model.safetensors"];
    assert_eq!(
        (&large["key"], &large["value"]["oid"]),
        (&"lfsFile".into(), &sha256(&weights()).into())
    );
    {
        let state = taker.state();
        let header: Value = serde_json::from_str(state.commits[0].lines().next().unwrap()).unwrap();
        assert_eq!(header["value"]["summary"], "Upload adapter");
        assert!(!state.repositories["me/name"]);
        assert!(state.stored[&sha256(&weights())] == weights());
        assert_eq!(state.verified, [sha256(&weights())]);
        assert!(state.heads[0].iter().all(|head| head.contains(TOKEN)));
        assert_eq!(state.heads[1].len(), 1);
        let storage = state.heads[1][0].to_ascii_lowercase();
        assert!(storage.contains("x-kind: basic") && storage.contains("content-length: 1200000"));
        assert!(!storage.contains(TOKEN) && !storage.contains("authorization"));
    }

    // A second push transfers no large file.
    let again = hub.push(&"me/name".parse().unwrap(), &push).await.unwrap();
    assert!(!again.is_new && !again.files[1].is_new);
    assert_eq!(taker.state().heads[1].len(), 1);
}

#[tokio::test]
async fn a_transfer_that_fails_is_repeated() {
    // Whole, and in parts; cut off before anything is stored, and with a lost answer.
    for (part, cut, lost, transfers) in [
        (None, 1, 0, 2),
        (None, 0, 1, 1),
        (Some(500_000), 1, 0, 4),
        (Some(500_000), 0, 0, 3),
        (Some(1_200_000), 0, 0, 1),
    ] {
        let taker = Taker::start(Habits {
            part,
            cut,
            lost,
            ..Habits::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let push = adapter(folder.path());
        let pushed = hub(&taker, Some(TOKEN))
            .push(&"org/name".parse().unwrap(), &push)
            .await;
        assert!(pushed.unwrap().files[1].is_new);
        let state = taker.state();
        assert!(state.stored[&sha256(&weights())] == weights());
        assert_eq!(state.heads[1].len(), transfers, "{part:?} {cut} {lost}");
        assert_eq!(state.commits.len(), 1);
    }
}

#[tokio::test]
async fn what_the_repository_has_is_not_committed_again() {
    let taker = Taker::start(Habits {
        has: Some(("README.md", git_hash(CARD.as_bytes()))),
        ..Habits::default()
    });
    let push = Push::new("Upload").with_bytes("README.md", CARD);
    let hub = hub(&taker, Some(TOKEN));
    let pushed = hub.push(&"org/name".parse().unwrap(), &push).await.unwrap();
    assert_eq!(pushed.commit, None);
    assert!(!pushed.files[0].is_new);
    let changed = push
        .with_bytes("README.md", "other")
        .with_private(true)
        .with_revision("a/b");
    let pushed = hub
        .push(&"org/name".parse().unwrap(), &changed)
        .await
        .unwrap();
    assert_eq!(pushed.commit.as_deref(), Some(COMMIT));
    let state = taker.state();
    assert_eq!(state.branches, ["a%2Fb"]);
    // It existed, so it stays as it is.
    assert!(!state.repositories["org/name"]);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let read_only = Habits {
        is_read_only: true,
        ..Habits::default()
    };
    for (habits, token, kind, part, requests) in [
        (
            Habits::default(),
            None,
            HubErrorKind::Token,
            "`hf auth login`, or set HF_TOKEN",
            0,
        ),
        (
            Habits::default(),
            Some("hf_wrong"),
            HubErrorKind::Token,
            "refused the token (401)",
            1,
        ),
        (
            read_only,
            Some(TOKEN),
            HubErrorKind::Token,
            "/settings/tokens",
            2,
        ),
    ] {
        let taker = Taker::start(habits);
        let push = Push::new("Upload").with_bytes("README.md", CARD);
        let error = hub(&taker, token)
            .push(&"org/name".parse().unwrap(), &push)
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.contains(part) && !text.contains("hf_"), "{text}");
        // Refusals are not repeated.
        assert_eq!(taker.state().heads[0].len(), requests, "{text}");
        assert!(taker.state().commits.is_empty());
    }
}

#[tokio::test]
async fn nothing_is_sent_for_an_unreadable_file() {
    let taker = Taker::start(Habits::default());
    let hub = hub(&taker, Some(TOKEN));
    let repository = "org/name".parse().unwrap();
    let missing = Push::new("Upload").with_file("a.safetensors", "/nowhere/a.safetensors");
    let error = hub.push(&repository, &missing).await.unwrap_err();
    assert_eq!(error.kind(), HubErrorKind::Disk, "{error}");
    let outside = Push::new("Upload").with_bytes("../a", "b");
    let error = hub.push(&repository, &outside).await.unwrap_err();
    assert_eq!(error.kind(), HubErrorKind::Invalid, "{error}");
    let offline = Hub::new(hub.config().clone().with_offline(true)).unwrap();
    let push = Push::new("Upload").with_bytes("README.md", CARD);
    let error = offline.push(&repository, &push).await.unwrap_err();
    assert_eq!(error.kind(), HubErrorKind::Offline, "{error}");
    assert!(taker.state().heads[0].is_empty());
}
