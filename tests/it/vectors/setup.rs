//! Set-up of the client of a replay, with the configuration of the official one.

use std::collections::BTreeSet;
use std::error::Error;

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tinker_client::{Config, CredentialsFile, StoredKey};
use tinker_transport::Token;
use tinker_types::CreateSession;
use url::Url;

use super::exchange::Exchange;
use super::known;
use super::vector::Vector;

/// Headers that do not depend on the configuration of a client.
const ORDINARY: [&str; 10] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-api-key",
    "x-idempotency-key",
];

/// Settings with which our client sends the recorded requests.
pub(crate) fn config(vector: &Vector) -> Result<Config, String> {
    config_of(vector, vector.exchanges.first())
}

/// The same for the last client, where a recording has several.
pub(crate) fn config_of_the_last(vector: &Vector) -> Result<Config, String> {
    let mut exchanges = vector.exchanges.iter();
    let starts = |exchange: &&Exchange| exchange.request.route() == ["client", "config"];
    let start = exchanges.rfind(starts);
    config_of(vector, start.or(vector.exchanges.first()))
}

/// The settings of the client with this first request.
fn config_of(vector: &Vector, first: Option<&Exchange>) -> Result<Config, String> {
    let prefix = first
        .and_then(|exchange| exchange.request.path.split_once("/api/v1/"))
        .map_or("", |(prefix, _)| prefix);
    let origin = redirect_origin(vector).unwrap_or_else(|| "http://recorded.test".to_owned());
    let mut config = Config::new(format!("{origin}{prefix}/"));
    let key = first.and_then(|exchange| exchange.request.header("x-api-key"));
    config = config.with_api_key(key.unwrap_or("tml-test-key"));
    if let Some(file) = vector.extra.get("credentials_file") {
        config.api_key = stored_key(file).map_err(|error| error.to_string())?;
    }
    for (name, value) in configured_headers(first) {
        let name = HeaderName::try_from(&name).map_err(|error| error.to_string())?;
        let value = HeaderValue::try_from(&value).map_err(|error| error.to_string())?;
        config = config.with_header(name, value);
    }
    if let Some(session) = recorded_session(vector)? {
        config.tags = session.tags;
        config.user_metadata = session.user_metadata;
        config.project_id = session.project_id;
        config.display_name = session.display_name;
    }
    config.telemetry = vector.area() == "telemetry";
    config.dialect.official_form = Some(true);
    Ok(known::configure(&vector.name, config))
}

/// The key in a file of stored keys.
fn stored_key(content: &Value) -> Result<Option<Token>, Box<dyn Error>> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), content.to_string())?;
    let stored = CredentialsFile::at(file.path()).read()?;
    Ok(stored.default_key().map(StoredKey::token))
}

/// The address of a server that redirects to itself.
fn redirect_origin(vector: &Vector) -> Option<String> {
    let mut pairs = vector.exchanges.windows(2);
    pairs.find_map(|pair| {
        let location = pair[0].response.as_ref()?.headers.get("location")?;
        // Another server has a separate counter.
        let is_same_server = pair[1].n > pair[0].n;
        let origin = Url::parse(location).ok()?.origin();
        is_same_server.then(|| origin.ascii_serialization())
    })
}

fn configured_headers(first: Option<&Exchange>) -> BTreeSet<(String, String)> {
    let is_ordinary = |name: &str| {
        let prefixes = ["x-stainless-", "x-sdk-", "x-tinker-"];
        ORDINARY.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let headers = first.map(|exchange| &exchange.request.headers);
    let headers = headers.into_iter().flatten();
    headers
        .filter(|(name, _)| !is_ordinary(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn recorded_session(vector: &Vector) -> Result<Option<CreateSession>, String> {
    let body = vector
        .exchanges
        .iter()
        .find(|exchange| exchange.request.route() == ["create_session"])
        .and_then(|exchange| exchange.request.body.json());
    let read = |body: &serde_json::Value| {
        serde_json::from_value(body.clone()).map_err(|error| format!("create_session: {error}"))
    };
    body.map(read).transpose()
}
