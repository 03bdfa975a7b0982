//! Conversion of sampling requests.

use tinker_engine::backend::{BaseModelInfo, SampleJob, StopRule};
use tinker_types::{Elements, InvalidValue, SampleRequest, Stop, TensorData};

use super::input;
use super::report::Report;
use crate::Limits;

/// Most top tokens reported at one position, and most alternatives drawn.
const MOST_TOPK: u32 = 128;

/// Most tokens named in `target_prompt_logprobs`.
const MOST_TARGETS: usize = 1 << 20;

/// Most stop texts or tokens.
const MOST_STOPS: usize = 64;

/// The job of a sampling request, checked against the model, and the contents of the response.
pub(crate) fn sample_job(
    request: &SampleRequest,
    model: &BaseModelInfo,
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
    let asks_about_prompt = request.prompt_logprobs
        || request.topk_prompt_logprobs > 0
        || request.target_prompt_logprobs.is_some()
        || request.prompt_alt_tokens_k > 0;
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
        ("prompt_alt_tokens_k", request.prompt_alt_tokens_k),
    ] {
        if k > MOST_TOPK {
            return refuse(place, format!("is {k}; {MOST_TOPK} is the most"));
        }
    }
    let targets = match &request.target_prompt_logprobs {
        Some(tensor) => target_rows(tensor, prompt.len(), model)
            .map_err(|e| e.within("target_prompt_logprobs"))?,
        None => Vec::new(),
    };
    if let Some(n) = request.prompt_logprobs_last_n {
        let place = "prompt_logprobs_last_n";
        if !request.prompt_logprobs {
            return refuse(place, "needs prompt_logprobs; set it too".to_owned());
        }
        if n == 0 || n as usize >= prompt.len() {
            let most = prompt.len() - 1;
            return refuse(
                place,
                format!("is {n}; give 1 to {most}, one less than the prompt has tokens"),
            );
        }
    }
    let job = SampleJob {
        weights: None,
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
        prompt_logprobs_last_n: request.prompt_logprobs_last_n.map(|n| n as usize),
        topk_prompt_logprobs: request.topk_prompt_logprobs as usize,
        topk_sample_logprobs: request.topk_sample_logprobs as usize,
        target_prompt_logprobs: targets,
        prompt_alternatives: request.prompt_alt_tokens_k as usize,
    };
    Ok((job, Report::new(request)))
}

/// The token ids in each row of a `[prompt - 1, K]` tensor. Cells that are -1, or missing in a sparse tensor, are
/// skipped.
fn target_rows(
    tensor: &TensorData,
    prompt: usize,
    model: &BaseModelInfo,
) -> Result<Vec<Vec<u32>>, InvalidValue> {
    let refuse = |why: String| Err(InvalidValue::new("", why));
    let Elements::Int64(ids) = tensor.elements() else {
        return refuse("is float32; give token ids as int64".to_owned());
    };
    let shape = tensor.shape().unwrap_or_default();
    let [rows, width] = *shape else {
        return refuse(format!("has shape {shape:?}; give [{}, K]", prompt - 1));
    };
    if rows != prompt - 1 {
        return refuse(format!(
            "has {rows} rows for a prompt of {prompt} tokens; give {}, one for each token after the first",
            prompt - 1
        ));
    }
    if ids.len() > MOST_TARGETS {
        return refuse(format!(
            "names {} tokens; {MOST_TARGETS} is the most",
            ids.len()
        ));
    }
    let token = |(at, &id): (usize, &i64)| match u32::try_from(id) {
        Ok(token) if (token as usize) < model.vocab_size => Ok(Some(token)),
        _ if id == -1 => Ok(None),
        _ => Err(input::outside(at, id, model)),
    };
    let tokens = ids
        .iter()
        .enumerate()
        .map(token)
        .collect::<Result<Vec<_>, _>>()?;
    if tokens.iter().all(Option::is_none) {
        return refuse("names no token; leave it out or give at least one id".to_owned());
    }
    let cells = |row: usize| match tensor.csr_indices() {
        Some((starts, _)) => starts[row] as usize..starts[row + 1] as usize,
        None => row * width..(row + 1) * width,
    };
    Ok((0..rows)
        .map(|row| tokens[cells(row)].iter().copied().flatten().collect())
        .collect())
}

fn stop_rule(stop: Option<&Stop>, model: &BaseModelInfo) -> Result<StopRule, InvalidValue> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_types::{ModelInput, SamplingParams};

    fn model() -> BaseModelInfo {
        BaseModelInfo::new("tiny", "qwen3", 10, 8)
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
        assert!(message(|r| r.prompt_alt_tokens_k = 129).contains("128 is the most"));
        assert!(message(|r| r.prompt_logprobs_last_n = Some(1)).contains("needs prompt_logprobs"));
        let last = |n| {
            message(|r| {
                r.prompt_logprobs = true;
                r.prompt_logprobs_last_n = Some(n);
            })
        };
        assert!(last(0).contains("is 0; give 1 to 2") && last(3).contains("is 3; give 1 to 2"));
    }

    fn target_message(tensor: TensorData) -> String {
        message(|r| r.target_prompt_logprobs = Some(tensor))
    }

    #[test]
    fn targets_are_read_row_by_row() {
        let rows = |tensor: &TensorData| target_rows(tensor, 3, &model()).unwrap();
        let dense = TensorData::from(vec![5, -1, -1, 8])
            .with_shape([2, 2])
            .unwrap();
        assert_eq!(rows(&dense), [vec![5], vec![8]]);
        let ids = tinker_types::Elements::Int64([9, 8, -1].into());
        let sparse = TensorData::csr(ids, [0, 0, 3], [0, 4, 6], [2, 7]).unwrap();
        assert_eq!(rows(&sparse), [vec![], vec![9, 8]]);
    }

    #[test]
    fn wrong_targets_are_named() {
        let shaped =
            |ids: Vec<i64>, shape: [usize; 2]| TensorData::from(ids).with_shape(shape).unwrap();
        assert_eq!(
            target_message(shaped(vec![1], [1, 1])),
            "target_prompt_logprobs: has 1 rows for a prompt of 3 tokens; give 2, one for each token after the first"
        );
        assert!(target_message(shaped(vec![-1, -1], [2, 1])).contains("names no token"));
        assert!(target_message(shaped(vec![1, 10], [2, 1])).contains("[1]: is 10"));
        assert!(target_message(TensorData::from(vec![1, 2])).contains("give [2, K]"));
        assert!(target_message(TensorData::from(vec![1.0])).contains("int64"));
    }
}
