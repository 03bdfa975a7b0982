//! Range requests, so that an interrupted download can be resumed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::response::{self, Response};
use crate::LocalBody;
use crate::store::{Archive, Tarball};

const DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// A file with its checksum, or the part from the first byte of `Range` on. Ranges of other forms are ignored, as HTTP
/// allows.
pub(super) fn of_file(asked: &HeaderMap, name: &str, bytes: Vec<u8>) -> Response {
    let digest = STANDARD.encode(Sha256::digest(&bytes));
    let (tag, length) = (format!("\"{digest}\""), bytes.len() as u64);
    let part = Part::asked(asked, &tag, length);
    let mut response = match part {
        Part::Whole => response::file(name, bytes),
        Part::From(start) => response::file(name, bytes[start as usize..].to_vec()),
        Part::Behind => response::file(name, Vec::new()),
    };
    part.describe(&mut response, &tag, length);
    if part != Part::Behind {
        set(&mut response, DIGEST, &format!("sha-256=:{digest}:"));
    }
    response
}

/// An archive, or a part of it. It has no checksum, which would require reading all of it first.
pub(super) fn of_tarball(asked: &HeaderMap, mut tarball: Tarball, archive: &Archive) -> Response {
    let (tag, length) = (format!("\"{}\"", tarball.tag()), tarball.length());
    let part = Part::asked(asked, &tag, length);
    tarball.skip(match part {
        Part::Whole => 0,
        Part::From(start) => start,
        Part::Behind => length,
    });
    let body = LocalBody::tarball(tarball, archive.clone());
    let mut response = response::body(StatusCode::OK, "application/x-tar", body);
    part.describe(&mut response, &tag, length);
    response
}

/// The requested part of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    From(u64),
    /// A part that begins behind the end.
    Behind,
}

impl Part {
    fn asked(asked: &HeaderMap, tag: &str, length: u64) -> Self {
        let text = |name: HeaderName| asked.get(name)?.to_str().ok();
        let is_same = text(IF_RANGE).is_none_or(|wanted| wanted == tag);
        match text(RANGE).and_then(start_of).filter(|_| is_same) {
            None => Self::Whole,
            Some(start) if start < length => Self::From(start),
            Some(_) => Self::Behind,
        }
    }

    /// Describes the part in the headers of a response.
    fn describe(self, response: &mut Response, tag: &str, length: u64) {
        match self {
            Self::Whole => {}
            Self::From(start) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let range = format!("bytes {start}-{}/{length}", length - 1);
                set(response, CONTENT_RANGE, &range);
            }
            Self::Behind => {
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                set(response, CONTENT_RANGE, &format!("bytes */{length}"));
                return;
            }
        }
        set(response, ACCEPT_RANGES, "bytes");
        set(response, ETAG, tag);
    }
}

/// `bytes=5-`
fn start_of(range: &str) -> Option<u64> {
    let start = range.strip_prefix("bytes=")?.strip_suffix('-')?;
    start.parse().ok()
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    // Digits and base64, which are valid in headers.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(entries: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let entries = entries.iter();
        entries
            .map(|(name, text)| (name.clone(), value(text)))
            .collect()
    }

    #[test]
    fn a_file_can_be_had_from_a_place_on() {
        let file = |asked: &HeaderMap| of_file(asked, "x.bin", vec![1, 2, 3, 4]);
        let whole = file(&HeaderMap::new());
        let tag = whole.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(whole.status(), StatusCode::OK);

        let part = file(&asked(&[(RANGE, "bytes=3-"), (IF_RANGE, &tag)]));
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[CONTENT_RANGE], "bytes 3-3/4");

        for other in [
            asked(&[(RANGE, "bytes=3-"), (IF_RANGE, "\"other\"")]),
            asked(&[(RANGE, "bytes=1-2")]),
            asked(&[(RANGE, "lines=1-")]),
        ] {
            assert_eq!(file(&other).status(), StatusCode::OK);
        }
        let behind = file(&asked(&[(RANGE, "bytes=4-")]));
        assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }
}
