//! Packs: short sequences side by side, so that every product has enough rows to be fast.

use std::ops::Range;

use crate::model::Segment;

/// One sequence to train on. Position `t` has the `width` targets from `t * width` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Example<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) targets: &'a [u32],
    pub(crate) width: usize,
}

/// Consecutive examples that one pass runs together.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    /// Numbers of the examples.
    pub(crate) examples: Range<usize>,
    pub(crate) tokens: Vec<u32>,
    pub(crate) segments: Vec<Segment>,
    /// First cell of each row, and the number of cells, counted within the pack: `[rows + 1]`.
    pub(crate) starts: Vec<usize>,
    pub(crate) targets: Vec<u32>,
    /// Cells of all packs before this one.
    pub(crate) first_cell: usize,
}

/// Rows a pack is filled up to: enough for the products, few enough for the caches.
const ROWS: usize = 256;

/// Packs that a batch is cut into if it is long enough, so that several threads have work.
const WANTED: usize = 8;

/// Cuts a batch into packs. The cut depends on the batch alone, not on the machine.
pub(crate) fn pack(examples: &[Example<'_>]) -> Vec<Pack> {
    let total: usize = examples.iter().map(|e| e.tokens.len()).sum();
    let limit = total.div_ceil(WANTED).clamp(64, ROWS);
    let mut packs: Vec<Pack> = Vec::new();
    let mut first_cell = 0;
    for (i, example) in examples.iter().enumerate() {
        let fits = packs
            .last()
            .is_some_and(|p| p.tokens.len() + example.tokens.len() <= limit);
        if !fits {
            packs.push(Pack {
                examples: i..i,
                tokens: Vec::new(),
                segments: Vec::new(),
                starts: vec![0],
                targets: Vec::new(),
                first_cell,
            });
        }
        let Some(pack) = packs.last_mut() else {
            continue;
        };
        pack.segments.push(Segment {
            start: pack.tokens.len(),
            len: example.tokens.len(),
            position: 0,
        });
        pack.tokens.extend_from_slice(example.tokens);
        let before = pack.targets.len();
        pack.starts
            .extend((1..=example.tokens.len()).map(|t| before + t * example.width));
        pack.targets.extend_from_slice(example.targets);
        pack.examples.end = i + 1;
        first_cell += example.targets.len();
    }
    packs
}
