//! Calls that are safe to repeat.

use bytes::Bytes;
use http::StatusCode;
use tinker_transport::policy::Standard;
use tinker_transport::{Call, Class};
use tinker_types::Endpoint;

use crate::error::Error;
use crate::retry::conflict::ConflictIsFinal;
use crate::session::state::ClientState;
use crate::wire::api::Answer;
use crate::wire::request::{Form, address, build, repeatable};

/// Sends a request that is safe to repeat and reads its answer, for a public method.
pub(crate) async fn ask<E: Endpoint>(
    state: &ClientState,
    method: &'static str,
    request: E,
) -> Result<E::Response, Error> {
    let connection = state.connection().await?;
    let answer = connection.api.call(&request, call::<E>(method));
    state.events().outcome(Box::pin(answer).await)
}

/// Sends a request without a body that sets a state. `already` is the status for a state that was set before. It is
/// final, whatever the policy of the class; after a failed attempt of this call it means that the attempt arrived.
pub(crate) async fn set<E: Endpoint>(
    state: &ClientState,
    method: &'static str,
    request: E,
    already: StatusCode,
) -> Result<(), Error> {
    let connection = state.connection().await?;
    let call = call::<E>(method).with_policy(ConflictIsFinal(Standard::new()));
    let request = build(
        E::METHOD,
        address(&request)?,
        Form::Json,
        Bytes::new(),
        call,
    );
    match Box::pin(connection.api.exchange(request, Answer::into_nothing)).await {
        Err(Error::Status(error)) if error.status() == already && error.attempts() > 1 => Ok(()),
        result => state.events().outcome(result),
    }
}

/// The call of a request that is safe to repeat.
pub(crate) fn call<E: Endpoint>(method: &'static str) -> Call {
    repeatable::<E>(Class::Rest).with_caller(method)
}

/// Sends a request that is safe to repeat and ignores the body of a success, for a public method.
pub(crate) async fn ask_void<E: Endpoint>(
    state: &ClientState,
    method: &'static str,
    request: E,
) -> Result<(), Error> {
    let connection = state.connection().await?;
    let answer = connection.api.call_void(&request, call::<E>(method));
    state.events().outcome(Box::pin(answer).await)
}
