//! Which endpoint a method and a path mean.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// An endpoint, with the ids in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    ClientConfig,
    DynamicConfig,
    AuthToken,
    Health,
    Capabilities,
    Telemetry,
    CreateSession,
    Heartbeat,
    FinishSession(String),
    CreateSampler,
    Sampler(String),
    CreateModel,
    ModelInfo,
    LoadWeights,
    ForwardBackward,
    OptimStep,
    SaveWeights,
    SaveForSampler,
    WeightsInfo,
    Sample,
    Retrieve,
    Cancel,
    Checkpoints,
    RunCheckpoints(String),
}

const PREFIX: &str = "/api/v1/";

impl Route {
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, Refusal> {
        let unknown = || {
            let shown: String = path.chars().take(200).collect();
            Refusal::not_found(format!(
                "there is no endpoint {method} {shown} here; endpoints begin with {PREFIX}"
            ))
        };
        let rest = path.strip_prefix(PREFIX).ok_or_else(unknown)?;
        let parts = rest
            .trim_end_matches('/')
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8());
        let parts = parts
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unknown())?;
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        let (expected, route) = match parts[..] {
            ["client", "config"] => (Method::POST, Self::ClientConfig),
            ["client", "dynamic_config"] => (Method::POST, Self::DynamicConfig),
            ["auth", "token"] => (Method::POST, Self::AuthToken),
            ["healthz"] => (Method::GET, Self::Health),
            ["get_server_capabilities"] => (Method::GET, Self::Capabilities),
            ["telemetry"] => (Method::POST, Self::Telemetry),
            ["create_session"] => (Method::POST, Self::CreateSession),
            ["session_heartbeat"] => (Method::POST, Self::Heartbeat),
            ["sessions", id, "finish"] => (Method::POST, Self::FinishSession(id.to_owned())),
            ["create_sampling_session"] => (Method::POST, Self::CreateSampler),
            ["samplers", id] => (Method::GET, Self::Sampler(id.to_owned())),
            ["create_model"] => (Method::POST, Self::CreateModel),
            ["get_info"] => (Method::POST, Self::ModelInfo),
            ["load_weights"] => (Method::POST, Self::LoadWeights),
            // Older clients have an endpoint of its own for passes without gradients.
            ["forward_backward" | "forward"] => (Method::POST, Self::ForwardBackward),
            ["optim_step"] => (Method::POST, Self::OptimStep),
            ["save_weights"] => (Method::POST, Self::SaveWeights),
            ["save_weights_for_sampler"] => (Method::POST, Self::SaveForSampler),
            ["weights_info"] => (Method::POST, Self::WeightsInfo),
            ["asample"] => (Method::POST, Self::Sample),
            ["retrieve_future"] => (Method::POST, Self::Retrieve),
            ["cancel_future"] => (Method::POST, Self::Cancel),
            ["checkpoints"] => (Method::GET, Self::Checkpoints),
            ["training_runs", id, "checkpoints"] => {
                (Method::GET, Self::RunCheckpoints(id.to_owned()))
            }
            _ => return Err(unknown()),
        };
        if *method == expected {
            Ok(route)
        } else {
            let detail = format!("{method} is not offered at {path}; use {expected}");
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &Method, path: &str) -> Result<Route, u16> {
        Route::find(method, path).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn ids_in_paths_are_decoded() {
        let run = Route::RunCheckpoints("s-1:train:0".into());
        assert_eq!(
            find(
                &Method::GET,
                "/api/v1/training_runs/s-1%3Atrain%3A0/checkpoints"
            ),
            Ok(run.clone())
        );
        assert_eq!(
            find(
                &Method::GET,
                "/api/v1/training_runs/s-1:train:0/checkpoints/"
            ),
            Ok(run)
        );
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        assert_eq!(find(&Method::GET, "/api/v1/create_model"), Err(405));
        for path in [
            "/",
            "/api/v1/",
            "/api/v2/healthz",
            "/api/v1/nothing",
            "/api/v1/samplers/%FF",
            "/api/v1/samplers/a/b",
        ] {
            assert_eq!(find(&Method::GET, path), Err(404), "{path}");
        }
        let refusal = Route::find(&Method::POST, "/api/v1/copy_weights").unwrap_err();
        assert!(refusal.detail.contains("/api/v1/copy_weights"));
    }
}
