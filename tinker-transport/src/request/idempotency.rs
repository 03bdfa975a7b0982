//! Values of `X-Idempotency-Key`.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use tinker_types::wire::header;
use uuid::Uuid;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(header::IDEMPOTENCY_KEY);

/// Length of a key in characters.
const LENGTH: usize = 36;
/// Keys written at a time.
const SHEET: u64 = 64;
/// Bits of a UUID below its variant.
const COUNTER: u64 = (1 << 62) - 1;

/// A globally unique UUID.
///
/// The first is random; each following one increments its last 62 bits, which is no more likely to collide with another
/// process than a random value. 64 keys are written into one allocation. Together that saves two allocations and
/// 0.4 microseconds a key.
pub(crate) fn fresh() -> Option<HeaderValue> {
    thread_local! {
        static REST: Cell<Bytes> = const { Cell::new(Bytes::new()) };
    }
    let mut rest = REST.take();
    if rest.is_empty() {
        rest = sheet();
    }
    let key = rest.split_to(LENGTH);
    REST.set(rest);
    HeaderValue::from_maybe_shared(key).ok()
}

fn sheet() -> Bytes {
    static FIRST: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (high, low) = FIRST.as_u64_pair();
    let next = NEXT.fetch_add(SHEET, Ordering::Relaxed);
    let mut text = vec![0; LENGTH * SHEET as usize];
    for (n, key) in (next..).zip(text.chunks_exact_mut(LENGTH)) {
        let count = low.wrapping_add(n) & COUNTER;
        let id = Uuid::from_u64_pair(high, (low & !COUNTER) | count);
        id.hyphenated().encode_lower(key);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_key_is_another_uuid_of_version_4() {
        let make = || (0..1000).map(|_| fresh().unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let keys: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 4000);
        for key in keys {
            let id: Uuid = key.to_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 4);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
    }
}
