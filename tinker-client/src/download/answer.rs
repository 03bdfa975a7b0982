//! Interpretation of answers to range requests.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderMap, HeaderName, StatusCode};

use super::record::Version;

const DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const AMAZON: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// The use of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The answer holds the whole file.
    Replace(Version),
    /// The answer holds the missing part.
    Append(Version),
    /// The answer does not continue the received part: request the whole file.
    Restart,
    /// The received part is the whole file.
    Whole,
    /// The URL has expired.
    Stale,
    /// The request was refused.
    Refused,
}

/// Interprets the answer to a request for the bytes of `known` after the first `have`.
pub(super) fn interpret(
    status: StatusCode,
    headers: &HeaderMap,
    have: u64,
    known: &Version,
) -> Plan {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    // A weak tag does not identify the bytes.
    let etag = text(&ETAG).filter(|tag| !tag.starts_with("W/"));
    let etag = etag.map(str::to_owned);
    match status.as_u16() {
        200 => Plan::Replace(Version {
            etag,
            total: text(&CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            sha256: sha256(headers),
            is_done: false,
        }),
        206 => {
            let range = text(&CONTENT_RANGE).and_then(parse_range);
            let is_next = range.is_some_and(|(start, total)| {
                let is_same = total.is_none() || known.total.is_none() || total == known.total;
                start == have && is_same
            });
            let is_same = etag.is_none() || etag == known.etag;
            if have == 0 || !is_next || !is_same {
                return Plan::Restart;
            }
            let mut version = known.clone();
            version.total = version.total.or(range.and_then(|(_, total)| total));
            version.sha256 = version.sha256.or_else(|| sha256(headers));
            Plan::Append(version)
        }
        416 if known.total == Some(have) => Plan::Whole,
        416 => Plan::Restart,
        // File stores answer 404 or 410 for an expired URL as well.
        401 | 403 | 404 | 410 => Plan::Stale,
        _ => Plan::Refused,
    }
}

/// Start and total of a range such as `bytes 5-9/10`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}

/// SHA-256 of the whole file, in base64, if a header has it.
fn sha256(headers: &HeaderMap) -> Option<String> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let listed = text(&DIGEST).into_iter().flat_map(|list| list.split(','));
    let mut listed = listed.filter_map(|entry| entry.trim().strip_prefix("sha-256=:"));
    let digest = listed.next().and_then(|digest| digest.strip_suffix(':'));
    digest.or_else(|| text(&AMAZON)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(entries: &[(HeaderName, &'static str)]) -> HeaderMap {
        let entries = entries.iter().cloned();
        entries
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_what_follows_on_is_appended() {
        let known = Version {
            etag: Some("\"a\"".to_owned()),
            total: Some(10),
            ..Version::default()
        };
        let plan = |entries: &[(HeaderName, &'static str)]| {
            interpret(StatusCode::PARTIAL_CONTENT, &headers(entries), 5, &known)
        };
        let fits = (CONTENT_RANGE, "bytes 5-9/10");
        assert_eq!(
            plan(&[fits.clone(), (ETAG, "\"a\"")]),
            Plan::Append(known.clone())
        );
        assert_eq!(
            plan(std::slice::from_ref(&fits)),
            Plan::Append(known.clone())
        );
        assert_eq!(plan(&[fits, (ETAG, "\"b\"")]), Plan::Restart);
        for range in ["bytes 4-9/10", "bytes 5-9/11", "bytes */10", "lines 5-9/10"] {
            assert_eq!(plan(&[(CONTENT_RANGE, range)]), Plan::Restart, "{range}");
        }
        assert_eq!(plan(&[]), Plan::Restart);
        let end = StatusCode::RANGE_NOT_SATISFIABLE;
        assert_eq!(interpret(end, &HeaderMap::new(), 10, &known), Plan::Whole);
        assert_eq!(interpret(end, &HeaderMap::new(), 11, &known), Plan::Restart);
    }

    #[test]
    fn a_checksum_is_found_in_either_header() {
        let of = |name: HeaderName, value| sha256(&headers(&[(name, value)]));
        let standard = of(DIGEST, "sha-512=:eHh4:, sha-256=:eXl5:");
        assert_eq!(standard.as_deref(), Some("eXl5"));
        assert_eq!(of(AMAZON, "eXl5").as_deref(), Some("eXl5"));
        assert_eq!(of(DIGEST, "md5=:eXl5:"), None);
    }
}
