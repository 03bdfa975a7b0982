//! Counts over encoded rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::encode::EncodedRow;
use crate::chat::Rule;

/// Counts over encoded rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EncodedCounts {
    /// Sequences within the limit.
    pub sequences: usize,
    /// Tokens of all sequences.
    pub tokens: usize,
    /// Learned tokens of all sequences.
    pub learned: usize,
    /// Tokens of the shortest sequence.
    pub shortest: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
    /// Sequences that were longer than the limit and left out.
    pub left_out: usize,
    /// Sequences that were longer than the limit and lost their end.
    pub cut: usize,
    /// Tokens that are not learned because of the limit.
    pub learned_lost: usize,
    /// Rows that cannot be encoded and were left out.
    pub skipped: usize,
    /// Lines with a seam between prompt and answer that a token would have crossed.
    pub merged_seams: FoundLines,
    /// Lines with a control token of the tokenizer in a text.
    pub control_tokens: FoundLines,
    /// Lines with a sequence that begins with a control token twice.
    pub doubled_starts: FoundLines,
    /// Lines by the rule that found their learned tokens.
    pub rules: BTreeMap<Rule, FoundLines>,
}

/// Lines with something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FoundLines {
    /// Their number.
    pub count: usize,
    /// Line number of the first one, from 1; 0 if there is none.
    pub first: usize,
}

impl FoundLines {
    fn add(&mut self, line: usize) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }
}

impl EncodedCounts {
    pub(super) fn add(&mut self, row: &EncodedRow) {
        for example in &row.examples {
            self.shortest = match self.sequences {
                0 => example.tokens,
                _ => self.shortest.min(example.tokens),
            };
            self.longest = self.longest.max(example.tokens);
            self.sequences += 1;
        }
        let line = &row.line;
        self.tokens += line.tokens;
        self.learned += line.learned;
        self.left_out += row.left_out;
        self.cut += row.cut;
        self.learned_lost += row.learned_lost;
        if line.merged_seams > 0 {
            self.merged_seams.add(line.line);
        }
        if line.has_control_token {
            self.control_tokens.add(line.line);
        }
        if line.has_doubled_start {
            self.doubled_starts.add(line.line);
        }
        self.rules.entry(line.rule).or_default().add(line.line);
    }
}
