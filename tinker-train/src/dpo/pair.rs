//! Pairs of answers to one prompt.

use std::sync::Arc;

use tinker_client::Datum;
use tinker_data::{Example, Index, Learn, Renderer};

use crate::error::{BoxError, TrainError};

/// An encoded pair of answers to one prompt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pair {
    /// The better answer with its prompt.
    pub chosen: Datum,
    /// The worse answer with its prompt.
    pub rejected: Datum,
}

/// Pairs by number: in memory, or read from their data files and encoded whenever they are needed.
///
/// Memory of the latter: 24 bytes for each pair.
#[derive(Debug)]
pub struct Pairs(Source);

#[derive(Debug)]
enum Source {
    Memory(Vec<Pair>),
    Rows(Arc<Index>, Renderer),
}

impl Pair {
    /// Encodes an example with two answers. `None` for other examples.
    ///
    /// # Errors
    /// An answer that the renderer cannot encode.
    pub fn encode(renderer: &Renderer, example: &Example) -> Option<Result<Self, BoxError>> {
        let Example::Preference { chosen, rejected } = example else {
            return None;
        };
        let both = answer(renderer, chosen).and_then(|chosen| {
            let rejected = answer(renderer, rejected)?;
            Ok(Self { chosen, rejected })
        });
        Some(both)
    }

    /// Number of tokens of both sequences.
    pub fn tokens(&self) -> usize {
        let both = [&self.chosen, &self.rejected].into_iter();
        both.filter_map(|datum| datum.model_input.length().ok())
            .sum()
    }

    /// Number of tokens of the longer sequence, with its last target.
    pub fn longest(&self) -> usize {
        let both = [&self.chosen, &self.rejected].into_iter();
        let lengths = both.filter_map(|datum| datum.model_input.length().ok());
        lengths.max().unwrap_or(0) + 1
    }
}

/// The last answer of an example, with its prompt.
fn answer(renderer: &Renderer, example: &Example) -> Result<Datum, BoxError> {
    let encoded = match example {
        Example::Completion { prompt, completion } => renderer.completion(prompt, completion)?,
        Example::Chat(conversation) => {
            let renderer = renderer.clone().with_learn(Learn::Last);
            let mut encoded = renderer.supervised(conversation)?;
            encoded.pop().ok_or("the conversation has no answer")?
        }
        _ => return Err("a preference holds completions or conversations".into()),
    };
    Ok(encoded.datum)
}

impl Pairs {
    /// The pairs in the rows of data files.
    pub fn of_rows(rows: impl Into<Arc<Index>>, renderer: Renderer) -> Self {
        Self(Source::Rows(rows.into(), renderer))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Memory(pairs) => pairs.len(),
            Source::Rows(rows, _) => rows.len(),
        }
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A pair.
    ///
    /// # Errors
    /// A file that cannot be read any more, or a row that is no preference or that the renderer cannot encode.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn get(&self, at: usize) -> Result<Pair, TrainError> {
        let (rows, renderer) = match &self.0 {
            Source::Memory(pairs) => return Ok(pairs[at].clone()),
            Source::Rows(rows, renderer) => (rows, renderer),
        };
        let row = rows.row(at).map_err(TrainError::data)?;
        let pair = Pair::encode(renderer, &row.example).unwrap_or_else(|| {
            Err("is no preference; give `prompt`, `chosen` and `rejected`".into())
        });
        pair.map_err(|error| TrainError::row(&row, &*error))
    }
}

impl From<Vec<Pair>> for Pairs {
    fn from(pairs: Vec<Pair>) -> Self {
        Self(Source::Memory(pairs))
    }
}
