//! One endpoint against one recorded exchange.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tinker_types::{Endpoint, Method};

use crate::vectors::exchange::Exchange;
use crate::vectors::json::{self, Rule};
use crate::vectors::message::Message;

/// Unknown fields that the recording server added to test that they are ignored, and the optional type tag.
const MADE_UP: [&str; 3] = ["brand_new", "zzz", "type"];

/// The decoded answer; `None` without a readable answer.
pub(super) type Read = Result<Option<Value>, String>;

/// An exchange with its request decoded.
pub(super) struct Case<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) message: &'a Message,
    /// Whether the answer is a success with a body.
    pub(super) reads_answer: bool,
}

/// A request that is fully described by its JSON body.
pub(super) fn as_json<E>(case: &Case<'_>) -> Read
where
    E: Endpoint<Response: Serialize> + DeserializeOwned,
{
    as_value(case, &read::<E>(case.message)?)
}

/// The same for an endpoint whose answer is ignored.
pub(super) fn as_json_void<E>(case: &Case<'_>) -> Read
where
    E: Endpoint + DeserializeOwned,
{
    as_value_void(case, &read::<E>(case.message)?)
}

/// Checks that this endpoint makes the recorded request and decodes the recorded answer.
pub(super) fn as_value<E>(case: &Case<'_>, endpoint: &E) -> Read
where
    E: Endpoint<Response: Serialize>,
{
    check_request(case, endpoint)?;
    match answer(case) {
        Some(body) => reencoded::<E::Response>(body).map(Some),
        None => Ok(None),
    }
}

/// Checks that this endpoint makes the recorded request.
pub(super) fn as_value_void<E: Endpoint>(case: &Case<'_>, endpoint: &E) -> Read {
    check_request(case, endpoint)?;
    Ok(None)
}

/// Decodes the message as a request type.
pub(super) fn read<T: DeserializeOwned>(message: &Message) -> Result<T, String> {
    let body = message.json().ok_or("the body is not JSON")?;
    serde_json::from_value(body.clone()).map_err(|error| format!("the request: {error}"))
}

/// The body of a successful answer.
pub(super) fn answer<'a>(case: &Case<'a>) -> Option<&'a Value> {
    let answer = case.exchange.response.as_ref()?;
    let is_readable = case.reads_answer && case.exchange.is_success();
    answer.body.json().filter(|_| is_readable)
}

/// Decodes an answer as `T` and encodes it again; both must be equal.
pub(super) fn reencoded<T: DeserializeOwned + Serialize>(body: &Value) -> Result<Value, String> {
    let read: T =
        serde_json::from_value(body.clone()).map_err(|error| format!("the answer: {error}"))?;
    let written = serde_json::to_value(read).map_err(|error| error.to_string())?;
    let mut known = body.clone();
    if let Value::Object(fields) = &mut known {
        fields.retain(|name, _| !MADE_UP.contains(&name.as_str()));
    }
    match json::difference(&known, &written, Rule::Reencoded) {
        Some(difference) => Err(format!("the answer, written again: {difference}")),
        None => Ok(written),
    }
}

fn check_request<E: Endpoint>(case: &Case<'_>, endpoint: &E) -> Result<(), String> {
    let asked = &case.exchange.request;
    let (method, path) = (E::METHOD.as_str(), endpoint.path());
    let recorded = asked.route().join("/");
    if (method, &*path) != (asked.method.as_str(), recorded.as_str()) {
        return Err(format!("the type makes {method} {path}"));
    }
    let query: Vec<(String, String)> = endpoint
        .query()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    if query != asked.query {
        return Err(format!("the type makes the query {query:?}"));
    }
    // Like the official client, ours sends no body for these.
    if matches!(E::METHOD, Method::Get | Method::Delete) {
        return Ok(());
    }
    let Message::Json(recorded) = case.message else {
        return Ok(());
    };
    let written = serde_json::to_value(endpoint).map_err(|error| error.to_string())?;
    match json::difference(recorded, &written, Rule::Written) {
        Some(difference) => Err(format!("the request, written again: {difference}")),
        None => Ok(()),
    }
}
