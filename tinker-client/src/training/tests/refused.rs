//! A refusal of any request leaves the client usable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::testing::{FakeServer, Reply, data};
use crate::{
    AdamParams, Error, FinishReason, LoraConfig, Loss, ModelInput, SamplingParams, ServiceClient,
    TrainingClient,
};

/// A kind of refusal, and the number of its answers; `None`: until the call has failed.
const KINDS: &[(&str, Option<usize>)] = &[
    ("400", None),
    ("401", None),
    ("403", None),
    ("404", None),
    ("409", None),
    ("415", None),
    ("422", None),
    ("429", Some(2)),
    ("500", None),
    ("503", Some(1)),
    ("malformed", None),
    ("lost", Some(1)),
];

fn refuse(kind: &str) -> Reply {
    match kind {
        "malformed" => Reply::raw(200, "application/json", "<html>"),
        "lost" => Reply::lost(),
        status => Reply::status(status.parse().unwrap(), json!({"detail": "refused"})),
    }
}

struct Clients {
    service: ServiceClient,
    training: TrainingClient,
}

type Call = fn(&Clients) -> BoxFuture<'static, Result<(), Error>>;

fn unit<T: Send + 'static>(
    pending: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> BoxFuture<'static, Result<(), Error>> {
    pending.map(|result| result.map(drop)).boxed()
}

const CALLS: &[(&str, Call)] = &[
    ("get_server_capabilities", |clients| {
        let service = clients.service.clone();
        unit(async move { service.get_server_capabilities().await })
    }),
    ("create_model", |clients| {
        unit(
            clients
                .service
                .create_lora_training_client("base", LoraConfig::new(4)),
        )
    }),
    ("get_info", |clients| {
        unit(
            clients
                .service
                .create_lora_training_client("base", LoraConfig::new(4)),
        )
    }),
    ("load_weights", |clients| {
        unit(
            clients
                .service
                .create_training_client_from_state("tinker://r/weights/a"),
        )
    }),
    ("forward_backward", |clients| {
        unit(
            clients
                .training
                .forward_backward(data(2), Loss::cross_entropy()),
        )
    }),
    ("forward_backward", |clients| {
        unit(clients.training.forward(data(1), Loss::cross_entropy()))
    }),
    ("optim_step", |clients| {
        unit(clients.training.optim_step(AdamParams::new(1e-3)))
    }),
    ("save_weights", |clients| {
        unit(clients.training.save_state("a"))
    }),
    ("save_weights_for_sampler", |clients| {
        unit(clients.training.save_weights_for_sampler("a"))
    }),
    ("save_weights_for_sampler", |clients| {
        unit(clients.training.save_weights_and_get_sampling_client())
    }),
    ("save_weights_external", |clients| {
        unit(clients.training.save_weights_external("a"))
    }),
    ("create_sampling_session", |clients| {
        unit(clients.service.create_sampling_client("base"))
    }),
    ("asample", |clients| {
        let service = clients.service.clone();
        unit(async move {
            let sampler = service.create_sampling_client("base").await?;
            sampler
                .sample(ModelInput::from_tokens([1]), SamplingParams::default())
                .await
        })
    }),
    ("retrieve_future", |clients| {
        unit(clients.training.optim_step(AdamParams::new(1e-3)))
    }),
    ("retrieve_future", |clients| {
        unit(
            clients
                .training
                .forward_backward(data(1), Loss::cross_entropy()),
        )
    }),
];

/// The index of the forward pass in [`CALLS`].
const FORWARD: usize = 5;

#[tokio::test(start_paused = true)]
async fn every_call_works_after_every_kind_of_refusal() {
    for (kind, count) in KINDS {
        for (index, (path, call)) in CALLS.iter().enumerate() {
            let place = format!("{kind} at {path} (call {index})");
            let server = FakeServer::new();
            let (is_refusing, left) = (
                Arc::new(AtomicBool::new(false)),
                AtomicUsize::new(count.unwrap_or(usize::MAX)),
            );
            let refusing = Arc::clone(&is_refusing);
            server.on(path, move |_| {
                let less = |left: usize| left.checked_sub(1);
                let is_due = refusing.load(Ordering::Relaxed)
                    && left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                        .is_ok();
                is_due.then(|| refuse(kind))
            });
            let service = server.service();
            let training = service.create_lora_training_client("base", LoraConfig::new(4));
            let clients = Clients {
                training: training.await.unwrap(),
                service,
            };
            is_refusing.store(true, Ordering::Relaxed);
            let endless = matches!(*kind, "429" | "503" | "lost");
            // A poll that is answered with a server error is repeated without end.
            let waits = *path == "retrieve_future" && *kind == "500";
            let refused = if waits {
                let result =
                    tokio::time::timeout(std::time::Duration::from_mins(10), call(&clients));
                assert!(result.await.is_err(), "{place}");
                Ok(())
            } else {
                call(&clients).await
            };
            // Another form may be tried: a forward pass has a route for each.
            let is_replaced = matches!(*kind, "415" | "500") && index == FORWARD;
            if !endless && !waits && !is_replaced {
                let error = refused.expect_err(&place);
                assert!(!error.to_string().is_empty(), "{place}");
            }
            is_refusing.store(false, Ordering::Relaxed);
            for (_, good) in CALLS {
                if let Err(error) = good(&clients).await {
                    panic!("{place}: then {error}");
                }
            }
            let closed = clients.service.close(FinishReason::Success).await;
            assert!(closed.is_ok(), "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_beginning_is_tried_again_by_the_next_call() {
    for path in ["client/config", "client/dynamic_config", "create_session"] {
        for (kind, _) in KINDS {
            let server = FakeServer::new();
            let is_refusing = Arc::new(AtomicBool::new(true));
            let refusing = Arc::clone(&is_refusing);
            server.on(path, move |_| {
                refusing.load(Ordering::Relaxed).then(|| refuse(kind))
            });
            let service = server.service();
            let sampler = service.create_sampling_client("base");
            let limit = std::time::Duration::from_hours(1);
            let _ = tokio::time::timeout(limit, sampler).await;
            is_refusing.store(false, Ordering::Relaxed);
            let sampler = service.create_sampling_client("base").await;
            assert!(
                sampler.is_ok(),
                "{kind} at {path}: {}",
                sampler.unwrap_err()
            );
        }
    }
}
