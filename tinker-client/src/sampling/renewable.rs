//! A sampler that is made again after the loss of its session.

use std::sync::{Arc, Mutex, PoisonError};

use super::opening;
use super::response::Sampled;
use super::sampler::{Sampler, Wanted};
use crate::error::{Error, SessionLost};
use crate::operation::{tracker::Tracker, waiting::WaitingFor};
use crate::sampling::source::SamplingSource;

/// Number of lost sessions after which a sample fails.
const RENEWALS: u32 = 3;

/// A sampler, which is made again from its source after the loss of its session.
#[derive(Debug)]
pub(super) struct Renewable {
    current: Mutex<Arc<Sampler>>,
    /// `None` if the weights exist only in the session.
    source: Option<SamplingSource>,
    pub(super) base_model: Option<String>,
    /// Held while the sampler is made again, so that this is done once for all samples.
    renewing: tokio::sync::Mutex<()>,
}

impl Renewable {
    pub(super) fn new(
        sampler: Sampler,
        source: Option<SamplingSource>,
        base_model: Option<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            current: Mutex::new(Arc::new(sampler)),
            source,
            base_model,
            renewing: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Sampler> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// The sampler of an open session.
    pub(super) async fn usable(&self, method: &'static str) -> Result<Arc<Sampler>, Error> {
        let sampler = self.current();
        if self.source.is_none() || sampler.session.end().is_none() {
            return Ok(sampler);
        }
        let tracker = Tracker::new(method, &sampler.group, WaitingFor::Session);
        self.renewed(&sampler, &tracker).await
    }

    /// Samples until there is a result.
    pub(super) async fn sample<R: Sampled>(
        &self,
        (mut sampler, mut position): (Arc<Sampler>, u64),
        wanted: &Wanted<'_>,
        tracker: &Tracker,
    ) -> Result<R, Error> {
        let mut renewals = 0;
        loop {
            let sample = Box::pin(sampler.sample(position, wanted, tracker));
            let lost = match sample.await {
                Err(Error::SessionLost(lost)) if renewals < RENEWALS => lost,
                result => return result,
            };
            renewals += 1;
            sampler = self.replaced(&sampler, lost, tracker).await?;
            position = sampler.next_position();
        }
    }

    /// Another sampler in place of one whose session is lost, if it can be made again.
    pub(super) async fn replaced(
        &self,
        old: &Arc<Sampler>,
        lost: SessionLost,
        tracker: &Tracker,
    ) -> Result<Arc<Sampler>, Error> {
        if self.source.is_none() || (lost.was_sent() && !old.repeats_samples()) {
            return Err(lost.into());
        }
        tracing::debug!(%lost, "making the sampler again");
        tracker.set(WaitingFor::Session);
        self.renewed(old, tracker).await
    }

    async fn renewed(&self, old: &Arc<Sampler>, tracker: &Tracker) -> Result<Arc<Sampler>, Error> {
        let _renewing = self.renewing.lock().await;
        let current = self.current();
        let Some(source) = self.source.clone().filter(|_| Arc::ptr_eq(&current, old)) else {
            return Ok(current);
        };
        let session = old.state.session();
        let number = session.next_sampler();
        let made = Box::pin(opening::make(
            &old.state,
            (session, number),
            &source,
            tracker,
        ));
        let (session, id) = made.await?;
        let sampler = Arc::new(Sampler::renewed(old, session, id));
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::clone(&sampler);
        Ok(sampler)
    }
}
