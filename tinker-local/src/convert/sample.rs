//! Sampling.

use tinker_types::{
    InvalidValue, SampleRequest, SampleResponse, SampledSequence, Stop, StopReason,
};

use super::input;
use crate::Limits;
use crate::backend::{ModelInfo, SampleJob, SampleOutput, SampleWeights, SampledTokens, StopRule};

/// Most of the likely tokens reported at one position.
const MOST_TOPK: u32 = 128;

/// Most stop texts or tokens.
const MOST_STOPS: usize = 64;

/// The job of a sampling request, checked against the model, and what its answer reports.
pub(crate) fn sample_job(
    request: &SampleRequest,
    model: &ModelInfo,
    limits: &Limits,
) -> Result<(SampleJob, Report), InvalidValue> {
    let refuse = |place: &str, why: String| Err(InvalidValue::new(place, why));
    let prompt = input::tokens(&request.prompt, model).map_err(|e| e.within("prompt"))?;
    let params = &request.sampling_params;
    params.check().map_err(|e| e.within("sampling_params"))?;
    let most = limits.sequences_per_request;
    if request.num_samples == 0 || request.num_samples as usize > most {
        return refuse(
            "num_samples",
            format!("is {}; give 1 to {most}", request.num_samples),
        );
    }
    let asks_about_prompt = request.prompt_logprobs || request.topk_prompt_logprobs > 0;
    if prompt.len() == model.context && !asks_about_prompt {
        let why = format!(
            "holds {} tokens, all that {} takes, so nothing can follow it; shorten it",
            prompt.len(),
            model.name
        );
        return refuse("prompt", why);
    }
    for (place, k) in [
        ("topk_prompt_logprobs", request.topk_prompt_logprobs),
        ("topk_sample_logprobs", request.topk_sample_logprobs),
    ] {
        if k > MOST_TOPK {
            return refuse(place, format!("is {k}; {MOST_TOPK} is the most"));
        }
    }
    if request.target_prompt_logprobs.is_some() {
        return refuse(
            "target_prompt_logprobs",
            "is not offered here; use a forward pass with these target_tokens".to_owned(),
        );
    }
    if request.prompt_alt_tokens_k > 0 {
        return refuse(
            "prompt_alt_tokens_k",
            "is not offered here; use topk_prompt_logprobs".to_owned(),
        );
    }
    if request.prompt_logprobs_last_n == Some(0) {
        return refuse("prompt_logprobs_last_n", "is 0; give at least 1".to_owned());
    }
    let job = SampleJob {
        weights: SampleWeights::Base,
        prompt,
        num_samples: request.num_samples as usize,
        max_tokens: params.max_tokens.map(|n| n as usize),
        temperature: params.temperature as f32,
        top_k: usize::try_from(params.top_k).ok(),
        top_p: params.top_p as f32,
        seed: params.seed,
        stop: stop_rule(params.stop.as_ref(), model)
            .map_err(|e| e.within("sampling_params.stop"))?,
        prompt_logprobs: request.prompt_logprobs,
        topk_prompt_logprobs: request.topk_prompt_logprobs as usize,
        topk_sample_logprobs: request.topk_sample_logprobs as usize,
    };
    Ok((
        job,
        Report {
            last_n: request.prompt_logprobs_last_n,
        },
    ))
}

fn stop_rule(stop: Option<&Stop>, model: &ModelInfo) -> Result<StopRule, InvalidValue> {
    let count = |n: usize| {
        if n > MOST_STOPS {
            Err(InvalidValue::new(
                "",
                format!("has {n} entries; {MOST_STOPS} is the most"),
            ))
        } else {
            Ok(())
        }
    };
    let texts = match stop {
        None => return Ok(StopRule::Default),
        Some(Stop::Tokens(ids)) if ids.is_empty() => return Ok(StopRule::Never),
        Some(Stop::Tokens(ids)) => {
            count(ids.len())?;
            input::check_ids(ids, model)?;
            return Ok(StopRule::Tokens(ids.clone()));
        }
        Some(Stop::Text(text)) => vec![text.clone()],
        Some(Stop::Texts(texts)) => texts.clone(),
    };
    count(texts.len())?;
    if let Some(at) = texts.iter().position(String::is_empty) {
        return Err(InvalidValue::new(
            format!("[{at}]"),
            "is an empty text, which every text contains; leave it out",
        ));
    }
    Ok(StopRule::Text(texts))
}

/// What an answer reports beyond the sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// Log probabilities of the last prompt positions only.
    last_n: Option<u32>,
}

impl Report {
    pub(crate) fn response(self, output: SampleOutput) -> SampleResponse {
        let mut response = SampleResponse::default();
        response.sequences = output.sequences.into_iter().map(sequence).collect();
        response.prompt_logprobs = output.prompt_logprobs.map(|logprobs| {
            let skipped = self
                .last_n
                .map_or(0, |n| logprobs.len().saturating_sub(n as usize));
            logprobs
                .into_iter()
                .enumerate()
                .map(|(at, lp)| (at >= skipped && !lp.is_nan()).then_some(lp))
                .collect()
        });
        response.topk_prompt_logprobs = output.topk_prompt_logprobs.map(|rows| {
            rows.into_iter()
                .map(|row| Some(row).filter(|row| !row.is_empty()))
                .collect()
        });
        response.prompt_cache_hit_tokens =
            u32::try_from(output.cache_hit_tokens).unwrap_or(u32::MAX);
        response
    }
}

fn sequence(sampled: SampledTokens) -> SampledSequence {
    let reason = if sampled.stopped {
        StopReason::Stop
    } else {
        StopReason::Length
    };
    let mut sequence = SampledSequence::new(reason, sampled.tokens);
    sequence.logprobs = Some(sampled.logprobs);
    sequence.topk_logprobs = Some(sampled.topk).filter(|rows| !rows.is_empty());
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_types::{ModelInput, SamplingParams};

    fn model() -> ModelInfo {
        ModelInfo::new("tiny", "qwen3", 10, 8)
    }

    fn request() -> SampleRequest {
        SampleRequest::new("s:sample:0".into(), 0, ModelInput::from_tokens([1, 2, 3]))
    }

    fn message(change: impl FnOnce(&mut SampleRequest)) -> String {
        let mut request = request();
        change(&mut request);
        sample_job(&request, &model(), &Limits::default())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn stops_keep_their_meaning() {
        let rule = |stop: Option<Stop>| stop_rule(stop.as_ref(), &model()).unwrap();
        assert_eq!(rule(None), StopRule::Default);
        assert_eq!(rule(Some(Stop::Tokens(vec![]))), StopRule::Never);
        assert_eq!(rule(Some(Stop::Tokens(vec![7]))), StopRule::Tokens(vec![7]));
        assert_eq!(
            rule(Some(Stop::Text("x".into()))),
            StopRule::Text(vec!["x".into()])
        );
    }

    #[test]
    fn faults_are_named_with_place_and_fix() {
        assert!(message(|r| r.num_samples = 0).starts_with("num_samples: is 0; give 1 to 256"));
        assert!(
            message(|r| r.prompt = ModelInput::default())
                .starts_with("prompt.chunks: hold no token")
        );
        assert!(
            message(|r| r.prompt = ModelInput::from_tokens([11]))
                .starts_with("prompt.chunks[0].tokens[0]: is 11")
        );
        assert!(
            message(|r| r.prompt = ModelInput::from_tokens([1; 9])).contains("takes at most 8")
        );
        let full = message(|r| r.prompt = ModelInput::from_tokens([1; 8]));
        assert_eq!(
            full,
            "prompt: holds 8 tokens, all that tiny takes, so nothing can follow it; shorten it"
        );
        assert!(
            message(|r| r.sampling_params =
                SamplingParams::default().with_stop(Stop::Texts(vec![String::new()])))
            .contains("stop[0]")
        );
        assert!(
            message(|r| r.sampling_params.temperature = f64::NAN)
                .contains("sampling_params.temperature")
        );
        assert!(message(|r| r.topk_sample_logprobs = 1000).contains("128 is the most"));
        assert!(message(|r| r.prompt_alt_tokens_k = 1).contains("topk_prompt_logprobs"));
    }

    #[test]
    fn earlier_prompt_logprobs_are_left_out_when_only_the_last_are_wanted() {
        let output = SampleOutput {
            sequences: vec![],
            prompt_logprobs: Some(vec![f32::NAN, -1.0, -2.0]),
            topk_prompt_logprobs: Some(vec![vec![], vec![(1, -0.5)], vec![(2, -0.5)]]),
            cache_hit_tokens: 2,
        };
        let all = Report { last_n: None }.response(output.clone());
        assert_eq!(all.prompt_logprobs.unwrap(), [None, Some(-1.0), Some(-2.0)]);
        assert_eq!(all.topk_prompt_logprobs.unwrap()[0], None);
        let last = Report { last_n: Some(1) }.response(output);
        assert_eq!(last.prompt_logprobs.unwrap(), [None, None, Some(-2.0)]);
    }
}
