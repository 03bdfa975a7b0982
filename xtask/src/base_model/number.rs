//! Counting, small sums, comparisons.

use fastrand::Rng;

use super::document::Exchange;
use super::grammar::{capitalized, plural};
use super::lexicon::{Lexicon, pick, word_of};

/// A bare line about numbers.
pub(crate) fn line(rng: &mut Rng) -> String {
    match rng.usize(..8) {
        0..3 => {
            let (left, sign, right, result) = sum(rng);
            let shape = pick(rng, &["L S R = V", "LSR=V", "L S R -> V", "sum: L S R = V"]);
            shape
                .replace('L', &left.to_string())
                .replace('S', sign)
                .replace('R', &right.to_string())
                .replace('V', &result.to_string())
        }
        3 => {
            let (left, sign, right, result) = sum(rng);
            let said = if sign == "+" { "plus" } else { "minus" };
            format!(
                "{} {said} {} is {}",
                spoken(left),
                spoken(right),
                spoken(result)
            )
        }
        4 => {
            let thing = word_of(rng, &["animal", "fruit", "tool", "bird", "thing"]);
            let count = 1 + rng.usize(..9);
            format!("count: {} -> {count}", vec![thing; count].join(" "))
        }
        5 => sequence(rng),
        6 => {
            let number = rng.u32(..21);
            if rng.bool() {
                format!("word: {number} -> {}", spoken(number))
            } else {
                format!("number: {} -> {number}", spoken(number))
            }
        }
        _ => {
            let number = rng.u32(..100);
            let kind = if number.is_multiple_of(2) {
                "even"
            } else {
                "odd"
            };
            format!("{number} is {kind}")
        }
    }
}

/// A question about numbers and its answer.
pub(crate) fn question(rng: &mut Rng) -> Exchange {
    match rng.usize(..8) {
        0..3 => {
            let (left, sign, right, result) = sum(rng);
            let said = if sign == "+" { "plus" } else { "minus" };
            match rng.usize(..4) {
                0 => Exchange::new(
                    format!("What is {left} {said} {right}?"),
                    result.to_string(),
                ),
                1 => Exchange::new(format!("{left} {sign} {right}"), result.to_string()),
                2 => Exchange::new(
                    format!("What is {left} {sign} {right}?"),
                    format!("{left} {sign} {right} = {result}"),
                ),
                _ => Exchange::new(
                    format!("What is {} {said} {}?", spoken(left), spoken(right)),
                    capitalized(&format!("{}.", spoken(result))),
                ),
            }
        }
        3 => {
            let thing = plural(word_of(rng, &["animal", "fruit", "tool", "bird", "thing"]));
            let (left, right) = (2 + rng.u32(..8), 2 + rng.u32(..8));
            Exchange::new(
                format!("I have {left} {thing} and get {right} more. How many do I have?"),
                format!("You have {} {thing}.", left + right),
            )
        }
        4 => {
            let (from, to) = ends(rng);
            let numbers: Vec<String> = (from..=to).map(|number| number.to_string()).collect();
            Exchange::new(format!("Count from {from} to {to}."), numbers.join(" "))
        }
        5 => {
            let (from, to) = ends(rng);
            let numbers: Vec<String> = (from..=to).rev().map(|number| number.to_string()).collect();
            Exchange::new(
                format!("Count down from {to} to {from}."),
                numbers.join(" "),
            )
        }
        6 => {
            let (left, right) = (rng.u32(..100), rng.u32(..100));
            Exchange::new(
                format!("Which is bigger, {left} or {right}?"),
                left.max(right).to_string(),
            )
        }
        _ => {
            let number = rng.u32(..100);
            Exchange::new(
                format!("Which number comes after {number}?"),
                (number + 1).to_string(),
            )
        }
    }
}

/// Half of the sums have one digit, so that they are frequent enough to be learned.
fn sum(rng: &mut Rng) -> (u32, &'static str, u32, u32) {
    let most = [10, 10, 10, 20, 50, 100][rng.usize(..6)];
    let (left, right) = (rng.u32(..most), rng.u32(..most));
    if rng.usize(..3) == 0 {
        (left + right, "-", right, left)
    } else {
        (left, "+", right, left + right)
    }
}

fn sequence(rng: &mut Rng) -> String {
    let step = 1 + rng.u32(..3);
    let from = rng.u32(..30);
    let numbers: Vec<String> = (0..4 + rng.u32(..8))
        .map(|index| (from + index * step).to_string())
        .collect();
    format!("count by {step}: {}", numbers.join(" "))
}

fn ends(rng: &mut Rng) -> (u32, u32) {
    let from = [1, 1, rng.u32(..20)][rng.usize(..3)];
    (from, from + 2 + rng.u32(..9))
}

/// A number below 1,000 in words.
fn spoken(number: u32) -> String {
    let names = Lexicon::get().of("number");
    let number = number as usize;
    match number {
        0..=20 => names[number].to_owned(),
        100.. if number.is_multiple_of(100) => format!("{} hundred", names[number / 100]),
        100.. => format!(
            "{} hundred {}",
            names[number / 100],
            spoken(number as u32 % 100)
        ),
        _ if number.is_multiple_of(10) => names[18 + number / 10].to_owned(),
        _ => format!("{}-{}", names[18 + number / 10 % 10], names[number % 10]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spoken() {
        for (number, name) in [
            (0, "zero"),
            (20, "twenty"),
            (30, "thirty"),
            (47, "forty-seven"),
            (98, "ninety-eight"),
            (105, "one hundred five"),
            (200, "two hundred"),
        ] {
            assert_eq!(spoken(number), name);
        }
    }
}
