//! Conversion of training results.

use std::collections::BTreeMap;

use tinker_types::{ForwardBackwardOutput, TensorData};

use tinker_engine::backend::{BackendError, TrainBatch, TrainOutput};

/// The result of a pass over `batch`: logprobs in the shape of each datum's targets, and the metrics.
pub(super) fn output(
    batch: &TrainBatch,
    given: TrainOutput,
) -> Result<ForwardBackwardOutput, BackendError> {
    if given.logprobs.len() != batch.data.len() {
        let (have, want) = (given.logprobs.len(), batch.data.len());
        return Err(BackendError::server(format!(
            "the engine gave logprobs of {have} data for {want}"
        )));
    }
    let mut output = ForwardBackwardOutput::default();
    output.loss_fn_output_type.push_str("ArrayRecord");
    for (datum, logprobs) in batch.data.iter().zip(given.logprobs) {
        let mut tensor = TensorData::from(logprobs);
        if datum.targets_per_position > 1 {
            let shape = [datum.tokens.len(), datum.targets_per_position];
            tensor = tensor
                .with_shape(shape)
                .map_err(|e| BackendError::server(format!("logprobs of the engine: {e}")))?;
        }
        output
            .loss_fn_outputs
            .push(BTreeMap::from([("logprobs".to_owned(), tensor)]));
    }
    output.metrics.extend(given.metrics);
    output.metrics.insert("loss:sum".to_owned(), given.loss_sum);
    Ok(output)
}
