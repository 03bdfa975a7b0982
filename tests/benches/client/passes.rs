//! Training passes.

use std::sync::Arc;
use std::time::Instant;

use tinker_client::{AdamParams, Datum, LoraConfig, Loss, ServiceClient, TrainingClient};

use crate::Outcome;
use crate::usage::{Before, Cost, Meter};

/// Rows and tokens of the batch that is sent beside samples.
pub(crate) const UPLOAD: (usize, usize) = (256, 4096);

/// Ids of the vocabulary.
const VOCABULARY: f64 = 50_000.0;

/// A training client and a batch.
#[derive(Debug)]
pub(crate) struct Training {
    client: TrainingClient,
    data: Arc<[Datum]>,
}

impl Training {
    pub(crate) async fn new(
        service: &ServiceClient,
        (rows, tokens): (usize, usize),
    ) -> Outcome<Self> {
        let client = service.create_lora_training_client("m", LoraConfig::new(8));
        Ok(Self {
            client: client.await?,
            data: data(rows, tokens),
        })
    }

    /// One pass.
    pub(crate) async fn pass(&self) -> Outcome<()> {
        let data = Arc::clone(&self.data);
        let pass = self.client.forward_backward(data, Loss::cross_entropy());
        pass.await?;
        Ok(())
    }

    /// A pass, and then an optimizer step.
    pub(crate) async fn step(&self) -> Outcome<()> {
        self.pass().await?;
        self.client.optim_step(AdamParams::new(1e-4)).await?;
        Ok(())
    }
}

/// Rows of a batch.
fn data(rows: usize, tokens: usize) -> Arc<[Datum]> {
    let mut random = fastrand::Rng::with_seed(7);
    let of_row = |_| {
        let ids = ids(tokens + 1, &mut random);
        Datum::supervised(&ids[..1], &ids[1..])
    };
    (0..rows).map(of_row).collect()
}

/// Ids of tokens, the first ones most frequent, as in text: by the law of Zipf.
pub(crate) fn ids(count: usize, random: &mut fastrand::Rng) -> Vec<u32> {
    let id = |_| VOCABULARY.powf(random.f64()) as u32;
    (0..count).map(id).collect()
}

/// Does something once, and then measures so many repetitions, one after another.
pub(crate) async fn repeat(
    count: usize,
    mut one: impl AsyncFnMut() -> Outcome<()>,
) -> Outcome<Cost> {
    let before = Before::now()?;
    one().await?;
    let meter = Meter::start(before)?;
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        one().await?;
        latencies.push(start.elapsed());
    }
    meter.stop(count, latencies)
}
