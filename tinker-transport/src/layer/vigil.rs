//! Reminders while a call takes long.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

/// Time after which the first reminder is due, then the second, then each further one.
const AFTER: [Duration; 3] = [
    Duration::from_millis(2500),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// Schedule of the reminders of one call.
pub(super) struct Vigil {
    due: Instant,
    given: usize,
}

impl Vigil {
    /// The schedule of a call that began at this time.
    pub(super) fn since(began: Instant) -> Self {
        Self {
            due: began + AFTER[0],
            given: 0,
        }
    }

    /// The result of `part`, or `None` if a reminder is due before it.
    pub(super) async fn next<T>(
        &mut self,
        mut part: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        // A part that is ready at once needs no timer.
        let mut alarm = pin!(None);
        let due = self.due;
        let done = poll_fn(|context| {
            if let Poll::Ready(done) = part.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if alarm.is_none() {
                alarm.set(Some(tokio::time::sleep_until(due)));
            }
            match alarm.as_mut().as_pin_mut() {
                Some(alarm) => alarm.poll(context).map(|()| None),
                None => Poll::Pending,
            }
        });
        let done = done.await;
        if done.is_none() {
            self.given += 1;
            self.due += AFTER[self.given.min(AFTER.len() - 1)];
        }
        done
    }
}
