//! The order of operations under any interleaving of failures and drops.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::{FutureExt, TryFutureExt};
use proptest::prelude::*;
use serde_json::json;
use tinker_types::{AdamParams, Loss};
use tokio::time::sleep;

use crate::fixture::{FakeServer, Reply, Seen, data};
use crate::{Pending, TrainingClient};

/// Data in one request; a pass over more takes several.
const CHUNK: u64 = 2;

/// The fate of one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Taken,
    /// The answer to a request that was taken is lost.
    AnswerLost,
    Busy,
    Throttled,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Pass(usize),
    Forward(usize),
    Step,
    Save,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (1_usize..7).prop_map(Operation::Pass),
        (1_usize..4).prop_map(Operation::Forward),
        Just(Operation::Step),
        Just(Operation::Save),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Taken),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Busy),
        1 => Just(Fate::Throttled),
    ]
}

/// Sequence ids that a call takes.
fn requests_of(operation: Operation) -> u64 {
    match operation {
        Operation::Pass(data) | Operation::Forward(data) => (data as u64).div_ceil(CHUNK),
        Operation::Step | Operation::Save => 1,
    }
}

fn seq_id_of(seen: &Seen) -> u64 {
    if seen.path == "forward_backward" {
        let pass = tinker_types::proto::decode_request(seen.body.clone());
        return pass.map_or(0, |pass| pass.seq_id);
    }
    seen.json()["seq_id"].as_u64().unwrap_or_default()
}

/// A server of small requests, which meet their fates in the order in which they arrive. Results
/// are there after the waits, in any order.
fn server(mut fates: Vec<(u64, Fate)>, waits: Vec<u64>) -> FakeServer {
    // Fifteen misfortunes in a row end a call after five minutes, as they should; here all come through.
    for (_, fate) in fates.iter_mut().skip(5).step_by(6) {
        *fate = Fate::Taken;
    }
    let server = FakeServer::new();
    server.always("client/config", 200, json!({"fwdbwd_max_chunk_len": CHUNK}));
    let fates = std::sync::Arc::new(Mutex::new(fates.into_iter()));
    for path in ["forward_backward", "optim_step", "save_weights"] {
        let fates = std::sync::Arc::clone(&fates);
        server.on(path, move |_| {
            let (wait, fate) = fates.lock().unwrap().next()?;
            let reply = match fate {
                Fate::Taken => return None,
                Fate::AnswerLost => Reply::lost(),
                Fate::Busy => Reply::status(503, json!({})),
                Fate::Throttled => Reply::status(429, json!({})),
            };
            Some(reply.after(Duration::from_millis(wait)))
        });
    }
    let mut polls: HashMap<String, u64> = HashMap::new();
    let mut waits = waits.into_iter().cycle();
    server.on("retrieve_future", move |seen| {
        let id = seen.json()["request_id"].as_str()?.to_owned();
        // Models are ready at once; other results after the number of polls in their wait.
        if id.starts_with("model") {
            return None;
        }
        let left = polls.entry(id).or_insert_with(|| waits.next().unwrap_or(0));
        *left = left.checked_sub(1)?;
        Some(Reply::try_again().after(Duration::from_millis(*left * 700)))
    });
    server
}

/// A call in flight and its expected result: the sequence ids in its outputs.
fn start(client: &TrainingClient, operation: Operation) -> Pending<Vec<f32>> {
    let pass = |data: usize, pending: Pending<crate::ForwardBackwardOutput>| {
        Pending::detached(
            crate::tracker::Tracker::new("test", &crate::fixture::group(), crate::WaitingFor::Turn),
            async move {
                let output = pending.await?;
                let of = |n| output.logprobs(n).map_or(f32::NAN, |logprobs| -logprobs[0]);
                Ok((0..data).map(of).collect())
            },
        )
    };
    let nothing = |pending: futures_util::future::BoxFuture<'static, Result<(), crate::Error>>| {
        Pending::detached(
            crate::tracker::Tracker::new("test", &crate::fixture::group(), crate::WaitingFor::Turn),
            async move { pending.await.map(|()| Vec::new()) },
        )
    };
    match operation {
        Operation::Pass(n) => pass(n, client.forward_backward(data(n), Loss::cross_entropy())),
        Operation::Forward(n) => pass(n, client.forward(data(n), Loss::cross_entropy())),
        Operation::Step => {
            let step = client.optim_step(AdamParams::new(1e-3));
            nothing(step.map_ok(|_| ()).boxed())
        }
        Operation::Save => nothing(client.save_state("x").map_ok(|_| ()).boxed()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn calls_keep_their_order_whatever_happens_to_their_requests(
        operations in proptest::collection::vec(operation(), 1..10),
        fates in proptest::collection::vec((0_u64..3000, fate()), 0..40),
        waits in proptest::collection::vec(0_u64..4, 1..8),
        pauses in proptest::collection::vec(0_u64..500, 10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let calls = operations.clone();
        let (results, seen) = runtime.block_on(async move {
            let server = server(fates, waits);
            let client = server.training().await;
            let mut pending = Vec::new();
            for (operation, pause) in calls.into_iter().zip(pauses) {
                pending.push(start(&client, operation));
                sleep(Duration::from_millis(pause)).await;
            }
            let results = futures_util::future::join_all(pending).await;
            (results, server.seen())
        });

        // Ids are given in the order of the calls, and each result is that of its own call.
        let mut call_of = HashMap::new();
        let mut next = 1;
        for (call, (&operation, result)) in operations.iter().zip(results).enumerate() {
            let outputs = result.unwrap();
            for (n, output) in outputs.iter().enumerate() {
                let expected = next + n as u64 / CHUNK;
                prop_assert_eq!(*output as u64, expected, "{:?} of {:?}", operation, outputs);
            }
            for id in next..next + requests_of(operation) {
                call_of.insert(id, call);
            }
            next += requests_of(operation);
        }

        // No request of a call is seen after one of a later call, and no id is left out or new.
        let ids: Vec<u64> = seen
            .iter()
            .filter(|seen| {
                matches!(&*seen.path, "forward_backward" | "optim_step" | "save_weights")
            })
            .map(seq_id_of)
            .collect();
        let calls: Vec<usize> = ids.iter().map(|id| call_of[id]).collect();
        prop_assert!(calls.is_sorted(), "{:?}", ids);
        let mut all = ids.clone();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all, (1..next).collect::<Vec<u64>>());
    }
}
