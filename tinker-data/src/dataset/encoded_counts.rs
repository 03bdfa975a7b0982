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
    /// Rows that are equal to an earlier one.
    pub duplicates: usize,
    /// Messages without any text, thought or call.
    pub empty_turns: usize,
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
    fn of(line: usize, is_found: bool) -> Self {
        if is_found {
            Self {
                count: 1,
                first: line,
            }
        } else {
            Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        if self.count == 0 {
            self.first = other.first;
        }
        self.count += other.count;
    }
}

impl EncodedCounts {
    /// The counts of one row.
    pub(super) fn of(row: &EncodedRow) -> Self {
        let lengths = row.examples.iter().map(|example| example.tokens);
        let line = &row.line;
        Self {
            sequences: row.examples.len(),
            tokens: line.tokens,
            learned: line.learned,
            shortest: lengths.clone().min().unwrap_or(0),
            longest: lengths.max().unwrap_or(0),
            left_out: row.left_out,
            cut: row.cut,
            learned_lost: row.learned_lost,
            skipped: 0,
            duplicates: 0,
            empty_turns: 0,
            merged_seams: FoundLines::of(line.line, line.merged_seams > 0),
            control_tokens: FoundLines::of(line.line, line.has_control_token),
            doubled_starts: FoundLines::of(line.line, line.has_doubled_start),
            rules: [(line.rule, FoundLines::of(line.line, true))].into(),
        }
    }

    /// Adds the counts of later rows.
    pub(super) fn add(&mut self, later: &Self) {
        self.shortest = match (self.sequences, later.sequences) {
            (_, 0) => self.shortest,
            (0, _) => later.shortest,
            _ => self.shortest.min(later.shortest),
        };
        self.longest = self.longest.max(later.longest);
        self.sequences += later.sequences;
        self.tokens += later.tokens;
        self.learned += later.learned;
        self.left_out += later.left_out;
        self.cut += later.cut;
        self.learned_lost += later.learned_lost;
        self.skipped += later.skipped;
        self.duplicates += later.duplicates;
        self.empty_turns += later.empty_turns;
        self.merged_seams.add(later.merged_seams);
        self.control_tokens.add(later.control_tokens);
        self.doubled_starts.add(later.doubled_starts);
        for (rule, found) in &later.rules {
            self.rules.entry(*rule).or_default().add(*found);
        }
    }
}
