//! Estimate of the tokens of a run, and the next safe step to it.

use serde::Serialize;
use tinker_train::TokenCounts;

use super::cost::PriceList;
use super::summary::Suggestion;
use crate::context::Context;
use crate::format::{self, labelled, shell_word};
use crate::style::{LABEL, STRONG, paint};

/// Options of a check alone.
const OF_CHECK: [&str; 2] = ["--dry-run", "--show-resolved"];
/// Options that the number of steps replaces.
const OF_LENGTH: [&str; 2] = ["--steps", "--epochs"];
/// Number of steps of a smoke test: the first shows that a step works, the second that its update was applied.
const SMOKE: usize = 2;
/// Share of the steps of a small run, and the least number of them.
const SMALL: (usize, usize) = (10, 10);

/// Largest numbers of tokens of a run, and their price.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    tokens: TokenCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    /// The commands from this check to the whole run, the next one first.
    next: Vec<Suggestion>,
}

#[derive(Debug, Serialize)]
struct Price {
    usd: f64,
    /// Date of the prices.
    date: String,
    file: String,
}

impl Estimate {
    /// The tokens of a run of `steps` steps at most, and their price.
    pub(super) fn new(
        tokens: TokenCounts,
        prices: Option<&PriceList>,
        steps: usize,
        context: &Context,
    ) -> Self {
        let price = prices.map(|list| Price {
            usd: tokens.price(&list.prices),
            date: list.date.clone(),
            file: list.path.display().to_string(),
        });
        Self {
            tokens,
            price,
            next: ladder(steps, context),
        }
    }

    /// Lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let number = format::number;
        let tokens = &self.tokens;
        let mut lines = vec![labelled(
            LABEL,
            "tokens",
            &format!(
                "at most {} trained, {} prefilled, {} sampled",
                number(tokens.trained),
                number(tokens.prefilled),
                number(tokens.sampled)
            ),
        )];
        if let Some(price) = &self.price {
            let text = format!(
                "at most ${:.2}, by {} of {}",
                price.usd, price.file, price.date
            );
            lines.push(labelled(LABEL, "price", &text));
        }
        lines
    }

    /// The next steps, for people.
    pub(super) fn next(&self) -> String {
        let next = self.next.iter();
        let next =
            next.map(|next| format!("  {}\n    {}\n", next.purpose, paint(STRONG, &next.command)));
        next.collect()
    }
}

/// The commands from a check to the whole run.
fn ladder(steps: usize, context: &Context) -> Vec<Suggestion> {
    let line: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let with = |purpose, steps: Option<usize>| {
        let line = changed(&line, steps);
        let line: Vec<String> = line.iter().map(|word| shell_word(word)).collect();
        let command = format!("{} {}", context.program, line.join(" "));
        Suggestion { purpose, command }
    };
    let small = (steps / SMALL.0).max(SMALL.1);
    let mut next = Vec::new();
    if steps > SMOKE {
        next.push(with(
            "next: a smoke test, the evaluation before training and two steps",
            Some(SMOKE),
        ));
    }
    if steps > 2 * small {
        next.push(with("then a small run", Some(small)));
    }
    next.push(with(
        if steps > SMOKE {
            "then the whole run"
        } else {
            "next: the run"
        },
        None,
    ));
    next
}

/// A command line without the options of a check, and with another number of steps.
fn changed(line: &[String], steps: Option<usize>) -> Vec<String> {
    let mut changed = Vec::new();
    let mut rest = line.iter();
    while let Some(word) = rest.next() {
        let name = word.split('=').next().unwrap_or(word);
        if OF_CHECK.contains(&name) {
            continue;
        }
        if steps.is_some() && OF_LENGTH.contains(&name) {
            if !word.contains('=') {
                rest.next();
            }
            continue;
        }
        changed.push(word.clone());
    }
    if let Some(steps) = steps {
        // Before the end of the options.
        let end = changed
            .iter()
            .position(|word| word == "--")
            .unwrap_or(changed.len());
        changed.splice(end..end, ["--steps".to_owned(), steps.to_string()]);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_ladder_changes_the_length_only() {
        let line = [
            "train",
            "x.jsonl",
            "--epochs",
            "3",
            "--dry-run",
            "--rank=4",
            "--steps=9",
            "--",
            "-y",
        ];
        let line = line.map(str::to_owned);
        let joined = |steps| changed(&line, steps).join(" ");
        assert_eq!(joined(Some(2)), "train x.jsonl --rank=4 --steps 2 -- -y");
        assert_eq!(
            joined(None),
            "train x.jsonl --epochs 3 --rank=4 --steps=9 -- -y"
        );
    }
}
