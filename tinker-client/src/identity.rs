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
        "save_weights_external" => "TrainingClient.save_weights_external",
        "forward_backward_custom" => "TrainingClient.forward_backward_custom",
        "asample" | "join_sampling_session" | "stream_sample" => "SamplingClient.sample",
        "create_custom_loss" => "ServiceClient.create_custom_loss",
        "get_training_run" => "RestClient.get_training_run",
        "list_training_runs" => "RestClient.list_training_runs",
        "list_checkpoints" => "RestClient.list_checkpoints",
        "list_user_checkpoints" => "RestClient.list_user_checkpoints",
        "delete_checkpoint" => "RestClient.delete_checkpoint_from_tinker_path",
        "publish_checkpoint" => "RestClient.publish_checkpoint_from_tinker_path",
        "unpublish_checkpoint" => "RestClient.unpublish_checkpoint_from_tinker_path",
        "set_checkpoint_ttl" => "RestClient.set_checkpoint_ttl_from_tinker_path",
        "get_external_weights_urls" => "RestClient.get_external_weights_urls",
        "weights_info" => "RestClient.get_weights_info_by_tinker_path",
        "copy_weights" => "RestClient.copy_weights",
        "get_session" => "RestClient.get_session",
        "list_sessions" => "RestClient.list_sessions",
        "sessions/search" => "RestClient.search_sessions",
        "assign_session_project" => "RestClient.assign_session_project",
        "export_session_trace" => "RestClient.export_session_trace",
        "get_audit_log" => "AdminClient.get_audit_log",
        "get_billing_usage" => "AdminClient.get_billing_usage",
        "get_current_checkpoint_storage_usage" => {
            "AdminClient.get_current_checkpoint_storage_usage"
        }
        _ => return None,
    })
}
