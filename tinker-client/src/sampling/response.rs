//! Checks of responses.

use tinker_types::{Endpoint, SampleRequest, SampleResponse, SequenceId};

use crate::error::{DecodeError, Error};
use crate::sampling::options::SampleOptions;

/// Sets the sequence ids from the submission. Servers may omit them.
pub(super) fn name(response: &mut SampleResponse, names: Option<Vec<SequenceId>>) {
    let Some(names) = names else {
        return;
    };
    let (given, drawn) = (names.len(), response.sequences.len());
    if given != drawn {
        // Wrong ids would be worse than none.
        tracing::warn!(
            given,
            drawn,
            "the number of sequence ids differs from the number of sequences"
        );
        return;
    }
    for (sequence, name) in response.sequences.iter_mut().zip(names) {
        sequence.sequence_id = Some(name);
    }
}

/// Refuses a response that lacks a requested part.
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

/// An error for a requested part that the server ignored.
pub(super) fn ignored(what: &str) -> Error {
    DecodeError::new(SampleRequest::NAME, format!("the server ignored {what}")).into()
}
