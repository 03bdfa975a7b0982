//! Conversion of sampling results.

use tinker_types::{
    AltTokens, Elements, InvalidValue, SampleRequest, SampleResponse, SampledSequence, StopReason,
    TensorData,
};

use tinker_engine::backend::{BackendError, SampleOutput, SampledTokens};

/// Contents of a response besides the sequences.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// Number of last prompt positions to report log probabilities of.
    last_n: Option<usize>,
    /// The tokens whose log probabilities were requested; the response has the same layout.
    targets: Option<TensorData>,
    /// Alternatives drawn at each prompt position after the first.
    alternatives: usize,
}

impl Report {
    /// The contents that a request asks for.
    pub(super) fn new(request: &SampleRequest) -> Self {
        Self {
            last_n: request.prompt_logprobs_last_n.map(|n| n as usize),
            targets: request.target_prompt_logprobs.clone(),
            alternatives: request.prompt_alt_tokens_k as usize,
        }
    }

    pub(crate) fn response(self, output: SampleOutput) -> Result<SampleResponse, BackendError> {
        let mut response = SampleResponse::default();
        response.sequences = output.sequences.into_iter().map(sequence).collect();
        let skipped = |rows: usize| self.last_n.map_or(0, |n| rows.saturating_sub(n));
        response.prompt_logprobs = output.prompt_logprobs.map(|logprobs| {
            let skipped = skipped(logprobs.len());
            logprobs
                .into_iter()
                .enumerate()
                .map(|(at, lp)| (at >= skipped && !lp.is_nan()).then_some(lp))
                .collect()
        });
        response.topk_prompt_logprobs = output.topk_prompt_logprobs.map(|rows| {
            let skipped = skipped(rows.len());
            rows.into_iter()
                .enumerate()
                .map(|(at, row)| Some(row).filter(|row| at >= skipped && !row.is_empty()))
                .collect()
        });
        let broken = |e: InvalidValue| BackendError::server(format!("the engine's answer: {e}"));
        if let Some(asked) = &self.targets {
            let given = output.target_prompt_logprobs.into_iter().flatten();
            response.target_prompt_logprobs = Some(in_layout(asked, given).map_err(broken)?);
        }
        if self.alternatives > 0 {
            let drawn = alternatives(&output.prompt_alternatives, self.alternatives);
            response.prompt_alt_tokens = Some(drawn.map_err(broken)?);
        }
        response.prompt_cache_hit_tokens =
            u32::try_from(output.cache_hit_tokens).unwrap_or(u32::MAX);
        Ok(response)
    }
}

/// The values of the cells of `asked` that name a token, in the layout of `asked`; 0 in the others.
fn in_layout(
    asked: &TensorData,
    mut given: impl Iterator<Item = f32>,
) -> Result<TensorData, InvalidValue> {
    let Elements::Int64(ids) = asked.elements() else {
        return Err(InvalidValue::new("target_prompt_logprobs", "is float32"));
    };
    let missing = || InvalidValue::new("target_prompt_logprobs", "has too few values");
    let cell = |id: &i64| match id {
        -1 => Ok(0.0),
        _ => given.next().ok_or_else(missing),
    };
    let values: Vec<f32> = ids.iter().map(cell).collect::<Result<_, _>>()?;
    let shape = asked.shape().unwrap_or_default();
    match asked.csr_indices() {
        Some((rows, columns)) => {
            let shape = <[usize; 2]>::try_from(shape)
                .map_err(|_| InvalidValue::new("target_prompt_logprobs", "is not 2-D"))?;
            TensorData::csr(Elements::Float32(values.into()), rows, columns, shape)
        }
        None => TensorData::from(values).with_shape(shape),
    }
}

fn alternatives(rows: &[Vec<(u32, f32)>], k: usize) -> Result<AltTokens, InvalidValue> {
    let cells = || rows.iter().flatten();
    let tokens: Vec<i64> = cells().map(|(token, _)| i64::from(*token)).collect();
    let logprobs: Vec<f32> = cells().map(|(_, logprob)| *logprob).collect();
    let within = |e: InvalidValue| e.within("prompt_alt_tokens");
    let shape = [rows.len(), k];
    Ok(AltTokens {
        tokens: TensorData::from(tokens).with_shape(shape).map_err(within)?,
        logprobs: TensorData::from(logprobs)
            .with_shape(shape)
            .map_err(within)?,
    })
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
    use tinker_types::ModelInput;

    fn output() -> SampleOutput {
        SampleOutput {
            sequences: vec![],
            prompt_logprobs: Some(vec![f32::NAN, -1.0, -2.0]),
            topk_prompt_logprobs: Some(vec![vec![], vec![(1, -0.5)], vec![(2, -0.5)]]),
            target_prompt_logprobs: vec![vec![-3.0], vec![-4.0]],
            prompt_alternatives: vec![vec![(5, -0.1), (6, -0.2)], vec![(7, -0.3), (7, -0.3)]],
            cache_hit_tokens: 2,
        }
    }

    fn response(change: impl FnOnce(&mut SampleRequest)) -> SampleResponse {
        let mut request =
            SampleRequest::new("s:sample:0".into(), 0, ModelInput::from_tokens([1, 2, 3]));
        change(&mut request);
        Report::new(&request).response(output()).unwrap()
    }

    #[test]
    fn earlier_prompt_logprobs_are_left_out_when_only_the_last_are_wanted() {
        let all = response(|_| ());
        assert_eq!(all.prompt_logprobs.unwrap(), [None, Some(-1.0), Some(-2.0)]);
        assert_eq!(all.topk_prompt_logprobs.unwrap()[0], None);
        let last = response(|r| r.prompt_logprobs_last_n = Some(1));
        assert_eq!(last.prompt_logprobs.unwrap(), [None, None, Some(-2.0)]);
        let topk = last.topk_prompt_logprobs.unwrap();
        assert!(topk[1].is_none() && topk[2].is_some());
        assert!(last.target_prompt_logprobs.is_none() && last.prompt_alt_tokens.is_none());
    }

    #[test]
    fn targets_come_back_in_the_layout_they_came_in() {
        let dense = TensorData::from(vec![5, -1, -1, 8])
            .with_shape([2, 2])
            .unwrap();
        let answer = response(|r| r.target_prompt_logprobs = Some(dense));
        let values = answer.target_prompt_logprobs.unwrap();
        assert_eq!(values.as_f32().unwrap(), [-3.0, 0.0, 0.0, -4.0]);
        assert_eq!(values.shape(), Some(&[2, 2][..]));
        let ids = Elements::Int64([9, 8].into());
        let sparse = TensorData::csr(ids, [0, 1, 2], [0, 4], [2, 5]).unwrap();
        let answer = response(|r| r.target_prompt_logprobs = Some(sparse));
        let values = answer.target_prompt_logprobs.unwrap();
        assert_eq!(values.csr_indices(), Some((&[0, 1, 2][..], &[0, 4][..])));
        assert_eq!(values.elements(), &Elements::Float32([-3.0, -4.0].into()));
    }

    #[test]
    fn alternatives_are_two_tensors() {
        let drawn = response(|r| r.prompt_alt_tokens_k = 2)
            .prompt_alt_tokens
            .unwrap();
        assert_eq!(drawn.tokens.as_i64().unwrap(), [5, 6, 7, 7]);
        assert_eq!(drawn.logprobs.shape(), Some(&[2, 2][..]));
    }
}
