//! Which endpoint a method and a path mean.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use tinker_types::CheckpointPath;

use crate::refusal::Refusal;

/// An endpoint, with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    ClientConfig,
    DynamicConfig,
    AuthToken,
    ApiKey,
    Health,
    Capabilities,
    Telemetry,
    CreateSession,
    Heartbeat,
    FinishSession(String),
    Sessions,
    Session(String),
    SessionProject(String),
    SearchSessions,
    TraceExport(String),
    CreateSampler,
    JoinSampler,
    Sampler(String),
    CreateModel,
    UnloadModel,
    ModelInfo,
    LoadWeights,
    CreateLoss,
    ForwardBackward,
    OptimStep,
    SaveWeights,
    SaveForSampler,
    SaveExternal,
    WeightsInfo,
    CopyWeights,
    Sample,
    StreamSample,
    Retrieve,
    RetrieveMany,
    Cancel,
    Runs,
    Run(String),
    RunCheckpoints(String),
    Checkpoints,
    DeleteCheckpoint(Place),
    Publish(Place),
    Unpublish(Place),
    Lifetime(Place),
    ExternalUrls(Place),
    TarballUrl(Place),
    Audit,
    Usage,
    Storage,
    File(Place, String),
    Tarball(Place),
    TraceFile(String),
}

/// A checkpoint as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) run: String,
    pub(super) kind: String,
    pub(super) name: String,
}

impl Place {
    fn new(run: &str, kind: &str, name: &str) -> Self {
        Self {
            run: run.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn path(&self) -> Result<CheckpointPath, Refusal> {
        let path = format!("tinker://{}/{}/{}", self.run, self.kind, self.name).parse();
        path.map_err(|e: tinker_types::InvalidValue| Refusal::malformed(e.to_string()))
    }
}

const PREFIX: &str = "/api/v1/";

/// Where files are fetched, outside of the API as on the service.
const FILES: &str = "/files/";

/// What follows a checkpoint's name in the link to all its files.
pub(super) const TARBALL: &str = ".tar";

/// The path of a request below the prefix of the API; all of it where it has none.
pub(super) fn below_prefix(path: &str) -> &str {
    path.strip_prefix(PREFIX)
        .unwrap_or_else(|| path.trim_start_matches('/'))
}

impl Route {
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, Refusal> {
        let unknown = || unknown(method, path);
        let lookup = if path.starts_with(FILES) {
            lookup_file
        } else if path.starts_with(PREFIX) {
            lookup
        } else {
            return Err(unknown());
        };
        let rest = path.trim_start_matches(FILES).trim_start_matches(PREFIX);
        let rest = percent_decode_str(rest.trim_end_matches('/')).decode_utf8();
        let rest = rest.map_err(|_| unknown())?;
        // Split after decoding: clients differ in whether the slash within a checkpoint's id is escaped.
        let parts: Vec<&str> = rest.split('/').collect();
        if let Some(route) = lookup(method.as_str(), &parts) {
            return Ok(route);
        }
        let others: Vec<&str> = ["GET", "POST", "PUT", "DELETE"]
            .into_iter()
            .filter(|other| lookup(other, &parts).is_some())
            .collect();
        if others.is_empty() {
            return Err(unknown());
        }
        let detail = format!(
            "{method} is not offered at {path}; use {}",
            others.join(" or ")
        );
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail))
    }

    /// Clients before version 0.25 call it.
    pub(super) fn is_older(&self) -> bool {
        !matches!(
            self,
            Self::DynamicConfig
                | Self::ApiKey
                | Self::FinishSession(_)
                | Self::SearchSessions
                | Self::JoinSampler
                | Self::CreateLoss
                | Self::StreamSample
                | Self::SaveExternal
                | Self::CopyWeights
                | Self::RetrieveMany
                | Self::Cancel
                | Self::ExternalUrls(_)
                | Self::Storage
        )
    }

    /// It is reached without a token where tokens are demanded.
    pub(super) fn is_open(&self) -> bool {
        matches!(
            self,
            Self::ClientConfig
                | Self::AuthToken
                | Self::ApiKey
                | Self::Health
                | Self::File(..)
                | Self::Tarball(_)
                | Self::TraceFile(_)
        )
    }
}

pub(super) fn unknown(method: &Method, path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::not_found(format!(
        "there is no endpoint {method} {shown} here; endpoints begin with {PREFIX}"
    ))
}

fn lookup_file(method: &str, parts: &[&str]) -> Option<Route> {
    let route = match (method, parts) {
        ("GET", ["traces", session]) => Route::TraceFile((*session).to_owned()),
        ("GET", [run, kind, name]) => {
            Route::Tarball(Place::new(run, kind, name.strip_suffix(TARBALL)?))
        }
        ("GET", [run, kind, name, file]) => {
            Route::File(Place::new(run, kind, name), (*file).to_owned())
        }
        _ => return None,
    };
    Some(route)
}

fn lookup(method: &str, parts: &[&str]) -> Option<Route> {
    let own = |id: &str| id.to_owned();
    let route = match (method, parts) {
        ("POST", ["client", "config"]) => Route::ClientConfig,
        ("POST", ["client", "dynamic_config"]) => Route::DynamicConfig,
        ("POST", ["auth", "token"]) => Route::AuthToken,
        ("GET", ["auth", "apikey", "me"]) => Route::ApiKey,
        ("GET", ["healthz"]) => Route::Health,
        ("GET", ["get_server_capabilities"]) => Route::Capabilities,
        ("POST", ["telemetry"]) => Route::Telemetry,
        ("POST", ["create_session"]) => Route::CreateSession,
        ("POST", ["session_heartbeat"]) => Route::Heartbeat,
        ("GET", ["sessions"]) => Route::Sessions,
        ("POST", ["sessions", "search"]) => Route::SearchSessions,
        ("GET", ["sessions", id]) => Route::Session(own(id)),
        ("POST", ["sessions", id, "finish"]) => Route::FinishSession(own(id)),
        ("PUT", ["sessions", id, "project"]) => Route::SessionProject(own(id)),
        ("GET", ["sessions", id, "trace_export"]) => Route::TraceExport(own(id)),
        ("POST", ["create_sampling_session"]) => Route::CreateSampler,
        ("POST", ["join_sampling_session"]) => Route::JoinSampler,
        ("GET", ["samplers", id]) => Route::Sampler(own(id)),
        ("POST", ["create_model"]) => Route::CreateModel,
        ("POST", ["unload_model"]) => Route::UnloadModel,
        ("POST", ["get_info"]) => Route::ModelInfo,
        ("POST", ["load_weights"]) => Route::LoadWeights,
        ("POST", ["create_custom_loss"]) => Route::CreateLoss,
        // Older clients have an endpoint of its own for passes without gradients.
        ("POST", ["forward_backward" | "forward"]) => Route::ForwardBackward,
        ("POST", ["optim_step"]) => Route::OptimStep,
        ("POST", ["save_weights"]) => Route::SaveWeights,
        ("POST", ["save_weights_for_sampler"]) => Route::SaveForSampler,
        ("POST", ["save_weights_external"]) => Route::SaveExternal,
        ("POST", ["weights_info"]) => Route::WeightsInfo,
        ("POST", ["copy_weights"]) => Route::CopyWeights,
        ("POST", ["asample"]) => Route::Sample,
        ("POST", ["stream_sample"]) => Route::StreamSample,
        ("POST", ["retrieve_future"]) => Route::Retrieve,
        ("POST", ["retrieve_futures"]) => Route::RetrieveMany,
        ("POST", ["cancel_future"]) => Route::Cancel,
        ("GET", ["training_runs"]) => Route::Runs,
        ("GET", ["training_runs", id]) => Route::Run(own(id)),
        ("GET", ["training_runs" | "models", id, "checkpoints"]) => Route::RunCheckpoints(own(id)),
        ("GET", ["checkpoints"]) => Route::Checkpoints,
        ("GET", ["audit"]) => Route::Audit,
        ("GET", ["billing", "usage", "events"]) => Route::Usage,
        ("GET", ["billing", "usage", "checkpoints", "current"]) => Route::Storage,
        (_, ["training_runs", run, "checkpoints", kind, name, rest @ ..]) => {
            return lookup_checkpoint(method, Place::new(run, kind, name), rest);
        }
        _ => return None,
    };
    Some(route)
}

fn lookup_checkpoint(method: &str, place: Place, rest: &[&str]) -> Option<Route> {
    let route = match (method, rest) {
        ("DELETE", []) => Route::DeleteCheckpoint(place),
        ("POST", ["publish"]) => Route::Publish(place),
        ("DELETE", ["publish"]) => Route::Unpublish(place),
        ("PUT", ["ttl"]) => Route::Lifetime(place),
        ("GET", ["external_weights_urls"]) => Route::ExternalUrls(place),
        ("GET", ["archive"]) => Route::TarballUrl(place),
        _ => return None,
    };
    Some(route)
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
        let refusal = Route::find(&Method::POST, "/api/v1/copy_nothing").unwrap_err();
        assert!(refusal.detail.contains("/api/v1/copy_nothing"));
        let refusal = Route::find(
            &Method::GET,
            "/api/v1/training_runs/r/checkpoints/weights/a/publish",
        );
        assert!(refusal.unwrap_err().detail.ends_with("use POST or DELETE"));
    }

    #[test]
    fn the_slash_within_a_checkpoints_id_may_be_escaped() {
        let place = Place::new("s:train:0", "weights", "a b");
        for path in ["weights/a%20b", "weights%2Fa%20b"] {
            let path = format!("/api/v1/training_runs/s%3Atrain%3A0/checkpoints/{path}/publish");
            assert_eq!(
                find(&Method::POST, &path),
                Ok(Route::Publish(place.clone()))
            );
            assert_eq!(
                find(&Method::DELETE, &path),
                Ok(Route::Unpublish(place.clone()))
            );
        }
        assert_eq!(
            find(&Method::GET, "/files/s%3Atrain%3A0/weights/a%20b/f.json"),
            Ok(Route::File(place, "f.json".into()))
        );
        assert!(
            Place::new("r", "nothing", "a")
                .path()
                .unwrap_err()
                .detail
                .contains("unknown kind")
        );
    }
}
