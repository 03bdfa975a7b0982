//! The wall clock.

use jiff::Timestamp;

/// Current time as `2026-11-23T10:15:30Z`.
pub(crate) fn now() -> String {
    readable(Timestamp::now())
}

/// Current time.
pub(crate) fn moment() -> Timestamp {
    Timestamp::now()
}

/// Current time in UTC as `20261123-101530`: sorts by time and is safe in file names.
pub(crate) fn now_compact() -> String {
    compact(Timestamp::now())
}

/// Current time, for files.
pub(crate) fn system_now() -> std::time::SystemTime {
    let since = std::time::Duration::try_from(Timestamp::now().as_duration());
    std::time::SystemTime::UNIX_EPOCH + since.unwrap_or_default()
}

fn readable(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn compact(moment: Timestamp) -> String {
    moment.strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_the_second() {
        let moment = Timestamp::from_second(1_795_428_930).unwrap();
        assert_eq!(readable(moment), "2026-11-23T10:15:30Z");
        assert_eq!(compact(moment), "20261123-101530");
    }
}
