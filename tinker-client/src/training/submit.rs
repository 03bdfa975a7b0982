//! Submission of a training pass.

use bytes::Bytes;
use tinker_transport::{Call, Class, Compression, Replay};
use tinker_types::wire::route;
use tinker_types::{Endpoint, ForwardBackward, InvalidValue, Method, Submitted, proto};

use crate::error::{Error, wants_json};
use crate::operation::tracker::Tracker;
use crate::session::connection::Connection;
use crate::wire::request::{Form, locate};
use crate::wire::{api::Answer, codec, request};

/// Passes above this size are encoded on a blocking thread; smaller ones take about a millisecond.
const LARGE: u64 = 512 * 1024;

/// Name of an operation, and its tracker.
type Named<'a> = (&'static str, &'a Tracker);

/// Submits a pass of the estimated size `bytes` in the form that the server accepts.
///
/// If the server refuses protobuf in a way that shows that it expects JSON, the pass is sent once more as JSON with the
/// same sequence id; if that is accepted, JSON is used from then on.
pub(crate) async fn submit(
    connection: &Connection,
    operation: Named<'_>,
    pass: ForwardBackward,
    bytes: u64,
) -> Result<Submitted, Error> {
    let form = connection.encoding.get().copied();
    if form == Some(Form::Json) {
        return send_json(connection, operation, pass, bytes)
            .await?
            .into_message();
    }
    let body = encode(pass.clone(), bytes).await?;
    let mut call = describe(operation, bytes);
    if connection.flags.fixed().proto_compress_fwdbwd {
        call = call.with_compression(Compression::Zstd);
    }
    let path = locate(ForwardBackward::ROUTE, &[]);
    let request = request::build(Method::Post, &path, Form::Protobuf, body, call)?;
    let answer = connection.api.send(request).await?;
    if answer.status.is_success() {
        connection.encoding.get_or_init(|| Form::Protobuf);
        return answer.into_message();
    }
    if form.is_some() || !wants_json(answer.status.as_u16(), &answer.body) {
        return answer.into_message();
    }
    let second = send_json(connection, operation, pass, bytes).await?;
    // JSON is not accepted either, or has no such route: report the first refusal.
    if matches!(second.status.as_u16(), 404 | 405 | 415) {
        return answer.into_message();
    }
    tracing::info!("the server accepts training requests as JSON only; using JSON");
    connection.encoding.get_or_init(|| Form::Json);
    second.into_message()
}

async fn send_json(
    connection: &Connection,
    operation: Named<'_>,
    pass: ForwardBackward,
    bytes: u64,
) -> Result<Answer, Error> {
    let name = operation.0;
    // Servers of the JSON form have a separate route for passes without gradients.
    let path = locate(
        if pass.forward_only {
            route::FORWARD
        } else {
            ForwardBackward::ROUTE
        },
        &[],
    );
    let body = blocking_if(bytes > LARGE, move || codec::to_json(name, &pass)).await?;
    let request = request::build(
        Method::Post,
        &path,
        Form::Json,
        body,
        describe(operation, bytes),
    )?;
    Ok(connection.api.send(request).await?)
}

async fn encode(pass: ForwardBackward, bytes: u64) -> Result<Bytes, Error> {
    let encode = move || proto::encode_request(&pass).map_err(|error: InvalidValue| error.into());
    blocking_if(bytes > LARGE, encode).await
}

async fn blocking_if(
    is_large: bool,
    work: impl FnOnce() -> Result<Bytes, Error> + Send + 'static,
) -> Result<Bytes, Error> {
    if is_large {
        crate::wire::blocking::run(work).await
    } else {
        work()
    }
}

fn describe((operation, tracker): Named<'_>, bytes: u64) -> Call {
    // The server recognizes a repeat by its sequence id.
    tracker
        .identify(Call::new(operation, Class::Train))
        .with_replay(Replay::Safe)
        .with_weight(bytes)
}
