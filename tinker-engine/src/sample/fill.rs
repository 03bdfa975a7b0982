//! Prompt processing, a few rows of each prompt at a time.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::job::Spec;
use super::prompt::{Filling, Part, wanted};
use super::scratch::{Scratch, lock};
use crate::model::{
    Caches, ForwardPass, Group, KeyValues, Model, Precision, Segment, SegmentCaches,
};
use crate::threads::{PoolHandle, ThreadPool};

/// Rows a thread runs at once: enough for the products to be fast, few enough for the threads to share a prompt.
const CHUNK: usize = 64;

/// Consecutive rows of a prompt. A chunk receives the keys and values of each block when the chunk before it has finished
/// that block, so that several threads work on one prompt, each some blocks ahead of the next.
struct Chunk<'a> {
    spec: &'a Spec,
    rows: Range<usize>,
    relay: Relay,
    part: &'a mut Part,
}

/// Passes keys and values from chunk to chunk, in the order of the blocks.
struct Relay {
    before: Receiver<KeyValues>,
    next: Sender<KeyValues>,
    held: Option<KeyValues>,
}

impl SegmentCaches for Relay {
    fn cache(&mut self, _segment: usize, _block: usize) -> &mut KeyValues {
        self.pass_on();
        // Items start in order, so the chunk before this one has started, and it waits for earlier ones only.
        let got = self.before.recv();
        self.held
            .insert(got.expect("the chunk before passes on every block, unless it panicked"))
    }
}

impl Relay {
    fn pass_on(&mut self) {
        if let Some(done) = self.held.take() {
            // The receiver is gone only if its chunk panicked; then the whole round fails.
            let _unreceived = self.next.send(done);
        }
    }
}

/// Runs the next rows of prompts, as many as are given with each.
pub(super) fn run(
    threads: &ThreadPool,
    scratches: &[Mutex<Scratch>],
    model: &Model,
    mut work: Vec<(&Spec, &mut Filling, usize)>,
) {
    let cuts: Vec<Vec<Range<usize>>> = work
        .iter()
        .map(|(_, filling, rows)| cut(filling.rows..filling.rows + rows))
        .collect();
    let mut parts: Vec<Vec<Part>> = cuts
        .iter()
        .map(|cuts| cuts.iter().map(|_| Part::default()).collect())
        .collect();
    let mut chunks = Vec::new();
    let mut ends = Vec::new();
    for (((spec, filling, _), cuts), parts) in work.iter_mut().zip(&cuts).zip(&mut parts) {
        let (first, mut before) = channel();
        for cache in std::mem::take(&mut filling.caches) {
            let _held = first.send(cache);
        }
        for (rows, part) in cuts.iter().zip(parts) {
            let (next, after) = channel();
            let relay = Relay {
                before: std::mem::replace(&mut before, after),
                next,
                held: None,
            };
            let rows = rows.clone();
            chunks.push(Chunk {
                spec,
                rows,
                relay,
                part,
            });
        }
        ends.push(before);
    }
    threads.each(chunks, |thread, chunk| {
        chunk.run(model, &mut lock(&scratches[thread]));
    });
    for (((_, filling, rows), end), parts) in work.into_iter().zip(ends).zip(parts) {
        filling.caches = end.into_iter().collect();
        filling.rows += rows;
        for part in parts {
            filling.add(part);
        }
    }
}

/// Cuts rows into chunks of about the same length.
fn cut(rows: Range<usize>) -> Vec<Range<usize>> {
    let count = rows.len().div_ceil(CHUNK).max(1);
    (0..count)
        .map(|i| rows.start + i * rows.len() / count..rows.start + (i + 1) * rows.len() / count)
        .collect()
}

impl Chunk<'_> {
    fn run(mut self, model: &Model, scratch: &mut Scratch) {
        let n = self.rows.len();
        let groups = [Group {
            rows: 0..n,
            with: self.spec.lora.as_deref(),
        }];
        let segments = [Segment {
            start: 0,
            len: n,
            position: self.rows.start,
        }];
        let pass = ForwardPass {
            pool: PoolHandle::Caller,
            model,
            precision: Precision::Exact,
            groups: &groups,
            segments: &segments,
            keep: false,
        };
        let caches = Caches::Segments(&mut self.relay);
        let tokens = &self.spec.prompt[self.rows.clone()];
        pass.run(tokens, caches, &mut scratch.tape);
        self.relay.pass_on();
        let (spec, part, start) = (self.spec, self.part, self.rows.start);
        let wanted = wanted(spec, &self.rows);
        if wanted.is_empty() {
            return;
        }
        let rows = wanted.start - start..wanted.end - start;
        scratch.logits(&pass, rows, |row, logits, norm, draw| {
            part.record(spec, start + row, logits, norm, draw);
        });
    }
}
