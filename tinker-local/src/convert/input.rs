//! Conversion of model inputs.

use tinker_engine::backend::BaseModelInfo;
use tinker_types::{Chunk, InvalidValue, ModelInput};

/// The tokens of an input, checked against the model.
pub(super) fn tokens(input: &ModelInput, model: &BaseModelInfo) -> Result<Vec<u32>, InvalidValue> {
    let mut tokens = Vec::new();
    for (index, chunk) in input.chunks.iter().enumerate() {
        let Chunk::Text(text) = chunk else {
            return Err(InvalidValue::new(
                format!("chunks[{index}]"),
                format!("is not text; {} reads text only", model.name),
            ));
        };
        check_ids(&text.tokens, model).map_err(|e| e.within(format!("chunks[{index}].tokens")))?;
        tokens.extend_from_slice(&text.tokens);
        if tokens.len() > model.context {
            return Err(too_long(input, model));
        }
    }
    if tokens.is_empty() {
        return Err(InvalidValue::new(
            "chunks",
            "hold no token; give at least one",
        ));
    }
    Ok(tokens)
}

fn too_long(input: &ModelInput, model: &BaseModelInfo) -> InvalidValue {
    let length = input
        .length()
        .map_or_else(|_| "more".to_owned(), |length| length.to_string());
    InvalidValue::new(
        "chunks",
        format!(
            "hold {length} tokens, {} takes at most {}; shorten it",
            model.name, model.context
        ),
    )
}

pub(super) fn check_ids(tokens: &[u32], model: &BaseModelInfo) -> Result<(), InvalidValue> {
    match tokens
        .iter()
        .position(|&token| token as usize >= model.vocab_size)
    {
        Some(at) => Err(outside(at, i64::from(tokens[at]), model)),
        None => Ok(()),
    }
}

/// The error for a token id outside the vocabulary.
pub(super) fn outside(at: usize, token: i64, model: &BaseModelInfo) -> InvalidValue {
    let why = format!(
        "is {token}; the ids of {} run from 0 to {}",
        model.name,
        model.vocab_size - 1
    );
    InvalidValue::new(format!("[{at}]"), why)
}
