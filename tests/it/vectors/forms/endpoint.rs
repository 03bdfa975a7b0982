//! One endpoint against one recorded exchange.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tinker_types::{Endpoint, Method};

use super::Read;
use crate::vectors::exchange::Exchange;
use crate::vectors::json::{self, Rule};
use crate::vectors::message::Message;

/// Fields that the recordings' server made up to see them ignored, and the tag that a type may lack.
const MADE_UP: [&str; 3] = ["brand_new", "zzz", "type"];

/// An exchange with its request decoded.
pub(super) struct Case<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) message: &'a Message,
    /// The answer is one that a client can read.
    pub(super) reads_answer: bool,
}

/// A request whose JSON body says everything.
pub(super) fn as_json<E>(case: &Case<'_>) -> Read
where
    E: Endpoint<Response: Serialize> + DeserializeOwned,
{
    as_value(case, &read::<E>(case.message)?)
}

/// The same for an endpoint whose answer is of no interest.
pub(super) fn as_json_void<E>(case: &Case<'_>) -> Read
where
    E: Endpoint + DeserializeOwned,
{
    as_value_void(case, &read::<E>(case.message)?)
}

/// This endpoint makes the recorded request, and reads the recorded answer.
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

/// This endpoint makes the recorded request.
pub(super) fn as_value_void<E: Endpoint>(case: &Case<'_>, endpoint: &E) -> Read {
    check_request(case, endpoint)?;
    Ok(None)
}

/// The message as a request type.
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

/// An answer read as `T` and written again; it must say the same.
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
    // Like the official client, ours sends nothing in the body of these.
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
