//! What is asked of a prompt before it is sent, and of a response before it is given out.

use tinker_types::{Endpoint, InvalidValue, ModelInput, SampleRequest, SampleResponse, SequenceId};

use crate::error::{DecodeError, Error};
use crate::options::SampleOptions;

/// Puts the names from the submission on the sequences. Servers may give none.
pub(super) fn name(response: &mut SampleResponse, names: Option<Vec<SequenceId>>) {
    let Some(names) = names else {
        return;
    };
    let (given, drawn) = (names.len(), response.sequences.len());
    if given != drawn {
        // Wrong names would be worse than none.
        tracing::warn!(
            given,
            drawn,
            "the server named another number of sequences than it drew"
        );
        return;
    }
    for (sequence, name) in response.sequences.iter_mut().zip(names) {
        sequence.sequence_id = Some(name);
    }
}

/// Refuses a response that lacks what was asked for.
pub(super) fn check_response(
    response: SampleResponse,
    options: &SampleOptions,
) -> Result<SampleResponse, Error> {
    if options.prompt_alt_tokens_k > 0 && response.prompt_alt_tokens.is_none() {
        return Err(ignored("prompt_alt_tokens_k"));
    }
    if let (Some(last), Some(logprobs)) =
        (options.prompt_logprobs_last_n, &response.prompt_logprobs)
    {
        let before = logprobs.len().saturating_sub(last as usize);
        if logprobs[..before].iter().any(Option::is_some) {
            return Err(ignored("prompt_logprobs_last_n"));
        }
    }
    Ok(response)
}

pub(super) fn ignored(what: &str) -> Error {
    DecodeError::new(
        SampleRequest::NAME,
        format!("the server does not do {what}, which was asked for"),
    )
    .into()
}

pub(super) fn check_prompt(prompt: &ModelInput) -> Result<(), InvalidValue> {
    let is_empty = prompt
        .chunks
        .iter()
        .all(|chunk| chunk.length().is_ok_and(|length| length == 0));
    if is_empty {
        return Err(InvalidValue::new(
            "prompt",
            "is empty; give at least one token",
        ));
    }
    Ok(())
}
