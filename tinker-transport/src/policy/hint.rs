//! Retry hints in response headers.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName};
use tinker_types::wire::header;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static(header::RETRY_AFTER_MS);
const SHOULD_RETRY: HeaderName = HeaderName::from_static(header::SHOULD_RETRY);

/// Upper bound of hints: five minutes.
pub const HINT_CAP: Duration = Duration::from_mins(5);

/// Wait requested by the server, at most [`HINT_CAP`].
///
/// Reads `retry-after-ms` first, then `retry-after` as seconds (fractions allowed) or as an HTTP date, which is
/// compared with `now`. A wait of zero, or one in the past, is ignored.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let milliseconds = text(headers, &RETRY_AFTER_MS).and_then(|value| seconds(value, 1e-3));
    let wait = milliseconds.or_else(|| {
        let value = text(headers, &RETRY_AFTER)?;
        seconds(value, 1.0).or_else(|| {
            httpdate::parse_http_date(value)
                .ok()?
                .duration_since(now)
                .ok()
        })
    })?;
    (!wait.is_zero()).then(|| wait.min(HINT_CAP))
}

/// The server's explicit decision whether to retry (`x-should-retry`), which takes precedence over every policy.
pub fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match text(headers, &SHOULD_RETRY)? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(value: &str, unit: f64) -> Option<Duration> {
    let number: f64 = value.parse().ok()?;
    // Capped before the conversion, so that a huge number is a long wait and not an error.
    (number > 0.0).then(|| Duration::from_secs_f64((number * unit).min(HINT_CAP.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_after(
            &headers,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        )
    }

    #[test]
    fn both_forms_and_milliseconds() {
        assert_eq!(hint("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(
            hint("retry-after", " 0.5 "),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            hint("retry-after", "Sun, 06 Nov 1994 08:49:42 GMT"),
            Some(Duration::from_secs(5))
        );
        assert_eq!(
            hint("retry-after-ms", "1500"),
            Some(Duration::from_millis(1500))
        );
    }

    #[test]
    fn nonsense_the_past_and_nothing_are_no_hint() {
        for value in [
            "0",
            "-3",
            "soon",
            "",
            "NaN",
            "Sun, 06 Nov 1994 08:49:00 GMT",
        ] {
            assert_eq!(hint("retry-after", value), None, "{value}");
        }
    }

    #[test]
    fn long_waits_are_capped() {
        assert_eq!(hint("retry-after", "86400"), Some(HINT_CAP));
        assert_eq!(hint("retry-after", "1e300"), Some(HINT_CAP));
        assert_eq!(
            hint("retry-after", "Sat, 06 Nov 2094 08:49:42 GMT"),
            Some(HINT_CAP)
        );
    }

    #[test]
    fn milliseconds_come_first() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "9".parse().unwrap());
        headers.insert("retry-after-ms", "20".parse().unwrap());
        assert_eq!(
            retry_after(&headers, SystemTime::UNIX_EPOCH),
            Some(Duration::from_millis(20))
        );
    }
}
