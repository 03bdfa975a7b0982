use http::Request;

use super::*;
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::fixture::{Seen, answer, events, leaf};
use crate::flow::class::Class;
use crate::stack::transport::Transport;

/// A read that may be sent twice.
fn read() -> Request<Body> {
    let call = Call::new("list", Class::Rest).with_replay(Replay::Safe);
    Request::get("/x")
        .extension(call)
        .body(Body::empty())
        .unwrap()
}

/// Counts requests in flight.
struct UnderWay(Arc<Mutex<i32>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

/// A leaf whose nth request takes the given milliseconds and ends with the given status (0: an error); requests beyond
/// the list take 100 ms and end with 200.
fn timed(script: &[(u64, u16)]) -> (Transport, Seen, Arc<Mutex<i32>>) {
    let (seen, under_way) = (Seen::new(), Arc::new(Mutex::new(0)));
    let (log, count, script) = (seen.clone(), Arc::clone(&under_way), script.to_vec());
    let leaf = leaf(move |request| {
        let (time, status) = *script.get(log.count()).unwrap_or(&(100, 200));
        log.note(request);
        *count.lock().unwrap() += 1;
        let guard = UnderWay(Arc::clone(&count));
        async move {
            tokio::time::sleep(Duration::from_millis(time)).await;
            drop(guard);
            match status {
                0 => Err(TransportError::new(
                    Kind::Interrupted,
                    Stage::MaybeReceived,
                    "broke",
                )),
                status => Ok(answer(status)),
            }
        }
    });
    (leaf, seen, under_way)
}

fn after(milliseconds: u64) -> HedgeLayer {
    HedgeLayer::after(Duration::from_millis(milliseconds))
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_wins_and_the_loser_is_dropped() {
    let (observers, told) = events();
    let (leaf, seen, under_way) = timed(&[(10_000, 201), (100, 202)]);
    let transport = leaf.layer(after(500).with_observers(observers));
    let began = Instant::now();
    assert_eq!(transport.call(read()).await.unwrap().status(), 202);
    assert_eq!(began.elapsed(), Duration::from_millis(600));
    assert_eq!(seen.seconds(), [0.0, 0.5]);
    assert_eq!(*under_way.lock().unwrap(), 0, "the slow one was let go");
    assert!(told.lock().unwrap()[0].contains("has_won: true"));

    let (leaf, _, under_way) = timed(&[(600, 201), (5_000, 202)]);
    assert_eq!(
        leaf.layer(after(500)).call(read()).await.unwrap().status(),
        201
    );
    assert_eq!(*under_way.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_the_other_and_two_failures_are_one() {
    for (script, expected) in [
        ([(600, 503), (400, 200)], Some(200)),
        ([(1000, 200), (100, 0)], Some(200)),
        ([(600, 503), (400, 502)], Some(502)),
        ([(600, 404), (400, 200)], Some(404)),
        ([(600, 200), (5, 0)], Some(200)),
        ([(600, 0), (5, 0)], None),
    ] {
        let (leaf, seen, _) = timed(&script);
        let result = leaf.layer(after(500)).call(read()).await;
        assert_eq!(
            result.ok().map(|response| response.status().as_u16()),
            expected
        );
        assert_eq!(seen.count(), 2, "{script:?}");
    }
    let (leaf, seen, _) = timed(&[(100, 503)]);
    leaf.layer(after(500)).call(read()).await.unwrap();
    assert_eq!(seen.count(), 1, "a quick failure is for the retry layer");
}

#[tokio::test(start_paused = true)]
async fn only_reads_that_may_be_repeated_are_hedged() {
    let unsafe_read = Call::new("list", Class::Rest);
    let write = Call::new("x", Class::Rest).with_replay(Replay::Safe);
    for request in [
        Request::get("/x")
            .extension(unsafe_read)
            .body(Body::empty()),
        Request::post("/x").extension(write).body(Body::empty()),
    ] {
        let (leaf, seen, _) = timed(&[(10_000, 200)]);
        leaf.layer(after(500)).call(request.unwrap()).await.unwrap();
        assert_eq!(seen.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_one_in_twenty() {
    let (leaf, seen, _) = timed(&[(1000, 200); 1000]);
    let transport = leaf.layer(after(500));
    for _ in 0..200 {
        transport.call(read()).await.unwrap();
    }
    let hedges = seen.count() - 200;
    assert!((9..=11).contains(&hedges), "{hedges}");
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_learned_from_the_latest_reads() {
    let mut script = vec![(100, 200); 17];
    script.extend([(300, 200); 3]);
    script.extend([(100, 200); 20]);
    script.extend([(10_000, 201), (50, 202)]);
    let (leaf, seen, _) = timed(&script);
    let transport = leaf.layer(HedgeLayer::after_share(0.95));
    for _ in 0..40 {
        transport.call(read()).await.unwrap();
    }
    assert_eq!(seen.count(), 40, "the first are watched, the others quick");
    let began = Instant::now();
    assert_eq!(transport.call(read()).await.unwrap().status(), 202);
    assert_eq!(began.elapsed(), Duration::from_millis(350));
}
