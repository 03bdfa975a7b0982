use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;

use super::*;
use crate::body::Body;
use crate::fixture::{answer, events, leaf, request};
use crate::stack::transport::Transport;

/// A server that sustains `capacity` concurrent requests and responds to others with 503; each takes a second.
/// Also the largest concurrency since the last query.
fn server(capacity: usize) -> (Transport, Arc<AtomicUsize>) {
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let leaf = leaf(move |_| {
        let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&most));
        async move {
            let count = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(count, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            Ok(answer(if count > capacity { 503 } else { 200 }))
        }
    });
    (leaf, seen)
}

fn sample() -> Request<Body> {
    request(Call::new("sample", Class::Sample))
}

#[tokio::test(start_paused = true)]
async fn the_limit_finds_what_the_server_bears() {
    let (observers, told) = events();
    let layer = AdaptiveLayer::new()
        .with_initial(2)
        .with_range(1..=100)
        .with_observers(observers);
    let (leaf, seen) = server(10);
    let transport = leaf.layer(layer.clone());
    let calls: Vec<_> = (0..2000)
        .map(|_| tokio::spawn(transport.call(sample())))
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    tokio::time::sleep(Duration::from_mins(1)).await;
    seen.store(0, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let most = seen.load(Ordering::SeqCst);
    assert!((8..=13).contains(&most), "{most}");
    assert!(told.lock().unwrap()[0].contains("before: 2, after: 3"));
    drop(calls);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_shrinks_is_kept_by_those_who_come_after() {
    let layer = AdaptiveLayer::new().with_initial(20).with_range(1..=20);
    let (leaf, seen) = server(0);
    let transport = leaf.layer(layer.clone());
    let calls: Vec<_> = (0..400)
        .map(|_| tokio::spawn(transport.call(sample())))
        .collect();
    tokio::time::sleep(Duration::from_millis(15_500)).await;
    let limit = layer.limit(Class::Sample).unwrap();
    assert!(limit < 10, "{limit}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    seen.store(0, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(seen.load(Ordering::SeqCst) <= limit);
    drop(calls);
}

#[tokio::test(start_paused = true)]
async fn other_classes_are_not_held_and_dropped_tries_make_room() {
    let layer = AdaptiveLayer::new().with_initial(1).with_range(1..=1);
    let (leaf, seen) = server(100);
    let transport = leaf.layer(layer.clone());
    let polls: Vec<_> = (0..5)
        .map(|_| tokio::spawn(transport.call(request(Call::new("retrieve", Class::Retrieve)))))
        .collect();
    for poll in polls {
        poll.await.unwrap().unwrap();
    }
    assert_eq!(seen.load(Ordering::SeqCst), 5);
    assert_eq!(layer.limit(Class::Retrieve), None);

    let first = tokio::spawn(transport.call(sample()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let call = Call::new("sample", Class::Sample)
        .with_deadline(Instant::now() + Duration::from_millis(300));
    let error = transport.call(request(call)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage()),
        (Kind::Timeout, Stage::NotSent)
    );
    first.abort();
    assert_eq!(transport.call(sample()).await.unwrap().status(), 200);
}
