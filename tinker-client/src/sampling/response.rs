//! Checks of responses.

use tinker_types::proto::SampleView;
use tinker_types::{Chunk, Endpoint, ModelInput, SampleRequest, SampleResponse, SequenceId};

use crate::error::{DecodeError, Error};
use crate::sampling::options::SampleOptions;
use crate::wire::codec::Output;

/// The result of a sample, in one of its forms.
pub(super) trait Sampled: Output {
    /// Reported data of the prompt.
    fn prompt(&mut self) -> &mut SampleResponse;

    /// The ids of the sequences.
    fn ids(&mut self) -> impl ExactSizeIterator<Item = &mut Option<SequenceId>>;
}

impl Sampled for SampleResponse {
    fn prompt(&mut self) -> &mut SampleResponse {
        self
    }

    fn ids(&mut self) -> impl ExactSizeIterator<Item = &mut Option<SequenceId>> {
        let sequences = self.sequences.iter_mut();
        sequences.map(|sequence| &mut sequence.sequence_id)
    }
}

impl Sampled for SampleView {
    fn prompt(&mut self) -> &mut SampleResponse {
        &mut self.prompt
    }

    fn ids(&mut self) -> impl ExactSizeIterator<Item = &mut Option<SequenceId>> {
        let sequences = self.sequences.iter_mut();
        sequences.map(|sequence| &mut sequence.sequence_id)
    }
}

/// Sets the sequence ids from the submission. Servers may omit them.
pub(super) fn name(response: &mut impl Sampled, names: Option<Vec<SequenceId>>) {
    let Some(names) = names else {
        return;
    };
    let (given, drawn) = (names.len(), response.ids().len());
    if given != drawn {
        // Wrong ids would be worse than none.
        tracing::warn!(
            given,
            drawn,
            "the number of sequence ids differs from the number of sequences"
        );
        return;
    }
    for (id, name) in response.ids().zip(names) {
        *id = Some(name);
    }
}

/// Number of tokens of a prompt of text; `None` for other prompts, whose positions servers count in other ways.
pub(super) fn text_length(prompt: &ModelInput) -> Option<usize> {
    let length = |chunk: &Chunk| match chunk {
        Chunk::Text(text) => Some(text.tokens.len()),
        _ => None,
    };
    prompt.chunks.iter().map(length).sum()
}

/// One value for each of `length` prompt tokens. Servers may leave out the first, which has none.
fn align<T>(
    name: &str,
    values: &mut Option<Vec<Option<T>>>,
    length: usize,
) -> Result<(), DecodeError> {
    let Some(values) = values else {
        return Ok(());
    };
    if values.len() + 1 == length {
        values.insert(0, None);
    }
    if values.len() == length {
        return Ok(());
    }
    let what = format!(
        "{name} of the answer has {} values for a prompt of {length} tokens; one for each token, or for each but the first, is right",
        values.len()
    );
    Err(DecodeError::new(SampleRequest::NAME, what))
}

/// Gives prompt values their place, and refuses a response that lacks a requested part. `length` is the number of
/// prompt tokens, if known.
pub(super) fn check_response<R: Sampled>(
    mut whole: R,
    options: &SampleOptions,
    length: Option<usize>,
) -> Result<R, Error> {
    let response = whole.prompt();
    if let Some(length) = length {
        align("prompt_logprobs", &mut response.prompt_logprobs, length)?;
        align(
            "topk_prompt_logprobs",
            &mut response.topk_prompt_logprobs,
            length,
        )?;
    }
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
    Ok(whole)
}

/// An error for a requested part that the server ignored.
pub(super) fn ignored(what: &str) -> Error {
    DecodeError::new(SampleRequest::NAME, format!("the server ignored {what}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_values_belong_to_their_tokens() {
        let checked = |values: usize| {
            let mut response = SampleResponse::default();
            response.prompt_logprobs = Some((0..values).map(|n| Some(n as f32)).collect());
            response.topk_prompt_logprobs =
                Some((0..values).map(|n| Some(vec![(n as u32, 0.5)])).collect());
            check_response(response, &SampleOptions::default(), Some(44))
        };
        let shifted = checked(43).unwrap();
        let logprobs = shifted.prompt_logprobs.unwrap();
        assert_eq!(
            (logprobs.len(), logprobs[0], logprobs[1]),
            (44, None, Some(0.0))
        );
        let topk = shifted.topk_prompt_logprobs.unwrap();
        assert_eq!(
            (topk.len(), &topk[0], &topk[43]),
            (44, &None, &Some(vec![(42, 0.5)]))
        );
        let whole = checked(44).unwrap().prompt_logprobs.unwrap();
        assert_eq!((whole.len(), whole[0]), (44, Some(0.0)), "as they are");
        for other in [0, 42, 45] {
            let error = checked(other).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{other} values")) && error.contains("44"),
                "{error}"
            );
        }
    }
}
