//! Faults of a batch, found before it is sent.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;
use tinker_types::{Datum, InvalidValue, Loss};

use crate::error::Error;
use crate::wire::blocking;

/// Batches up to this estimated size are checked by the caller's thread, in about 50 microseconds.
const LARGE: usize = 512 * 1024;

/// Finds faults of the loss, and of the data of a small batch. Those of large ones are found by [`check`].
pub(super) fn check_small(loss: &Loss, data: &[Datum]) -> Result<(), InvalidValue> {
    if is_large(data) {
        loss.check_constants()
    } else {
        loss.check(data)
    }
}

/// Finds the first fault in the data of a large batch, on all cores and not on those of the runtime.
pub(super) async fn check(loss: &Loss, data: &Arc<[Datum]>) -> Result<(), Error> {
    if !is_large(data) {
        return Ok(());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = data.len().div_ceil(threads);
    let ranges = (0..data.len()).step_by(share);
    let checks = ranges.map(|from| {
        let (loss, data) = (loss.clone(), Arc::clone(data));
        let range = from..data.len().min(from + share);
        blocking::run(move || Ok(check_range(&loss, &data, range)?))
    });
    join_all(checks).await.into_iter().collect()
}

fn check_range(loss: &Loss, data: &[Datum], mut range: Range<usize>) -> Result<(), InvalidValue> {
    range.try_for_each(|index| {
        let checked = loss.check_datum(&data[index]);
        checked.map_err(|error| error.within(format!("data[{index}]")))
    })
}

fn is_large(data: &[Datum]) -> bool {
    let mut sizes = data.iter().map(Datum::estimated_bytes);
    let small = sizes.try_fold(0, |all, bytes| {
        Some(all + bytes).filter(|all| *all <= LARGE)
    });
    small.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: usize) -> Vec<Datum> {
        let ids: Vec<u32> = (0..4096).collect();
        vec![Datum::supervised(&ids[..1], &ids[1..]); rows]
    }

    #[tokio::test]
    async fn the_first_fault_of_a_large_batch_is_named_by_its_index() {
        let loss = Loss::cross_entropy();
        let mut data = batch(40);
        assert!(check(&loss, &data.clone().into()).await.is_ok());
        for bad in [39, 21, 3] {
            data[bad] = Datum::default();
            assert!(check_small(&loss, &data).is_ok(), "it is large");
            let error = check(&loss, &data.clone().into()).await.unwrap_err();
            let place = format!("data[{bad}].model_input: is empty");
            assert!(error.to_string().contains(&place), "{error}");
        }
        assert!(check_small(&loss, &[]).is_err());
        assert!(check_small(&loss, &[Datum::default()]).is_err());
    }
}
