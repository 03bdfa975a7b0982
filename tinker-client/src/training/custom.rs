//! Custom losses in two passes: forward, the caller's function, backward with equivalent weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use tinker_transport::BoxError;
use tinker_types::{Datum, ForwardBackwardOutput, InvalidValue, Loss, TensorData};

use super::model::Training;
use super::passes::{self, Batch, Submitted};
use crate::custom_loss::value::CustomLoss;
use crate::error::{DecodeError, Error, LossFailed};
use crate::operation::sequencer::{Sequencer, Turn};
use crate::operation::{pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::session::connection::Connection;
use crate::training::part::Part;
use crate::wire::blocking;

pub(super) const OPERATION: &str = "forward_backward_custom";
pub(super) const METHOD: &str = "TrainingClient.forward_backward_custom";
const TARGETS: &str = "target_tokens";
const WEIGHTS: &str = "weights";

type Function = Box<dyn FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, BoxError> + Send>;

/// The two passes of a custom loss.
struct Custom {
    /// The caller's data, for the function.
    data: Arc<[Datum]>,
    /// The data to send: targets and weights only.
    bare: Arc<[Datum]>,
    parts: Vec<Part>,
    turn: Turn,
    /// Sequence id of the first request, once the turn has begun.
    first_id: u64,
}

/// Reserves a turn with sequence ids for both passes and starts the operation.
pub(super) fn start(
    inner: &Arc<Training>,
    data: Arc<[Datum]>,
    function: Function,
) -> Pending<ForwardBackwardOutput> {
    let prepared = bare(&data).and_then(|bare| {
        let bare: Arc<[Datum]> = bare.into();
        Loss::cross_entropy().check(&bare)?;
        Ok(bare)
    });
    let bare = match prepared {
        Ok(bare) => bare,
        Err(error) => return Pending::refused(error),
    };
    let connection = match passes::ready(inner, OPERATION) {
        Ok(connection) => connection,
        Err(error) => return Pending::refused(error),
    };
    let parts = passes::split(&bare, &connection);
    let custom = Custom {
        turn: inner.sequencer.reserve(),
        data,
        bare,
        parts,
        first_id: 0,
    };
    let inner = Arc::clone(inner);
    let tracker = Tracker::new(METHOD, &inner.group, WaitingFor::Turn);
    Pending::detached(tracker.clone(), async move {
        let work = custom.run(&inner, &connection, &tracker, function);
        match work.await {
            Ok(output) => Ok(output),
            Err(error) => Err(inner.settled(error).await),
        }
    })
}

impl Custom {
    async fn run(
        mut self,
        inner: &Training,
        connection: &Arc<Connection>,
        tracker: &Tracker,
        function: Function,
    ) -> Result<ForwardBackwardOutput, Error> {
        self.turn.begins().await;
        inner.check(OPERATION)?;
        inner.close_gaps(connection, tracker).await?;
        let ids = self.turn.take(2 * self.parts.len());
        self.first_id = ids.start;
        let forward = self.batch(Arc::clone(&self.bare), true);
        let submitted = match forward.submit(inner, connection, tracker).await {
            Ok(submitted) => submitted,
            Err(error) => {
                // Nothing was sent.
                self.turn.give_back(&ids);
                return Err(error);
            }
        };
        let mut gap = Gap::new(&inner.sequencer);
        let prepared = self.prepare(submitted, connection, tracker, function);
        let (batch, custom) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => {
                gap.cause = error.to_string();
                return Err(error);
            }
        };
        let submitted = batch.submit(inner, connection, tracker).await?;
        gap.is_closed = true;
        drop(gap);
        drop(self);
        let output = submitted.results(connection, tracker).await?;
        Ok(report(output, custom))
    }

    /// Waits for the forward pass, runs the function, and prepares the backward pass.
    async fn prepare(
        &self,
        submitted: Submitted,
        connection: &Arc<Connection>,
        tracker: &Tracker,
        function: Function,
    ) -> Result<(Batch, CustomLoss), Error> {
        let output = submitted.results(connection, tracker).await?;
        let (data, bare) = (Arc::clone(&self.data), Arc::clone(&self.bare));
        let (weighted, custom) = blocking::run(move || {
            let logprobs = logprobs(&bare, &output)?;
            let custom = function(&data, &logprobs).map_err(LossFailed::new)?;
            custom.check(&logprobs).map_err(LossFailed::new)?;
            Ok((surrogate(&bare, &custom.gradients)?, custom))
        })
        .await?;
        Ok((self.batch(weighted.into(), false), custom))
    }

    fn batch(&self, data: Arc<[Datum]>, forward_only: bool) -> Batch {
        let skipped = if forward_only { 0 } else { self.parts.len() };
        Batch {
            operation: OPERATION,
            data,
            loss: Loss::cross_entropy(),
            forward_only,
            parts: self.parts.clone(),
            first_id: self.first_id + skipped as u64,
        }
    }
}

/// Reserved sequence ids that were not sent yet. If it is dropped open, even by a panic, all later operations are
/// refused. Dropped before the turn ends, so that the next turn sees it.
struct Gap<'a> {
    sequencer: &'a Sequencer,
    cause: String,
    is_closed: bool,
}

impl<'a> Gap<'a> {
    fn new(sequencer: &'a Sequencer) -> Self {
        Self {
            sequencer,
            cause: "it was dropped".to_owned(),
            is_closed: false,
        }
    }
}

impl Drop for Gap<'_> {
    fn drop(&mut self) {
        if !self.is_closed {
            self.sequencer.poison(&self.cause);
        }
    }
}

/// The targets, and the weights of the caller or zeros; other inputs are not sent.
fn bare(data: &[Datum]) -> Result<Vec<Datum>, InvalidValue> {
    let strip = |(index, datum): (usize, &Datum)| {
        let refuse = |why| {
            let field = format!("data[{index}].loss_fn_inputs.{TARGETS}");
            InvalidValue::new(field, why)
        };
        let targets = datum
            .loss_fn_inputs
            .get(TARGETS)
            .ok_or_else(|| refuse("is missing; a custom loss needs it"))?;
        if targets.is_sparse() {
            return Err(refuse("is sparse; a custom loss takes dense targets"));
        }
        let weights = match datum.loss_fn_inputs.get(WEIGHTS) {
            Some(weights) => weights.clone(),
            None => shaped(vec![0.0; targets.cells()], targets)?,
        };
        let mut bare = datum.clone();
        bare.loss_fn_inputs = BTreeMap::from([
            (TARGETS.to_owned(), targets.clone()),
            (WEIGHTS.to_owned(), weights),
        ]);
        Ok(bare)
    };
    data.iter().enumerate().map(strip).collect()
}

/// A tensor of these values in the shape of the targets.
fn shaped(values: Vec<f32>, targets: &TensorData) -> Result<TensorData, InvalidValue> {
    let tensor = TensorData::from(values);
    match targets.shape() {
        Some(shape) => tensor.with_shape(shape),
        None => Ok(tensor),
    }
}

/// The log probabilities of the targets of each datum.
fn logprobs(data: &[Datum], output: &ForwardBackwardOutput) -> Result<Vec<Vec<f32>>, DecodeError> {
    let of = |(index, datum): (usize, &Datum)| {
        let cells = datum.loss_fn_inputs.get(TARGETS).map(TensorData::cells);
        let found = output
            .logprobs(index)
            .filter(|found| cells == Some(found.len()));
        found.map(<[f32]>::to_vec).ok_or_else(|| {
            let what = format!("the result lacks log probabilities for targets of data[{index}]");
            DecodeError::new(OPERATION, what)
        })
    };
    data.iter().enumerate().map(of).collect()
}

/// Data whose cross entropy, `-sum w lp`, has the given gradients: the weights are the negative gradients.
fn surrogate(data: &[Datum], gradients: &[Vec<f32>]) -> Result<Vec<Datum>, InvalidValue> {
    let weighted = |(datum, gradient): (&Datum, &Vec<f32>)| {
        let weights = gradient.iter().map(|value| -value).collect();
        let targets = datum.loss_fn_inputs.get(TARGETS);
        let weights = match targets {
            Some(targets) => shaped(weights, targets)?,
            None => weights.into(),
        };
        Ok(datum.clone().with_input(WEIGHTS, weights))
    };
    data.iter().zip(gradients).map(weighted).collect()
}

/// The output of the backward pass with the value and metrics of the custom loss.
fn report(mut output: ForwardBackwardOutput, custom: CustomLoss) -> ForwardBackwardOutput {
    let surrogate = output.metrics.remove("loss:sum");
    output.metrics.extend(custom.metrics);
    output.metrics.insert("loss:sum".into(), custom.loss);
    if let Some(surrogate) = surrogate {
        output
            .metrics
            .insert("surrogate_loss:sum".into(), surrogate);
    }
    output
}

#[cfg(test)]
mod tests;
