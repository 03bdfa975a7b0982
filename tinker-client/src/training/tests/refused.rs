//! A refusal of any request leaves the client usable.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::timeout;

use super::seq_id;
use crate::fixture::{FakeServer, Reply, Seen, data};
use crate::{
    AdamParams, Datum, Error, FinishReason, LoraConfig, Loss, ModelInput, SamplingParams,
    ServiceClient, TrainingClient,
};

/// A kind of refusal, and the number of its answers; `None`: until the call has failed.
const KINDS: &[(&str, Option<usize>)] = &[
    ("400", None),
    ("401", None),
    ("403", None),
    ("404", None),
    ("409", None),
    ("413", None),
    ("415", None),
    ("422", None),
    ("429", Some(2)),
    ("500", None),
    ("503", Some(1)),
    ("malformed", None),
    ("lost", Some(1)),
    ("unreachable", None),
];

/// Kinds after which a server has not counted the sequence id: it has not read the request.
const UNCOUNTED: [&str; 6] = ["413", "429", "500", "503", "lost", "unreachable"];

/// Longest wait for a result in a test.
const LONG: Duration = Duration::from_mins(10);

/// Operations of a model.
const NUMBERED: [&str; 6] = [
    "forward_backward",
    "forward",
    "optim_step",
    "save_weights",
    "save_weights_for_sampler",
    "save_weights_external",
];

/// Sequence ids of the first model that the server has counted.
type Counted = Arc<Mutex<BTreeSet<u64>>>;

/// A server that does an operation only when it has counted all ids before it.
fn ordered() -> (FakeServer, Counted) {
    let (server, counted) = (FakeServer::new(), Counted::default());
    for path in NUMBERED {
        let counted = Arc::clone(&counted);
        server.on(path, move |seen| {
            counted.lock().unwrap().extend(seq_id_of(seen));
            None
        });
    }
    let known = Arc::clone(&counted);
    server.on("retrieve_future", move |seen| {
        let id = seen.json()["request_id"].as_str()?.to_owned();
        let number = id.strip_prefix("pass-").or(id.strip_prefix("step-"))?;
        let number: u64 = number.parse().ok()?;
        let known = known.lock().unwrap();
        (1..number)
            .any(|earlier| !known.contains(&earlier))
            .then(Reply::try_again)
    });
    (server, counted)
}

/// The sequence id of an operation of the first model.
fn seq_id_of(seen: &Seen) -> Option<u64> {
    let body = String::from_utf8_lossy(&seen.body);
    (NUMBERED.contains(&&*seen.path) && body.contains("s:train:0")).then(|| seq_id(seen))
}

fn refuse(kind: &str) -> Reply {
    match kind {
        "malformed" => Reply::raw(200, "application/json", "<html>"),
        "lost" => Reply::lost(),
        "unreachable" => Reply::unreachable(),
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
        unit(async move { service.server_capabilities().await })
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
    ("unload_model", |clients| {
        let service = clients.service.clone();
        unit(async move { service.unload_model("other").await })
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
            let (server, counted) = ordered();
            let (is_refusing, left) = (
                Arc::new(AtomicBool::new(false)),
                AtomicUsize::new(count.unwrap_or(usize::MAX)),
            );
            let refusing = Arc::clone(&is_refusing);
            server.on(path, move |seen| {
                let less = |left: usize| left.checked_sub(1);
                let is_due = refusing.load(Ordering::Relaxed)
                    && left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                        .is_ok();
                if is_due && !UNCOUNTED.contains(kind) {
                    counted.lock().unwrap().extend(seq_id_of(seen));
                }
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
                assert!(timeout(LONG, call(&clients)).await.is_err(), "{place}");
                Ok(())
            } else {
                call(&clients).await
            };
            // Another form may be tried: a forward pass has a route for each.
            let is_replaced = matches!(*kind, "415" | "500") && index == FORWARD
                // The body of this answer is not read.
                || *kind == "malformed" && *path == "unload_model";
            if !endless && !waits && !is_replaced {
                let error = refused.expect_err(&place);
                assert!(!error.to_string().is_empty(), "{place}");
            }
            is_refusing.store(false, Ordering::Relaxed);
            for (_, good) in CALLS {
                let result = timeout(LONG, good(&clients)).await;
                result.expect(&place).expect(&place);
            }
            let closed = clients.service.close(FinishReason::Success).await;
            assert!(closed.is_ok(), "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_batch_that_did_not_arrive_blocks_nothing() {
    for parallel in [false, true] {
        let (server, _) = ordered();
        let client = super::split(&server, parallel).await;
        server.on("forward_backward", |seen| {
            let is_small = seen.body.windows(12).any(|bytes| bytes == b"no_operation");
            (seq_id(seen) == 2 && !is_small).then(|| Reply::status(413, json!({})))
        });
        let pass = client.forward_backward(data(3), Loss::cross_entropy());
        let step = client.optim_step(AdamParams::new(1e-3));
        let error = timeout(LONG, pass).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Partly(_)), "{error}");
        timeout(LONG, step).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_cannot_be_encoded_block_nothing() {
    let (server, _) = ordered();
    let client = server.training().await;
    let large = vec![Datum::supervised(&[1, u32::MAX], &[2])];
    let pass = client.forward_backward(large, Loss::cross_entropy());
    let step = client.optim_step(AdamParams::new(1e-3));
    assert!(matches!(pass.await, Err(Error::Invalid(_))));
    timeout(LONG, step).await.unwrap().unwrap();
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
            let _ = timeout(Duration::from_hours(1), sampler).await;
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
