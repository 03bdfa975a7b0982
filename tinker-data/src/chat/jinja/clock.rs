//! The time that templates may ask for.

use jiff::ZonedDateTime;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

use crate::error::ChatError;

/// Where `strftime_now` reads the local time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Clock {
    /// The clock of the system.
    #[default]
    System,
    /// One moment.
    Fixed(DateTime),
}

impl Clock {
    /// A clock that stands still, for example at `2026-01-31T12:00:00`.
    pub(super) fn fixed(local_time: &str) -> Result<Self, ChatError> {
        let time = local_time.parse().map_err(|error: jiff::Error| {
            ChatError::new(format!(
                "{local_time:?} is not a local time; write it like 2026-01-31T12:00:00"
            ))
            .with_source(error)
        })?;
        Ok(Self::Fixed(time))
    }

    /// The time in a format of `strftime`, as Python writes it in the C locale.
    pub(super) fn format(self, format: &str) -> Result<String, jiff::Error> {
        let now = match self {
            Self::System => ZonedDateTime::now().datetime(),
            Self::Fixed(time) => time,
        };
        strtime::format(plain(format), now)
    }
}

/// The format without what stands for a locale or for a time zone. Python's local time has no zone.
fn plain(format: &str) -> String {
    let mut plain = String::with_capacity(format.len());
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            plain.push(c);
            continue;
        }
        match characters.next() {
            Some('c') => plain.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => plain.push_str("%m/%d/%y"),
            Some('X') => plain.push_str("%H:%M:%S"),
            Some('r') => plain.push_str("%I:%M:%S %p"),
            Some('f') => plain.push_str("%6f"),
            Some('z' | 'Z') => {}
            Some(other) => plain.extend(['%', other]),
            None => plain.push_str("%%"),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_the_c_locale() {
        let clock = Clock::fixed("2026-03-07T04:05:06").unwrap();
        for (format, expected) in [
            ("%d %b %Y", "07 Mar 2026"),
            ("%B %-d, %Y", "March 7, 2026"),
            ("%Y-%m-%d %H:%M:%S", "2026-03-07 04:05:06"),
            ("%A %a %e %j %y %I %p %%", "Saturday Sat  7 066 26 04 AM %"),
            ("%c|%x|%X", "Sat Mar  7 04:05:06 2026|03/07/26|04:05:06"),
            ("[%Z%z] %f", "[] 000000"),
        ] {
            assert_eq!(clock.format(format).unwrap(), expected, "{format}");
        }
        let error = Clock::fixed("today").unwrap_err().to_string();
        assert!(error.contains("2026-01-31T12:00:00"), "{error}");
    }
}
