//! Submitting a training pass.

use bytes::Bytes;
use tinker_transport::{Call, Class, Compression, Replay};
use tinker_types::wire::route;
use tinker_types::{Endpoint, ForwardBackward, InvalidValue, Method, Submitted, proto};

use crate::api::{self, Form, locate};
use crate::codec;
use crate::error::{Error, wants_json};
use crate::link::Link;

/// Passes above this are encoded on a blocking thread; below, it takes about a millisecond.
const LARGE: u64 = 512 * 1024;

/// An operation, and the public method behind it.
type Named = (&'static str, &'static str);

/// Submits a pass that is taken for `bytes`, in the form the server reads.
///
/// A server that refuses protobuf in a way that shows it expected JSON gets the JSON form once,
/// with the same sequence id; if it takes that, it is remembered.
pub(crate) async fn submit(
    link: &Link,
    operation: Named,
    pass: ForwardBackward,
    bytes: u64,
) -> Result<Submitted, Error> {
    let form = link.format.known();
    if form == Some(Form::Json) {
        return send_json(link, operation, pass, bytes)
            .await?
            .into_message();
    }
    let body = encode(pass.clone(), bytes).await?;
    let mut call = describe(operation, bytes);
    if link.flags.fixed().proto_compress_fwdbwd {
        call = call.with_compression(Compression::Zstd);
    }
    let path = locate(ForwardBackward::ROUTE, &[]);
    let request = api::build(Method::Post, &path, Form::Protobuf, body, call)?;
    let answer = link.api.send(request).await?;
    if answer.status.is_success() {
        link.format.settle(Form::Protobuf);
        return answer.into_message();
    }
    if form.is_some() || !wants_json(answer.status.as_u16(), &answer.body) {
        return answer.into_message();
    }
    let second = send_json(link, operation, pass, bytes).await?;
    // Neither form, or no such route for the other: the first refusal is the one that counts.
    if matches!(second.status.as_u16(), 404 | 405 | 415) {
        return answer.into_message();
    }
    tracing::info!("the server reads training requests as JSON; using that from now on");
    link.format.settle(Form::Json);
    second.into_message()
}

async fn send_json(
    link: &Link,
    operation: Named,
    pass: ForwardBackward,
    bytes: u64,
) -> Result<api::Answer, Error> {
    // Servers of the JSON form have a route of their own for passes without gradients.
    let path = locate(
        if pass.forward_only {
            route::FORWARD
        } else {
            ForwardBackward::ROUTE
        },
        &[],
    );
    let body = blocking_if(bytes > LARGE, move || codec::to_json(operation.0, &pass)).await?;
    let request = api::build(
        Method::Post,
        &path,
        Form::Json,
        body,
        describe(operation, bytes),
    )?;
    Ok(link.api.send(request).await?)
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
        crate::blocking::run(work).await
    } else {
        work()
    }
}

fn describe((operation, method): Named, bytes: u64) -> Call {
    // The server recognises a repeat by its sequence id.
    Call::new(operation, Class::Train)
        .with_caller(method)
        .with_replay(Replay::Safe)
        .with_weight(bytes)
}
