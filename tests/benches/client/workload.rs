//! Work of one measurement.

use std::str::FromStr;

use crate::Outcome;

/// Work of one measurement, read from a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Workload {
    /// `sample IN_FLIGHT COUNT`: samples with prompts of 32 tokens and answers of 16.
    Sample { in_flight: usize, count: usize },
    /// `answer IN_FLIGHT COUNT`: samples with answers of 16 sequences of 8,192 tokens, each value of which is read.
    Answer { in_flight: usize, count: usize },
    /// `pass ROWS TOKENS COUNT`: passes, one after another.
    Pass {
        rows: usize,
        tokens: usize,
        count: usize,
    },
    /// `step ROWS TOKENS COUNT`: passes with an optimizer step, each begun when the last has ended.
    Step {
        rows: usize,
        tokens: usize,
        count: usize,
    },
}

impl FromStr for Workload {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(line: &str) -> Outcome<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| -> Outcome<usize> {
            let word = words.get(at).ok_or("a number is missing")?;
            Ok(word.parse()?)
        };
        Ok(match words.first() {
            Some(&"sample") => Self::Sample {
                in_flight: number(1)?,
                count: number(2)?,
            },
            Some(&"answer") => Self::Answer {
                in_flight: number(1)?,
                count: number(2)?,
            },
            Some(&"pass") => Self::Pass {
                rows: number(1)?,
                tokens: number(2)?,
                count: number(3)?,
            },
            Some(&"step") => Self::Step {
                rows: number(1)?,
                tokens: number(2)?,
                count: number(3)?,
            },
            _ => return Err(format!("unknown workload {line:?}").into()),
        })
    }
}
