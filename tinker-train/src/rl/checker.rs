//! Checkers: rewards that compare an answer with the reference.

use std::fmt;
use std::str::FromStr;

use regex::Regex;

use super::problem::Answered;

/// A built-in comparison of an answer with the reference. The reward is 1 or 0.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Checker {
    /// The answer is the reference, apart from white space at the ends.
    Exact,
    /// The answer contains the reference.
    Contains,
    /// The answer matches a regular expression.
    Matches(Regex),
    /// The last number of the answer is that of the reference, within a tolerance.
    Number {
        /// Largest difference.
        tolerance: f64,
    },
    /// The answer is a JSON object whose field is the reference.
    JsonField(String),
    /// The first separate letter from A to Z in the answer is that of the reference.
    Choice,
}

/// A text that names no checker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownChecker(String);

impl Checker {
    /// The reward of an answer.
    pub fn reward(&self, answered: &Answered) -> f64 {
        let (answer, expected) = (answered.answer.trim(), answered.expected.trim());
        let is_right = match self {
            Self::Exact => answer == expected,
            Self::Contains => !expected.is_empty() && answer.contains(expected),
            Self::Matches(pattern) => pattern.is_match(answer),
            Self::Number { tolerance } => last_number(answer)
                .zip(last_number(expected))
                .is_some_and(|(found, wanted)| (found - wanted).abs() <= *tolerance),
            Self::JsonField(field) => json_field(answer, field).as_deref() == Some(expected),
            Self::Choice => letter(answer).is_some() && letter(answer) == letter(expected),
        };
        f64::from(u8::from(is_right))
    }

    /// Whether the checker needs a reference answer.
    pub fn needs_answer(&self) -> bool {
        !matches!(self, Self::Matches(_))
    }
}

/// The last number of a text; thousands may be separated by commas.
fn last_number(text: &str) -> Option<f64> {
    let is_part = |letter: char| letter.is_ascii_digit() || "+-.,eE".contains(letter);
    let words = text.split(|letter: char| !is_part(letter)).rev();
    let mut numbers = words.filter_map(|word| {
        let word = word.trim_end_matches(['.', ',']).replace(',', "");
        let digits = word.contains(|letter: char| letter.is_ascii_digit());
        word.parse::<f64>().ok().filter(|_| digits)
    });
    numbers.next()
}

fn json_field(answer: &str, field: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(answer).ok()?;
    let found = object.get(field)?;
    Some(
        found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned),
    )
}

/// The first capital letter that stands alone.
fn letter(text: &str) -> Option<char> {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric());
    words.find_map(|word| {
        let mut letters = word.chars();
        let first = letters.next().filter(char::is_ascii_uppercase)?;
        letters.next().is_none().then_some(first)
    })
}

impl FromStr for Checker {
    type Err = UnknownChecker;

    /// Reads `exact`, `contains`, `regex:PATTERN`, `number`, `number:TOLERANCE`, `json:FIELD` or `choice`.
    fn from_str(text: &str) -> Result<Self, UnknownChecker> {
        let (name, value) = text
            .split_once(':')
            .map_or((text, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("exact", None) => Ok(Self::Exact),
            ("contains", None) => Ok(Self::Contains),
            ("choice", None) => Ok(Self::Choice),
            ("number", None) => Ok(Self::Number { tolerance: 1e-6 }),
            ("number", Some(tolerance)) => match tolerance.parse::<f64>() {
                Ok(tolerance) if tolerance >= 0.0 => Ok(Self::Number { tolerance }),
                _ => Err(UnknownChecker(format!("{tolerance:?} is no tolerance"))),
            },
            ("json", Some(field)) => Ok(Self::JsonField(field.to_owned())),
            ("regex", Some(pattern)) => Regex::new(pattern)
                .map(Self::Matches)
                .map_err(|error| UnknownChecker(error.to_string())),
            _ => Err(UnknownChecker(format!(
                "{text:?} is no reward; use exact, contains, regex:PATTERN, number, number:TOLERANCE, json:FIELD or choice"
            ))),
        }
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Contains => f.write_str("contains"),
            Self::Matches(pattern) => write!(f, "regex:{pattern}"),
            Self::Number { tolerance } => write!(f, "number:{tolerance}"),
            Self::JsonField(field) => write!(f, "json:{field}"),
            Self::Choice => f.write_str("choice"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reward(checker: &str, answer: &str, expected: &str) -> f64 {
        let checker: Checker = checker.parse().unwrap();
        assert_eq!(
            checker.to_string().parse::<Checker>().unwrap().to_string(),
            checker.to_string()
        );
        checker.reward(&Answered {
            prompt: String::new(),
            answer: answer.to_owned(),
            expected: expected.to_owned(),
            metadata: std::collections::BTreeMap::new(),
        })
    }

    #[test]
    fn answers_are_compared_with_the_reference() {
        for (checker, answer, expected, right) in [
            ("exact", " blue\n", "blue", true),
            ("exact", "Blue", "blue", false),
            ("contains", "It is blue.", "blue", true),
            ("contains", "anything", "", false),
            ("regex:^[0-9]+$", "42", "", true),
            ("regex:^[0-9]+$", "42a", "", false),
            ("number", "so 1,234.50.", "1234.5", true),
            ("number", "first 3, then -4", "-4", true),
            ("number", "none", "4", false),
            ("number:0.1", "3.05", "3", true),
            ("number:0.01", "3.05", "3", false),
            ("json:who", "{\"who\": \"Ann\"}", "Ann", true),
            ("json:n", "{\"n\": 3}", "3", true),
            ("json:n", "n: 3", "3", false),
            ("choice", "The answer is (B).", "B", true),
            ("choice", "A cat? B", "B", false),
            ("choice", "none", "none", false),
        ] {
            let found = reward(checker, answer, expected);
            assert_eq!(found > 0.5, right, "{checker} {answer:?} {expected:?}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        for text in ["exakt", "regex:(", "json", "number:x", "exact:1"] {
            assert!(text.parse::<Checker>().is_err(), "{text}");
        }
    }
}
