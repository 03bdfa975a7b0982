//! Who we say we are.

/// The protocol version this client speaks: that of the official Python SDK of this number.
/// Servers may gate on it, so it is what `sdk_version` fields carry; the `User-Agent` is our own.
pub const PROTOCOL_VERSION: &str = "0.38.0";

/// The public method that causes calls of this operation, as `x-sdk-method` names it; `None` for
/// what the client does by itself.
pub(crate) fn method_of(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "create_model" => "ServiceClient.create_lora_training_client",
        "load_weights" => "ServiceClient.create_training_client_from_state",
        "get_server_capabilities" => "ServiceClient.get_server_capabilities",
        "finish_session" => "ServiceClient.close",
        "forward" => "TrainingClient.forward",
        "forward_backward" => "TrainingClient.forward_backward",
        "optim_step" => "TrainingClient.optim_step",
        "save_weights" => "TrainingClient.save_state",
        "save_weights_for_sampler" => "TrainingClient.save_weights_for_sampler",
        "asample" => "SamplingClient.sample",
        _ => return None,
    })
}
