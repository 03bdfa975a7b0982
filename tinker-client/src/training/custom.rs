//! A custom loss on its way: forward, the caller's function, backward under weights that stand in
//! for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tinker_transport::BoxError;
use tinker_types::{Datum, ForwardBackwardOutput, InvalidValue, Loss, TensorData};

use super::Training;
use super::passes::{self, Batch};
use crate::batch::Part;
use crate::blocking;
use crate::board::Board;
use crate::custom::CustomLoss;
use crate::error::{DecodeError, Error, LossFailed};
use crate::link::Link;
use crate::pending::Pending;
use crate::sequencer::{Sequencer, Turn};
use crate::waiting::WaitingFor;

pub(super) const OPERATION: &str = "forward_backward_custom";
pub(super) const METHOD: &str = "TrainingClient.forward_backward_custom";
const TARGETS: &str = "target_tokens";
const WEIGHTS: &str = "weights";

type Function = Box<dyn FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, BoxError> + Send>;

/// Both passes of a custom loss.
struct Custom {
    /// What the caller gave: for the function.
    data: Arc<[Datum]>,
    /// What travels: targets and weights only.
    bare: Arc<[Datum]>,
    parts: Vec<Part>,
    turn: Turn,
}

/// Takes a turn with sequence ids for both passes, and sets off.
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
    let link = match passes::ready(inner) {
        Ok(link) => link,
        Err(error) => return Pending::refused(error),
    };
    let parts = passes::split(&bare, &link);
    let custom = Custom {
        turn: inner.sequencer.reserve(2 * parts.len()),
        data,
        bare,
        parts,
    };
    let inner = Arc::clone(inner);
    let board = Board::new(METHOD, &inner.line, WaitingFor::Turn);
    Pending::detached(board.clone(), async move {
        custom.run(&inner, &link, &board, function).await
    })
}

impl Custom {
    async fn run(
        self,
        inner: &Training,
        link: &Arc<Link>,
        board: &Board,
        function: Function,
    ) -> Result<ForwardBackwardOutput, Error> {
        let mut gap = Gap::new(&inner.sequencer);
        self.turn.begins().await;
        let (batch, custom) = match self.prepare(inner, link, board, function).await {
            Ok(prepared) => prepared,
            Err(error) => {
                gap.cause = error.to_string();
                return Err(error);
            }
        };
        let submitted = batch.submit(inner, link, board).await;
        gap.is_closed = true;
        drop(gap);
        drop(self);
        let output = submitted.results(link, board).await?;
        Ok(report(output, custom))
    }

    /// The forward pass and the function: what the backward pass is to do.
    async fn prepare(
        &self,
        inner: &Training,
        link: &Arc<Link>,
        board: &Board,
        function: Function,
    ) -> Result<(Batch, CustomLoss), Error> {
        inner.check()?;
        let forward = self.batch(Arc::clone(&self.bare), true);
        let submitted = forward.submit(inner, link, board).await;
        let output = submitted.results(link, board).await?;
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
            first_id: self.turn.ids().start + skipped as u64,
        }
    }
}

/// Sequence ids that were taken and not sent yet. Left open, even by a panic, it poisons all that
/// follows. Dropped before the turn ends, so that the next one sees it.
struct Gap<'a> {
    sequencer: &'a Sequencer,
    cause: String,
    is_closed: bool,
}

impl<'a> Gap<'a> {
    fn new(sequencer: &'a Sequencer) -> Self {
        Self {
            sequencer,
            cause: "it was given up".to_owned(),
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

/// Targets and weights, those of the caller or zeros; the rest stays here.
fn bare(data: &[Datum]) -> Result<Vec<Datum>, InvalidValue> {
    let strip = |(index, datum): (usize, &Datum)| {
        let refuse = |why| {
            let place = format!("data[{index}].loss_fn_inputs.{TARGETS}");
            InvalidValue::new(place, why)
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

/// Numbers in the shape of the targets.
fn shaped(values: Vec<f32>, targets: &TensorData) -> Result<TensorData, InvalidValue> {
    let tensor = TensorData::from(values);
    match targets.shape() {
        Some(shape) => tensor.with_shape(shape),
        None => Ok(tensor),
    }
}

/// One log probability for each target.
fn logprobs(data: &[Datum], output: &ForwardBackwardOutput) -> Result<Vec<Vec<f32>>, DecodeError> {
    let of = |(index, datum): (usize, &Datum)| {
        let cells = datum.loss_fn_inputs.get(TARGETS).map(TensorData::cells);
        let found = output
            .logprobs(index)
            .filter(|found| cells == Some(found.len()));
        found.map(<[f32]>::to_vec).ok_or_else(|| {
            let what =
                format!("the result lacks a log probability for each target of data[{index}]");
            DecodeError::new(OPERATION, what)
        })
    };
    data.iter().enumerate().map(of).collect()
}

/// Cross entropy is `-sum w lp`: weights of minus the gradient give that gradient.
fn surrogate(data: &[Datum], gradients: &[Vec<f32>]) -> Result<Vec<Datum>, InvalidValue> {
    let weigh = |(datum, gradient): (&Datum, &Vec<f32>)| {
        let weights = gradient.iter().map(|value| -value).collect();
        let targets = datum.loss_fn_inputs.get(TARGETS);
        let weights = match targets {
            Some(targets) => shaped(weights, targets)?,
            None => weights.into(),
        };
        Ok(datum.clone().with_input(WEIGHTS, weights))
    };
    data.iter().zip(gradients).map(weigh).collect()
}

/// The output of the backward pass under the name of the custom loss.
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
