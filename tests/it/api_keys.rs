//! API keys that a server accepts: real clients with two keys, over HTTP.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tinker_client::transport::Body;
use tinker_client::transport::layer::{Next, from_fn};
use tinker_client::{Config, Error, ListOptions, ServiceClient};
use tinker_local::{LocalEngine, LocalEngineBuilder};
use tinker_types::CheckpointPath;

use crate::support::{MODEL, Outcome, Served, greedy, lora, prompt};

const KEYS: [&str; 2] = ["tml-key-of-alice", "tml-key-of-bob"];

async fn serve(folder: &Path) -> Result<Served, Box<dyn std::error::Error>> {
    let builder = LocalEngine::builder().data_dir(folder);
    let builder = KEYS.into_iter().fold(builder, LocalEngineBuilder::api_key);
    Ok(Served::start(builder.build()?).await?)
}

fn clients(served: &Served) -> Result<[ServiceClient; 2], Error> {
    let client = |key| ServiceClient::new(Config::new(served.url.as_str()).with_api_key(key));
    let [alice, bob] = KEYS.map(client);
    Ok([alice?, bob?])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_after_one_request() -> Outcome {
    let folder = tempfile::tempdir()?;
    let served = serve(folder.path()).await?;
    let sent = Arc::new(AtomicUsize::new(0));
    for config in [
        Config::new(served.url.as_str()).with_api_key("tml-wrong"),
        Config::new(served.url.as_str()),
    ] {
        sent.store(0, Ordering::SeqCst);
        let counted = Arc::clone(&sent);
        let service = ServiceClient::builder()
            .config(config)
            .attempt_layer(from_fn(move |request: Request<Body>, next: Next| {
                counted.fetch_add(1, Ordering::SeqCst);
                next.run(request)
            }))
            .build()?;
        let error = service.create_sampling_client(MODEL).await.unwrap_err();
        let Error::Status(refusal) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(refusal.status().as_u16(), 401);
        assert!(error.is_user_error() && !error.is_retryable(), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("TINKER_API_KEY"), "{text}");
        assert!(text.contains("API key"), "{text}");
        assert!(!text.contains("tml-wrong"), "{text}");
        assert_eq!(sent.load(Ordering::SeqCst), 1, "no retry, no other request");
    }
    served.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_share_an_engine_and_see_their_own_before_and_after_a_restart() -> Outcome {
    let folder = tempfile::tempdir()?;
    let served = serve(folder.path()).await?;
    let mut paths: Vec<CheckpointPath> = Vec::new();
    for client in clients(&served)? {
        let training = client.create_lora_training_client(MODEL, lora()).await?;
        paths.push(training.save_state("mine").await?.path);
        let sampler = training.save_weights_and_get_sampling_client().await?;
        sampler.sample(prompt("a"), greedy()).await?;
    }
    assert_own(&clients(&served)?, &paths).await?;
    served.stop().await?;

    let served = serve(folder.path()).await?;
    let clients = clients(&served)?;
    assert_own(&clients, &paths).await?;
    let [alice, bob] = &clients;
    let refused = bob.create_training_client_from_state(&paths[0]).await;
    let refused = refused.unwrap_err();
    assert!(
        !refused.is_retryable() && refused.is_user_error(),
        "{refused}"
    );
    assert!(refused.to_string().contains("no checkpoint"), "{refused}");
    alice.checkpoints().publish(&paths[0]).await?;
    bob.create_training_client_from_state(&paths[0]).await?;
    assert!(bob.checkpoints().delete(&paths[0]).await.is_err());
    served.stop().await
}

/// Each client finds its own run and checkpoint, and not the other's.
async fn assert_own(clients: &[ServiceClient; 2], paths: &[CheckpointPath]) -> Outcome {
    for (at, client) in clients.iter().enumerate() {
        let (own, other) = (&paths[at], &paths[1 - at]);
        let listed = client
            .checkpoints()
            .list(ListOptions::default())
            .all()
            .await?;
        let listed: Vec<_> = listed.into_iter().map(|found| found.tinker_path).collect();
        assert_eq!(listed, std::slice::from_ref(own));
        let runs = client.runs().list(ListOptions::default()).all().await?;
        assert!(runs.iter().all(|run| run.training_run_id != *other.run()));
        assert_eq!(
            client.runs().get(own.run()).await?.training_run_id,
            *own.run()
        );
        client.checkpoints().get(own).await?;
        for error in [
            client.checkpoints().get(other).await.unwrap_err(),
            client.runs().get(other.run()).await.unwrap_err(),
        ] {
            let Error::Status(refusal) = &error else {
                panic!("{error:?}")
            };
            assert_eq!(refusal.status().as_u16(), 404);
        }
    }
    Ok(())
}
