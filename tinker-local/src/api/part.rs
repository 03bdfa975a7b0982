//! Files, whole or from a place on, so that a transfer that broke off can go on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::answer::{self, Answer};
use crate::LocalBody;
use crate::store::{Archive, Tarball};

const DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// A file with its checksum, or what follows the byte that `Range` names. A range of another form is answered with the
/// whole, which the protocol of the web allows.
pub(super) fn of_file(asked: &HeaderMap, name: &str, bytes: Vec<u8>) -> Answer {
    let digest = STANDARD.encode(Sha256::digest(&bytes));
    let (tag, length) = (format!("\"{digest}\""), bytes.len() as u64);
    let part = Part::asked(asked, &tag, length);
    let mut answer = match part {
        Part::Whole => answer::file(name, bytes),
        Part::From(start) => answer::file(name, bytes[start as usize..].to_vec()),
        Part::Behind => answer::file(name, Vec::new()),
    };
    part.describe(&mut answer, &tag, length);
    if part != Part::Behind {
        set(&mut answer, DIGEST, &format!("sha-256=:{digest}:"));
    }
    answer
}

/// The same of all files of a checkpoint. It has no checksum: that would take reading it all before it is sent.
pub(super) fn of_tarball(asked: &HeaderMap, mut tarball: Tarball, archive: &Archive) -> Answer {
    let (tag, length) = (format!("\"{}\"", tarball.tag()), tarball.length());
    let part = Part::asked(asked, &tag, length);
    tarball.skip(match part {
        Part::Whole => 0,
        Part::From(start) => start,
        Part::Behind => length,
    });
    let body = LocalBody::tarball(tarball, archive.clone());
    let mut answer = answer::body(StatusCode::OK, "application/x-tar", body);
    part.describe(&mut answer, &tag, length);
    answer
}

/// Which part of some bytes is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    From(u64),
    /// What begins behind their end.
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

    /// Says in the head of an answer which part it holds.
    fn describe(self, answer: &mut Answer, tag: &str, length: u64) {
        match self {
            Self::Whole => {}
            Self::From(start) => {
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                let range = format!("bytes {start}-{}/{length}", length - 1);
                set(answer, CONTENT_RANGE, &range);
            }
            Self::Behind => {
                *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                set(answer, CONTENT_RANGE, &format!("bytes */{length}"));
                return;
            }
        }
        set(answer, ACCEPT_RANGES, "bytes");
        set(answer, ETAG, tag);
    }
}

/// `bytes=5-`
fn start_of(range: &str) -> Option<u64> {
    let start = range.strip_prefix("bytes=")?.strip_suffix('-')?;
    start.parse().ok()
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    // Digits and base64, which stand in any header.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
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
