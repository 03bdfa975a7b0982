//! Supervised learning from encoded examples.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tinker_client::{Datum, Loss};
use tinker_data::{EncodedExample, Sequences};

use crate::error::TrainError;
use crate::order::Order;
use crate::recipe::{Batch, Position, Recipe};

/// Supervised learning: cross entropy over encoded examples, which are read from their file when their turn comes.
#[derive(Debug)]
pub struct Supervised {
    examples: Sequences,
    order: Order,
}

impl Supervised {
    /// Trains on `batch_size` examples a step, in an order that the seed fixes.
    pub fn new(examples: Sequences, batch_size: usize, seed: u64) -> Self {
        let order = Order::new(examples.len(), batch_size, seed);
        Self { examples, order }
    }

    /// The examples.
    pub fn examples(&self) -> &Sequences {
        &self.examples
    }

    fn read(&self, number: usize) -> Result<Batch, TrainError> {
        let chosen = self.order.batch(number).into_iter();
        let chosen = chosen.map(|index| self.examples.get(index));
        let chosen: Vec<EncodedExample> = chosen
            .collect::<Result<_, _>>()
            .map_err(|error| TrainError::file("cannot read the encoded data".to_owned(), error))?;
        let tokens = chosen.iter().map(|example| example.tokens).sum();
        let learned = chosen.iter().map(|example| example.learned).sum();
        let data: Vec<Datum> = chosen.into_iter().map(|example| example.datum).collect();
        let mut batch = Batch::new(data, Loss::cross_entropy());
        (batch.tokens, batch.learned) = (tokens, learned);
        Ok(batch)
    }
}

impl Recipe for Supervised {
    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        // Reads a few kilobytes that are usually in the page cache; a hop to another thread would take longer.
        std::future::ready(self.read(position.batch)).boxed()
    }
}
