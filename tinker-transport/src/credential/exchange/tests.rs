use std::sync::atomic::{AtomicI64, AtomicU16, AtomicUsize};
use std::time::SystemTime;

use super::super::jwt::unsigned;
use super::*;
use crate::clock;
use crate::fixture::{answer, leaf};

/// A token server with an adjustable token lifetime, and the number of its requests.
#[derive(Default)]
struct Issuer {
    asked: AtomicUsize,
    life: AtomicI64,
    status: AtomicU16,
}

fn issuer(life: i64) -> (Exchange, Arc<Issuer>) {
    let issuer = Arc::new(Issuer {
        life: life.into(),
        status: 200.into(),
        ..Issuer::default()
    });
    let state = Arc::clone(&issuer);
    let transport = leaf(move |request| {
        assert_eq!(request.uri().path(), "/api/v1/auth/token");
        let asked = state.asked.fetch_add(1, Ordering::SeqCst) as i64;
        let status = state.status.load(Ordering::SeqCst);
        let now = clock::wall()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs() as i64;
        // The issue time encodes the number of the token.
        let jwt = unsigned(now - asked, now + state.life.load(Ordering::SeqCst));
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let mut response = answer(status);
            *response.body_mut() = Body::from(format!(r#"{{"jwt":"{jwt}"}}"#));
            Ok(response)
        }
    });
    (Exchange::new(transport), issuer)
}

fn asked(issuer: &Issuer) -> usize {
    issuer.asked.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn one_exchange_serves_everyone_until_a_minute_before_the_end() {
    let (exchange, issuer) = issuer(600);
    let (a, b) = tokio::join!(exchange.token(), exchange.token());
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(asked(&issuer), 1);

    issuer.life.store(10_000, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(545)).await;
    exchange.token().await.unwrap();
    assert_eq!(asked(&issuer), 2, "55 s left: exchanged before use");
}

#[tokio::test(start_paused = true)]
async fn half_way_the_token_is_renewed_behind_the_callers_back() {
    let (exchange, issuer) = issuer(1000);
    let first = exchange.token().await.unwrap();
    tokio::time::advance(Duration::from_secs(440)).await;
    exchange.token().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&issuer), 1, "44 % is too early");

    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(
        exchange.token().await.unwrap(),
        first,
        "this caller does not wait"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&issuer), 2);
    assert_ne!(exchange.token().await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn a_failing_server_costs_nothing_while_the_old_token_lives() {
    let (exchange, issuer) = issuer(600);
    let first = exchange.token().await.unwrap();
    issuer.status.store(500, Ordering::SeqCst);

    tokio::time::advance(Duration::from_secs(545)).await;
    assert_eq!(exchange.token().await.unwrap(), first);
    tokio::time::advance(Duration::from_mins(1)).await;
    let error = exchange.token().await.unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    let (exchange, issuer) = issuer(600);
    exchange.token().await.unwrap();
    issuer.status.store(401, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(545)).await;
    assert!(
        exchange
            .token()
            .await
            .unwrap_err()
            .to_string()
            .contains("401")
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_early_renewal_waits_a_minute() {
    let (exchange, issuer) = issuer(10_000);
    exchange.token().await.unwrap();
    issuer.status.store(503, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(5600)).await;
    for _ in 0..10 {
        exchange.token().await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(asked(&issuer), 3, "one at once, one after a minute");
}

#[tokio::test(start_paused = true)]
async fn concurrent_rejections_share_one_exchange() {
    let (exchange, issuer) = issuer(600);
    let old = exchange.token().await.unwrap();
    let (a, b) = tokio::join!(exchange.renew(&old), exchange.renew(&old));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(asked(&issuer), 2);
}
