//! Repeated measurements of one quantity.

use std::fmt;

/// Measurements, one for each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, measured: f64) {
        self.0.push(measured);
        self.0.sort_by(f64::total_cmp);
    }

    /// The median; `None` without measurements.
    pub(crate) fn median(&self) -> Option<f64> {
        let n = self.0.len();
        let (low, high) = (self.0.get(n.checked_sub(1)? / 2)?, self.0.get(n / 2)?);
        Some(f64::midpoint(*low, *high))
    }

    /// The maximum: of rates, that of the undisturbed machine.
    pub(crate) fn best(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// Minimum and maximum.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, self.best()?))
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(measured: I) -> Self {
        let mut samples = Self(measured.into_iter().collect());
        samples.0.sort_by(f64::total_cmp);
        samples
    }
}

impl fmt::Display for Samples {
    /// The median, with the least and the greatest in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.median(), self.spread()) {
            (Some(median), Some((least, most))) => {
                let [median, least, most] = [median, least, most].map(rounded);
                write!(f, "{median} ({least} to {most})")
            }
            _ => f.write_str("-"),
        }
    }
}

/// A number with three significant digits and thousands separators.
pub(crate) fn rounded(x: f64) -> String {
    if x <= 0.0 {
        return "0".to_owned();
    }
    let digits = x.log10().floor() as i32;
    if digits < 2 {
        return format!("{x:.*}", (2 - digits).max(0) as usize);
    }
    let unit = 10_f64.powi(digits - 2);
    let whole = ((x / unit).round() * unit) as u64;
    let plain = whole.to_string();
    let mut text = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), None);
        for x in [5.0, 1.0, 2.0] {
            samples.push(x);
        }
        assert_eq!((samples.median(), samples.best()), (Some(2.0), Some(5.0)));
        samples.push(3.0);
        assert_eq!(
            (samples.median(), samples.spread()),
            (Some(2.5), Some((1.0, 5.0)))
        );
    }

    #[test]
    fn numbers_are_rounded_to_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.123_456, "0.123"),
            (1.0, "1.00"),
            (99.96, "100.0"),
            (1234.0, "1,230"),
        ];
        for (x, text) in cases {
            assert_eq!(rounded(x), text);
        }
        assert_eq!(rounded(131_499.0), "131,000");
    }
}
