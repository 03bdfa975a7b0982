//! Results of sampling whose arrays are read where they arrived.

use super::array_view::ArrayView;
use super::generated as wire;
use crate::{InvalidValue, SampleResponse, SampledSequence, SequenceId, StopReason, TokenLogprob};

/// Log probability of an unused cell in a matrix of most likely tokens.
pub(super) const UNUSED: f32 = -99_999.0;

/// The result of a sampling request, with sequences whose arrays are read where they arrived. Made by
/// [`view_sample`](super::view_sample); [`SampleResponse`] is the form with vectors, into which it converts.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SampleView {
    /// The sequences, in the order of the request.
    pub sequences: Vec<SequenceView>,
    /// Reported data of the prompt. The list of sequences in it is empty.
    pub prompt: SampleResponse,
}

/// A sampled sequence of `n` tokens, whose arrays are read where they arrived. The fields are those of
/// [`SampledSequence`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SequenceView {
    /// Reason of the end.
    pub stop_reason: StopReason,
    /// Id of the sequence in provenance spans, if the server reports it.
    pub sequence_id: Option<SequenceId>,
    /// The sampled token ids, `[n]`.
    pub tokens: ArrayView<u32>,
    /// Log probability of each token, `[n]`, in nats, if the server reports it.
    pub logprobs: Option<ArrayView<f32>>,
    /// Most likely tokens at each position, `[n]` rows, if requested.
    pub topk_logprobs: Option<TopkView>,
}

/// Rows of most likely tokens with their log probabilities in nats, read where they arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct TopkView {
    ids: ArrayView<u32>,
    logprobs: ArrayView<f32>,
    /// Cells of a row.
    k: usize,
    rows: usize,
}

impl TopkView {
    /// The matrix of a message; `None` if it has no cells.
    pub(super) fn new(topk: Option<wire::TopkLogprobs>) -> Result<Option<Self>, InvalidValue> {
        let topk = topk.unwrap_or_default();
        let (k, rows) = (topk.k as usize, topk.length as usize);
        if k == 0 || rows == 0 {
            return Ok(None);
        }
        let ids = ArrayView::new(topk.token_ids)?;
        let logprobs = ArrayView::new(topk.logprobs)?;
        let cells = k.checked_mul(rows);
        if cells.is_none_or(|cells| ids.len() < cells || logprobs.len() < cells) {
            return Err(InvalidValue::new(
                "topk_logprobs",
                format!("holds fewer than {rows} rows of {k}"),
            ));
        }
        Ok(Some(Self {
            ids,
            logprobs,
            k,
            rows,
        }))
    }

    fn of(rows: &[Vec<TokenLogprob>]) -> Self {
        let k = rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = || {
            let unused = std::iter::repeat((0, UNUSED));
            rows.iter()
                .flat_map(move |row| row.iter().copied().chain(unused.clone()).take(k))
        };
        Self {
            ids: cells().map(|(id, _)| id).collect::<Vec<_>>().into(),
            logprobs: cells()
                .map(|(_, logprob)| logprob)
                .collect::<Vec<_>>()
                .into(),
            k,
            rows: rows.len(),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The tokens of a row, the most likely first. Empty if there are none at this position, and behind the last row.
    pub fn row(&self, position: usize) -> impl ExactSizeIterator<Item = TokenLogprob> + '_ {
        let from = position.saturating_mul(self.k);
        let cell = move |at: usize| {
            let (id, logprob) = (self.ids.get(from + at), self.logprobs.get(from + at));
            id.zip(logprob).unwrap_or((0, UNUSED))
        };
        let length = if position < self.rows { self.k } else { 0 };
        let is_used = |at: &usize| cell(*at) != (0, UNUSED);
        // Unused cells are behind the others; a row that begins with one is missing.
        let used = (0..length).rev().find(is_used).map_or(0, |last| last + 1);
        let used = if used > 0 && is_used(&0) { used } else { 0 };
        (0..used).map(cell)
    }

    /// All rows, copied.
    pub fn to_rows(&self) -> Vec<Vec<TokenLogprob>> {
        (0..self.rows).map(|at| self.row(at).collect()).collect()
    }
}

impl SequenceView {
    pub(super) fn new(sequence: wire::SampledSequence) -> Result<Self, InvalidValue> {
        let stop_reason = match wire::StopReason::try_from(sequence.stop_reason) {
            Ok(wire::StopReason::Stop) => StopReason::Stop,
            Ok(wire::StopReason::Length) => StopReason::Length,
            Err(_) => {
                return Err(InvalidValue::new(
                    "stop_reason",
                    format!("{} is not known", sequence.stop_reason),
                ));
            }
        };
        let tokens = ArrayView::new(sequence.tokens).map_err(|e| e.within("tokens"))?;
        let logprobs = sequence.logprobs.filter(|bytes| !bytes.is_empty());
        let logprobs: Option<ArrayView<f32>> = logprobs.map(ArrayView::new).transpose()?;
        if logprobs
            .as_ref()
            .is_some_and(|logprobs| logprobs.len() != tokens.len())
        {
            return Err(InvalidValue::new(
                "logprobs",
                format!("are not one for each of {} tokens", tokens.len()),
            ));
        }
        Ok(Self {
            stop_reason,
            sequence_id: None,
            tokens,
            logprobs,
            topk_logprobs: TopkView::new(sequence.topk_sampled_logprobs)?,
        })
    }
}

impl From<SequenceView> for SampledSequence {
    /// Copies the arrays into vectors.
    fn from(view: SequenceView) -> Self {
        let mut sequence = Self::new(view.stop_reason, view.tokens.to_vec());
        sequence.sequence_id = view.sequence_id;
        sequence.logprobs = view.logprobs.map(|logprobs| logprobs.to_vec());
        sequence.topk_logprobs = view.topk_logprobs.map(|rows| rows.to_rows());
        sequence
    }
}

impl From<SampledSequence> for SequenceView {
    /// Takes the vectors as they are; only most likely tokens are copied.
    fn from(sequence: SampledSequence) -> Self {
        Self {
            stop_reason: sequence.stop_reason,
            sequence_id: sequence.sequence_id,
            tokens: sequence.tokens.into(),
            logprobs: sequence.logprobs.map(Into::into),
            topk_logprobs: sequence.topk_logprobs.map(|rows| TopkView::of(&rows)),
        }
    }
}

impl From<SampleView> for SampleResponse {
    /// Copies the arrays into vectors.
    fn from(view: SampleView) -> Self {
        let mut response = view.prompt;
        response.sequences = view.sequences.into_iter().map(Into::into).collect();
        response
    }
}

impl From<SampleResponse> for SampleView {
    /// Takes the vectors as they are; only most likely tokens are copied.
    fn from(mut response: SampleResponse) -> Self {
        let sequences = std::mem::take(&mut response.sequences);
        Self {
            sequences: sequences.into_iter().map(Into::into).collect(),
            prompt: response,
        }
    }
}
