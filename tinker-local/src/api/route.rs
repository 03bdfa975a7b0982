//! Routing table: the endpoints, each with the handler that answers it.

use std::pin::Pin;

use http::{Method as HttpMethod, StatusCode};
use tinker_types::wire::route::{self, captures};
use tinker_types::{self as types, Endpoint, Method};

use super::call::Call;
use super::credential::Credential;
use super::response::Response;
use super::target::Target;
use super::{
    account, audit, billing, checkpoint, config, external, found, future, model, poll, run,
    sampling, search, session, tarball, trace, training, upload, weights,
};
use crate::refusal::Refusal;

/// An endpoint.
#[derive(Clone, Copy)]
pub(super) struct Route {
    method: Method,
    /// Path that precedes the template.
    prefix: &'static str,
    template: &'static str,
    pub(super) handler: Handler,
    /// Clients before version 0.25 do not use it.
    pub(super) is_newer: bool,
    pub(super) credential: Credential,
    /// Its body is a file.
    pub(super) takes_file: bool,
}

/// Handler of a request.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Responds at once.
    Now(fn(&Call<'_>) -> Result<Response, Refusal>),
    /// Waits for a result or the disk.
    Later(for<'a> fn(&'a Call<'a>) -> Answering<'a>),
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send + 'a>>;

impl Route {
    const fn of<E: Endpoint>(handler: Handler) -> Self {
        Self::at(E::METHOD, E::ROUTE, handler)
    }

    const fn at(method: Method, template: &'static str, handler: Handler) -> Self {
        Self {
            method,
            prefix: route::PREFIX,
            template,
            handler,
            is_newer: false,
            credential: Credential::Token,
            takes_file: false,
        }
    }

    /// A file, which is fetched with a signed link.
    const fn file(template: &'static str, handler: Handler) -> Self {
        let mut file = Self::at(Method::Get, template, handler).with(Credential::None);
        file.prefix = route::FILES;
        file
    }

    /// A file, which is sent to a signed link.
    const fn upload(template: &'static str, handler: Handler) -> Self {
        let mut upload = Self::at(Method::Put, template, handler).with(Credential::None);
        upload.prefix = route::FILES;
        upload.takes_file = true;
        upload
    }

    const fn newer(mut self) -> Self {
        self.is_newer = true;
        self
    }

    const fn with(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }
}

macro_rules! later {
    ($handler:path) => {
        Handler::Later(|call| Box::pin($handler(call)))
    };
}

use Handler::Now;

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::of::<types::GetClientConfig>(Now(|call| Ok(config::client(call)))).with(Credential::Key),
    Route::of::<types::GetDynamicConfig>(Now(|call| Ok(config::dynamic(call)))).newer(),
    Route::of::<types::ExchangeToken>(Now(account::exchange)).with(Credential::Key),
    Route::of::<types::GetApiKey>(Now(|call| Ok(account::key(call)))).newer().with(Credential::Key),
    Route::of::<types::GetHealth>(Now(|_| Ok(config::health()))).with(Credential::None),
    Route::of::<types::GetServerCapabilities>(Now(|call| Ok(config::capabilities(call)))),
    Route::of::<types::SendTelemetry>(Now(|_| Ok(config::telemetry()))),
    Route::of::<types::CreateSession>(later!(session::create)),
    Route::of::<types::SessionHeartbeat>(Now(session::heartbeat)),
    Route::of::<types::FinishSession>(Now(session::finish)).newer(),
    Route::of::<types::ListSessions>(Now(search::list)),
    Route::of::<types::GetSession>(Now(search::info)),
    Route::of::<types::SearchCheckpoints>(later!(found::search)).newer(),
    Route::of::<types::SearchSessions>(later!(search::search)).newer(),
    Route::of::<types::AssignSessionProject>(Now(session::assign_project)),
    Route::of::<types::ExportSessionTrace>(Now(trace::export)),
    Route::of::<types::CreateSamplingSession>(later!(sampling::create_sampler)),
    Route::of::<types::JoinSamplingSession>(Now(sampling::join_sampler)).newer(),
    Route::of::<types::GetSampler>(Now(sampling::sampler_info)),
    Route::of::<types::CreateModel>(Now(model::create)),
    Route::at(Method::Post, route::UNLOAD_MODEL, Now(model::unload)),
    Route::of::<types::GetInfo>(Now(model::info)),
    Route::of::<types::LoadWeights>(later!(weights::load)),
    Route::of::<types::CreateCustomLoss>(Now(training::create_loss)).newer(),
    Route::of::<types::ForwardBackward>(Now(training::forward_backward)),
    Route::at(Method::Post, route::FORWARD, Now(training::forward_backward)),
    Route::of::<types::OptimStep>(Now(training::optim_step)),
    Route::of::<types::SaveWeights>(Now(weights::save)),
    Route::of::<types::SaveWeightsForSampler>(Now(weights::save_for_sampler)),
    Route::of::<types::SaveWeightsExternal>(Now(weights::save_external)).newer(),
    Route::of::<types::GetWeightsInfo>(later!(weights::info)),
    Route::of::<types::CopyWeights>(later!(checkpoint::copy)).newer(),
    Route::of::<types::SampleRequest>(Now(sampling::sample)),
    Route::at(Method::Post, route::STREAM_SAMPLE, Now(sampling::stream)).newer(),
    Route::of::<types::RetrieveFuture>(later!(future::retrieve)),
    Route::of::<types::RetrieveFutures>(later!(poll::retrieve)).newer(),
    Route::of::<types::CancelFuture>(Now(future::cancel)).newer(),
    Route::of::<types::ListTrainingRuns>(later!(run::list)),
    Route::of::<types::GetTrainingRun>(later!(run::info)),
    Route::of::<types::ListRunCheckpoints>(later!(run::checkpoints)),
    Route::at(Method::Get, route::MODEL_CHECKPOINTS, later!(run::checkpoints)),
    Route::of::<types::ListCheckpoints>(later!(checkpoint::list)),
    Route::of::<types::DeleteCheckpoint>(later!(checkpoint::delete)),
    Route::of::<types::PublishCheckpoint>(Handler::Later(|call| Box::pin(checkpoint::set_public(call, true)))),
    Route::of::<types::UnpublishCheckpoint>(Handler::Later(|call| Box::pin(checkpoint::set_public(call, false)))),
    Route::of::<types::SetCheckpointTtl>(later!(checkpoint::set_lifetime)),
    Route::of::<types::GetExternalWeightsUrls>(later!(external::urls)).newer(),
    Route::of::<types::StartWeightsUpload>(Now(upload::start)).newer(),
    Route::of::<types::FinishWeightsUpload>(later!(upload::finish)).newer(),
    Route::of::<types::GetCheckpointArchiveUrl>(later!(tarball::url)),
    Route::of::<types::GetAuditLog>(Now(audit::list)),
    Route::of::<types::GetBillingUsage>(Now(billing::usage)),
    Route::of::<types::GetCheckpointStorage>(later!(billing::storage)).newer(),
    Route::file(route::TRACE, Now(trace::file)),
    Route::file(route::ARCHIVE, later!(tarball::file)),
    Route::file(route::FILE, later!(external::file)),
    Route::upload(route::UPLOAD, later!(upload::file)),
];

impl Target {
    /// The endpoint for a request, with the values in its path.
    pub(super) fn route(
        &self,
        method: &HttpMethod,
        path: &str,
    ) -> Result<(Route, Vec<&str>), Refusal> {
        let mut others = Vec::new();
        for route in ROUTES {
            if route.prefix == self.prefix
                && let Some(values) = captures(route.template, &self.path)
            {
                if route.method.as_str() == method.as_str() {
                    return Ok((*route, values));
                }
                others.push(route.method.as_str());
            }
        }
        if others.is_empty() {
            return Err(unknown(method, path));
        }
        let others = others.join(" or ");
        let detail = format!("{method} is not offered at {path}; use {others}");
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail))
    }
}

pub(super) fn unknown(method: &HttpMethod, path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::not_found(format!(
        "there is no endpoint {method} {shown} here; endpoints begin with {}",
        route::PREFIX
    ))
}

/// The path of a request below the prefix of the API, or the whole path if it has none.
pub(super) fn below_prefix(path: &str) -> &str {
    path.strip_prefix(route::PREFIX)
        .unwrap_or_else(|| path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &HttpMethod, path: &str) -> Result<(&'static str, Vec<String>), Refusal> {
        let target = Target::parse(path).ok_or_else(|| unknown(method, path))?;
        let (route, values) = target.route(method, path)?;
        Ok((
            route.template,
            values.into_iter().map(str::to_owned).collect(),
        ))
    }

    #[track_caller]
    fn assert_found(method: &HttpMethod, path: &str, template: &str, values: &[&str]) {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        assert_eq!(
            find(method, path),
            Ok((template, values)),
            "{method} {path}"
        );
    }

    #[test]
    fn ids_in_paths_are_decoded() {
        for path in ["s-1%3Atrain%3A0/checkpoints", "s-1:train:0/checkpoints/"] {
            let path = format!("/api/v1/training_runs/{path}");
            let template = types::ListRunCheckpoints::ROUTE;
            assert_found(&HttpMethod::GET, &path, template, &["s-1:train:0"]);
        }
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        let status = |method, path: &str| find(&method, path).map_err(|r| r.status.as_u16());
        assert_eq!(status(HttpMethod::GET, "/api/v1/create_model"), Err(405));
        for path in [
            "/",
            "/api/v1/",
            "/api/v2/healthz",
            "/api/v1/nothing",
            "/api/v1/samplers/%FF",
            "/api/v1/samplers/a/b",
        ] {
            assert_eq!(status(HttpMethod::GET, path), Err(404), "{path}");
        }
        let refusal = find(&HttpMethod::POST, "/api/v1/copy_nothing").unwrap_err();
        assert!(refusal.detail.contains("/api/v1/copy_nothing"));
        let refusal = find(
            &HttpMethod::GET,
            "/api/v1/training_runs/r/checkpoints/weights/a/publish",
        );
        assert!(refusal.unwrap_err().detail.ends_with("use POST or DELETE"));
    }

    #[test]
    fn the_slash_within_a_checkpoints_id_may_be_escaped() {
        let values = ["s:train:0", "weights", "a b"];
        for path in ["weights/a%20b", "weights%2Fa%20b"] {
            let path = format!("/api/v1/training_runs/s%3Atrain%3A0/checkpoints/{path}/publish");
            for method in [HttpMethod::POST, HttpMethod::DELETE] {
                assert_found(&method, &path, types::PublishCheckpoint::ROUTE, &values);
            }
        }
        let [run, kind, name] = values;
        let path = "/files/s%3Atrain%3A0/weights/a%20b/f.json";
        let values = [run, kind, name, "f.json"];
        assert_found(&HttpMethod::GET, path, route::FILE, &values);
    }

    #[test]
    fn no_two_endpoints_have_the_same_method_and_route() {
        for (at, one) in ROUTES.iter().enumerate() {
            for other in &ROUTES[at + 1..] {
                let is_same = one.template == other.template && one.prefix == other.prefix;
                assert!(!is_same || one.method != other.method, "{}", one.template);
            }
        }
    }

    #[test]
    fn the_newer_and_the_open_endpoints_are_these() {
        let templates = |has_flag: fn(&Route) -> bool| -> Vec<&str> {
            let flagged = ROUTES.iter().filter(|route| has_flag(route));
            flagged.map(|route| route.template).collect()
        };
        assert_eq!(
            templates(|route| route.is_newer),
            [
                "client/dynamic_config",
                "auth/apikey/me",
                "sessions/{session}/finish",
                "checkpoints/search",
                "sessions/search",
                "join_sampling_session",
                "create_custom_loss",
                "save_weights_external",
                "copy_weights",
                route::STREAM_SAMPLE,
                "retrieve_futures",
                "cancel_future",
                "training_runs/{run}/checkpoints/{kind}/{name}/external_weights_urls",
                "external_weights_upload_start",
                "external_weights_upload_finish",
                "billing/usage/checkpoints/current",
            ]
        );
        assert_eq!(
            templates(|route| route.credential == Credential::Key),
            ["client/config", "auth/token", "auth/apikey/me"]
        );
        assert_eq!(
            templates(|route| route.credential == Credential::None),
            [
                "healthz",
                route::TRACE,
                route::ARCHIVE,
                route::FILE,
                route::UPLOAD,
            ]
        );
    }
}
