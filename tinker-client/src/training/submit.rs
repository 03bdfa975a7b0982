//! Submission of a training pass.

use std::ops::Range;

use bytes::Bytes;
use tinker_transport::{Body, Call, Class, Compression, Replay};
use tinker_types::wire::route;
use tinker_types::{Endpoint, ForwardBackward, Method, Submitted, proto};
use tokio::time::Instant;

use crate::config::dialect::Wire;
use crate::error::{Advice, Cause, Error, StatusError, wants_json, wants_protobuf};
use crate::operation::tracker::Tracker;
use crate::retry::conflict::FormUnsettled;
use crate::session::connection::Connection;
use crate::wire::request::{Form, locate};
use crate::wire::{api::Answer, codec, request};

/// Passes above this size are written as JSON on a blocking thread; smaller ones take about a millisecond. As protobuf
/// their arrays are sent from where they are, so that takes less at any size.
const LARGE: u64 = 512 * 1024;

/// A pass on its way to the server.
#[derive(Clone)]
pub(crate) struct Outgoing<'a> {
    pub(crate) operation: &'static str,
    pub(crate) tracker: &'a Tracker,
    pub(crate) pass: ForwardBackward,
    /// The data of the pass that are sent.
    pub(crate) part: Range<usize>,
    /// Estimated size of the part.
    pub(crate) bytes: u64,
    /// Whether a pass without gradients goes to the URL for those, in whatever form. In JSON it always does.
    pub(crate) by_url: bool,
}

/// Submits a pass in the form that the server accepts.
///
/// If the server refuses the first form in a way that shows that it expects the other, the pass is sent once in the other
/// form, with the same sequence id; the form that is accepted is used from then on. A 500 counts as such a refusal only
/// while no form was accepted yet, and as it may be a passing fault, the other form is used from then on only after this
/// has happened twice. A pass that was accepted is never sent again.
pub(crate) async fn submit(
    connection: &Connection,
    pass: Outgoing<'_>,
) -> Result<Submitted, Error> {
    let settled = match connection.wire {
        Wire::Json => return last(connection, pass, Form::Json).await?.into_message(),
        Wire::Protobuf => return last(connection, pass, Form::Protobuf).await?.into_message(),
        Wire::Auto => connection.learned.form(),
    };
    let first = settled.unwrap_or(Form::Protobuf);
    let began = Instant::now();
    let answer = send(connection, pass.clone(), first, settled.is_none()).await?;
    if answer.status.is_success() {
        connection.learned.set_form(first);
        return answer.into_message();
    }
    let is_open = settled.is_none() && matches!(answer.status.as_u16(), 500 | 501);
    if !is_open && !refuses(&answer, first) {
        return answer.into_message();
    }
    let other = first.other();
    let second = send(connection, pass.clone(), other, is_open).await?;
    if second.status.is_success() {
        if is_open && !connection.learned.confirms(other, began) {
            return second.into_message();
        }
        tracing::info!(server = %connection.name, form = other.name(), "the server accepts training passes in this form only");
        connection.learned.set_form(other);
        return second.into_message();
    }
    if matches!(second.status.as_u16(), 404 | 405) || refuses(&second, other) {
        // The other form is not accepted either, or has no such route, so the first answer counts.
        return if is_open {
            last(connection, pass, first).await?.into_message()
        } else {
            both(answer)
        };
    }
    if !is_open {
        return second.into_message();
    }
    if !second.status.is_server_error() {
        // The server read it and refuses its content.
        return second.into_message();
    }
    both(last(connection, pass, first).await?)
}

/// Sends a pass in the only form that is left, with all retries.
async fn last(connection: &Connection, pass: Outgoing<'_>, form: Form) -> Result<Answer, Error> {
    send(connection, pass, form, false).await
}

/// The message of an answer; an error names both forms.
fn both(answer: Answer) -> Result<Submitted, Error> {
    answer.into_message().map_err(|error| match error {
        Error::Status(error) => {
            let text = "the pass was sent as protobuf and as JSON, and the server took neither";
            let advice = Advice::new(Cause::Forms, text);
            let named: StatusError = error.or_advice(advice);
            named.into()
        }
        other => other,
    })
}

/// Whether a refusal shows that the server expects the other form.
fn refuses(answer: &Answer, form: Form) -> bool {
    let status = answer.status.as_u16();
    match form {
        Form::Protobuf => wants_json(status, &answer.body),
        Form::Json => wants_protobuf(status, &answer.body),
    }
}

async fn send(
    connection: &Connection,
    pass: Outgoing<'_>,
    form: Form,
    is_open: bool,
) -> Result<Answer, Error> {
    let Outgoing {
        operation,
        tracker,
        pass,
        part,
        bytes,
        by_url,
    } = pass;
    // Servers of the JSON form have a separate route for passes without gradients.
    let by_url = by_url || form == Form::Json;
    let path = if pass.forward_only && by_url {
        route::FORWARD
    } else {
        ForwardBackward::ROUTE
    };
    // The server recognizes a repeat by its sequence id.
    let mut call = tracker
        .identify(Call::new(operation, Class::Train))
        .with_replay(Replay::Safe)
        .with_weight(bytes);
    if is_open {
        call = call.with_policy(FormUnsettled);
    }
    if form == Form::Protobuf && connection.flags.fixed().proto_compress_fwdbwd {
        call = call.with_compression(Compression::ZstdAt(connection.compression_level));
    }
    let body = match form {
        Form::Protobuf => in_pieces(proto::encode_pieces(&pass, part)?, bytes),
        Form::Json => {
            let mut pass = pass;
            pass.data = pass.data[part].into();
            let encode = move || codec::to_json(operation, &pass);
            if bytes > LARGE {
                crate::wire::blocking::run(encode).await?.into()
            } else {
                encode()?.into()
            }
        }
    };
    let request = request::build(Method::Post, locate(path, &[])?, form, body, call);
    Ok(connection.api.send(request).await?)
}

/// A body of these pieces. That of a small pass is joined, so that layers can read it.
fn in_pieces(pieces: Vec<Bytes>, bytes: u64) -> Body {
    if pieces.len() > 1 && bytes <= LARGE {
        return Bytes::from(pieces.concat()).into();
    }
    Body::from_pieces(pieces)
}
