//! The first batch of the next step of a recipe that samples. It is made while the results of the step before arrive.

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, select};
use tinker_client::{Pending, SamplingClient};

use crate::error::TrainError;
use crate::flight::{REPORT_INTERVAL, watched};
use crate::recipe::{Batch, Position, Recipe};

/// A batch with the sampler of the weights before its step.
pub(super) type FirstBatch = (SamplingClient, Batch);

/// A batch that is being made. Dropping it cancels its samples.
pub(super) struct Ahead<'a> {
    recipe: &'a dyn Recipe,
    /// Numbers of the batch and of its step, from 0.
    batch: usize,
    step: usize,
    stage: Stage<'a>,
}

/// The part of the work that is done.
enum Stage<'a> {
    /// The weights before the step are being saved.
    Saving(Pending<SamplingClient>),
    /// The batch is being made from their sampler.
    Making(SamplingClient, BoxFuture<'a, Result<Batch, TrainError>>),
    Made(SamplingClient, Batch),
    Failed(TrainError),
}

impl<'a> Ahead<'a> {
    /// Makes the batch from a sampler that is being created.
    pub(super) fn after(
        recipe: &'a dyn Recipe,
        (batch, step): (usize, usize),
        sampler: Pending<SamplingClient>,
    ) -> Self {
        Self {
            recipe,
            batch,
            step,
            stage: Stage::Saving(sampler),
        }
    }

    /// Makes the batch from a sampler.
    pub(super) fn with(
        recipe: &'a dyn Recipe,
        (batch, step): (usize, usize),
        sampler: SamplingClient,
    ) -> Self {
        let making = make(recipe, (batch, step), sampler.clone());
        Self {
            recipe,
            batch,
            step,
            stage: Stage::Making(sampler, making),
        }
    }

    /// Works until the batch is made or cannot be made. Nothing is lost when this is dropped and called again.
    async fn work(&mut self, report: &mut (dyn FnMut(String) + Send)) {
        if let Stage::Saving(sampler) = &mut self.stage {
            let sampler = watched(sampler, report).await;
            let failed = |error| TrainError::client("cannot create a sampler", error);
            self.stage = match sampler {
                Ok(sampler) => {
                    let making = make(self.recipe, (self.batch, self.step), sampler.clone());
                    Stage::Making(sampler, making)
                }
                Err(error) => Stage::Failed(failed(error)),
            };
        }
        let Stage::Making(sampler, making) = &mut self.stage else {
            return;
        };
        let made = loop {
            match tokio::time::timeout(REPORT_INTERVAL, &mut *making).await {
                Ok(made) => break made,
                Err(_) => report("samples and their rewards".to_owned()),
            }
        };
        self.stage = match made {
            Ok(batch) => Stage::Made(sampler.clone(), batch),
            Err(error) => Stage::Failed(error),
        };
    }

    /// The batch and the sampler. Calls `report` with what is waited for if it takes long.
    pub(super) async fn take(
        mut self,
        report: &mut (dyn FnMut(String) + Send),
    ) -> Result<FirstBatch, TrainError> {
        loop {
            self.work(report).await;
            match self.stage {
                Stage::Made(sampler, batch) => return Ok((sampler, batch)),
                Stage::Failed(error) => return Err(error),
                Stage::Saving(_) | Stage::Making(..) => {}
            }
        }
    }
}

/// Waits for a future, and makes the next batch meanwhile.
pub(super) async fn during<T>(ahead: &mut Option<Ahead<'_>>, other: impl Future<Output = T>) -> T {
    let Some(ahead) = ahead else {
        return other.await;
    };
    let (mut quiet, other) = (|_| (), pin!(other));
    match select(other, pin!(ahead.work(&mut quiet))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), other)) => other.await,
    }
}

fn make(
    recipe: &dyn Recipe,
    (batch, step): (usize, usize),
    sampler: SamplingClient,
) -> BoxFuture<'_, Result<Batch, TrainError>> {
    async move {
        let position = Position {
            batch,
            step,
            sampler: Some(&sampler),
        };
        recipe.batch(position).await
    }
    .boxed()
}
