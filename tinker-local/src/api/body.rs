//! Request bodies.

use std::error::Error;
use std::io::Read;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::null::without_nulls;
use crate::refusal::Refusal;
use crate::state::Admitted;

/// Largest window of a compressed body: 2^26 bytes. Level 22 uses twice as much and is refused.
const WINDOW_LOG: u32 = 26;

/// Reads and decompresses a body, within these limits of size and time.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    (most, time): (usize, Duration),
    admitted: &mut Admitted,
) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let body = tokio::time::timeout(time, collect(body, most, admitted));
    let body = body.await.map_err(|_| {
        let detail = format!("the body took more than {time:?} to arrive");
        Refusal::new(StatusCode::REQUEST_TIMEOUT, detail)
    })??;
    let plain = decompress(headers, body, most)?;
    admitted.set(plain.len())?;
    Ok(plain)
}

async fn collect<B>(body: B, most: usize, admitted: &mut Admitted) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(body);
    // A body that is too large is refused before it is sent, if the client waits for `100 Continue`.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| Refusal::malformed(format!("the body broke off: {}", e.into())))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if pieces.len() + data.remaining() > most {
            return Err(too_large(most));
        }
        admitted.set(pieces.len() + data.remaining())?;
        pieces.put(&mut data);
    }
    Ok(pieces.freeze())
}

pub(crate) fn decompress(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, Refusal> {
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map_or("identity", |value| value.to_str().unwrap_or("?"));
    if encoding.eq_ignore_ascii_case("identity") {
        return Ok(body);
    }
    if !encoding.eq_ignore_ascii_case("zstd") {
        let detail = format!("content encoding {encoding:?} is not read here; send zstd or none");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let malformed = |error: std::io::Error| {
        Refusal::malformed(format!(
            "the request body is not a complete zstd frame: {error}"
        ))
    };
    let mut decoder = zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(malformed)?;
    decoder.window_log_max(WINDOW_LOG).map_err(malformed)?;
    let mut plain = Vec::new();
    decoder
        .take(most as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(malformed)?;
    if plain.len() > most {
        Err(too_large(most))
    } else {
        Ok(plain.into())
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {most} bytes; send fewer data at a time"),
    )
}

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Protobuf,
    Json,
}

/// The format of a training request.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"))
        .to_ascii_lowercase();
    if kind.starts_with(tinker_types::proto::CONTENT_TYPE) {
        return Ok(Form::Protobuf);
    }
    if kind.starts_with("application/json") {
        return Ok(Form::Json);
    }
    let detail = format!(
        "content type {kind:?} is not read here; send application/x-protobuf or application/json"
    );
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// Parses a JSON body. Errors name the field. A field that is null is as if it were absent.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let error = match parse(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // The types accept null for optional values only. Clients may send null for any field that has a default.
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Err(error);
    }
    parse(&without_nulls(body))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let cause = error.into_inner();
        let detail = if place == "." {
            cause.to_string()
        } else {
            format!("{place}: {cause}")
        };
        match cause.classify() {
            serde_json::error::Category::Data => Refusal::invalid(detail),
            _ => Refusal::malformed(format!("the request body is not valid JSON: {detail}")),
        }
    })?;
    reader.end().map_err(|error| {
        Refusal::malformed(format!("the request body is not valid JSON: {error}"))
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn compressed(bytes: &[u8]) -> Result<Bytes, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        decompress(&headers, Bytes::copy_from_slice(bytes), 1000)
            .map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn compressed_bodies_are_bounded() {
        assert_eq!(
            compressed(&zstd::encode_all(&[7; 1000][..], 3).unwrap())
                .unwrap()
                .len(),
            1000
        );
        assert_eq!(
            compressed(&zstd::encode_all(&vec![7; 50_000_000][..], 3).unwrap()),
            Err(413)
        );
        assert_eq!(compressed(b"no frame"), Err(400));
        let frame = zstd::encode_all(&[7; 900][..], 3).unwrap();
        assert_eq!(compressed(&frame[..frame.len() - 2]), Err(400));
    }

    #[test]
    fn faults_in_json_are_told_apart_and_placed() {
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only its place matters")]
            inner: Vec<u8>,
        }
        let fault = |text: &str| {
            json::<Outer>(text.as_bytes())
                .map_err(|r| (r.status.as_u16(), r.detail))
                .unwrap_err()
        };
        assert_eq!(fault(r#"{"inner":[1,"x"]}"#).0, 422);
        assert!(fault(r#"{"inner":[1,"x"]}"#).1.starts_with("inner[1]: "));
        assert!(fault("{}").1.contains("missing field `inner`"));
        assert!(
            fault(r#"{"inner":null}"#)
                .1
                .contains("missing field `inner`")
        );
        assert_eq!(fault(r#"{"inner":"#).0, 400);
        assert_eq!(fault(r#"{"inner":null,}"#).0, 422);
        assert_eq!(fault(r#"{"inner":[]} more"#).0, 400);
        assert_eq!(fault(&"[".repeat(100_000)).0, 422);
        let deep = format!(r#"{{"other":{}}}"#, "[".repeat(100_000));
        assert_eq!(
            json::<serde_json::Value>(deep.as_bytes())
                .unwrap_err()
                .status
                .as_u16(),
            400
        );
    }
}
