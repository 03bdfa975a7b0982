//! Values of a table.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::format;

/// Kind of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// A number of bytes.
    Bytes,
    Time,
    Flag,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// No value, and the word for it.
    Missing(&'static str),
    Text(String),
    Count(u64),
    /// A number with this many decimals.
    Decimal(f64, usize),
    Bytes(u64),
    Time(Timestamp),
    Flag(bool),
}

impl Cell {
    /// The value, or a dash.
    pub(crate) fn of<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Missing("-"), cell)
    }

    /// A text, or a dash.
    pub(crate) fn text(value: Option<&str>) -> Self {
        Self::of(value, |text| Self::Text(text.to_owned()))
    }

    /// The value for people, in few characters.
    pub(crate) fn to_text(&self, now: Timestamp) -> String {
        match self {
            Self::Missing(word) => (*word).to_owned(),
            Self::Text(text) => text.clone(),
            Self::Count(value) => format::number(*value),
            Self::Decimal(value, decimals) => format!("{value:.decimals$}"),
            Self::Bytes(bytes) => format::bytes(*bytes),
            Self::Time(time) => format::age(*time, now),
            Self::Flag(is) => if *is { "yes" } else { "no" }.to_owned(),
        }
    }

    /// The value for programs: no units, times as ISO 8601, nothing for a missing value.
    pub(crate) fn to_raw(&self) -> String {
        match self {
            Self::Missing(_) => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(value) | Self::Bytes(value) => value.to_string(),
            Self::Decimal(value, _) => value.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Flag(is) => is.to_string(),
        }
    }

    /// The order of two values of a column. Missing values come last.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Missing(_), Self::Missing(_)) => Ordering::Equal,
            (Self::Missing(_), _) => Ordering::Greater,
            (_, Self::Missing(_)) => Ordering::Less,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            (a, b) => a.number().total_cmp(&b.number()),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Count(value) | Self::Bytes(value) => *value as f64,
            Self::Decimal(value, _) => *value,
            _ => f64::NAN,
        }
    }

    /// Reads a value of a kind, as people write it in a filter: `10MB`, `2026-01-31`, `7d` for seven days ago, `yes`.
    pub(crate) fn parse(kind: Kind, text: &str, now: Timestamp) -> Result<Self, String> {
        if matches!(text, "never" | "none" | "-") && kind != Kind::Text {
            return Ok(Self::Missing("-"));
        }
        match kind {
            Kind::Text => Ok(Self::Text(text.to_owned())),
            Kind::Number => text
                .parse()
                .map(|value| Self::Decimal(value, 0))
                .map_err(|_| format!("{text:?} is not a number")),
            Kind::Bytes => parse_bytes(text)
                .map(Self::Bytes)
                .ok_or_else(|| format!("{text:?} is not a size such as 2000, 10MB or 1.5GiB")),
            Kind::Time => parse_time(text, now).map(Self::Time).ok_or_else(|| {
                format!("{text:?} is not a time such as 2026-01-31, 2026-01-31T12:00:00Z, or 7d for seven days ago")
            }),
            Kind::Flag => match text {
                "yes" | "true" => Ok(Self::Flag(true)),
                "no" | "false" => Ok(Self::Flag(false)),
                _ => Err(format!("{text:?} is neither yes nor no")),
            },
        }
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = unit.to_ascii_lowercase();
    let power = match unit.as_bytes() {
        [] | [b'b'] => 0,
        [b'k', ..] => 1,
        [b'm', ..] => 2,
        [b'g', ..] => 3,
        [b't', ..] => 4,
        _ => return None,
    };
    let step: f64 = match unit.get(1..).unwrap_or_default() {
        "" | "b" => 1000.0,
        "ib" => 1024.0,
        _ => return None,
    };
    let value: f64 = digits.trim().parse().ok()?;
    (value >= 0.0).then(|| (value * step.powi(power)).round() as u64)
}

/// Reads a moment, the start of a day in UTC, or an age.
pub(crate) fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return format!("{day}T00:00:00Z").parse().ok();
    }
    now.checked_sub(parse_duration(text)?).ok()
}

/// Reads a number of seconds, or a number with a unit: `90s`, `15m`, `12h`, `7d`, `2w`.
pub(crate) fn parse_duration(text: &str) -> Option<SignedDuration> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    Some(SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-08T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn values_of_filters_are_read() {
        let read = |kind, text| Cell::parse(kind, text, now());
        assert_eq!(read(Kind::Bytes, "2000"), Ok(Cell::Bytes(2000)));
        assert_eq!(read(Kind::Bytes, "10MB"), Ok(Cell::Bytes(10_000_000)));
        assert_eq!(read(Kind::Bytes, "1.5KiB"), Ok(Cell::Bytes(1536)));
        assert_eq!(read(Kind::Flag, "yes"), Ok(Cell::Flag(true)));
        let day = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(read(Kind::Time, "2026-01-01"), Ok(Cell::Time(day)));
        assert_eq!(read(Kind::Time, "7d"), Ok(Cell::Time(day)));
        assert_eq!(read(Kind::Time, "never"), Ok(Cell::Missing("-")));
        for (kind, text) in [
            (Kind::Bytes, "10XB"),
            (Kind::Bytes, "-1"),
            (Kind::Bytes, "MB"),
            (Kind::Time, "yesterday"),
            (Kind::Number, "many"),
            (Kind::Flag, "maybe"),
        ] {
            assert!(read(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn missing_values_come_last() {
        let mut cells = [
            Cell::Missing("-"),
            Cell::Count(10),
            Cell::Decimal(2.5, 1),
            Cell::Bytes(3),
        ];
        cells.sort_by(Cell::order);
        assert_eq!(cells[0], Cell::Decimal(2.5, 1));
        assert_eq!(cells[3], Cell::Missing("-"));
    }
}
