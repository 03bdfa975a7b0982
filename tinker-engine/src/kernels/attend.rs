//! Attention of one position, as in generation: scores, softmax and the weighted sum of values in one kernel.

use super::lanes::Lanes;
use super::level::dispatch;
use super::operand::PANEL;
use super::softmax::softmax;

/// Columns of scores are padded to a multiple of this: four registers of the widest kind.
const FILL: usize = 64;

/// Prefetch distance of keys and values: 80 rows.
const AHEAD: usize = 80 * PANEL;

/// Smallest number of positions with prefetching. Shorter caches are pieces of a few KiB, one for each sequence, where
/// the hardware prefetcher does better.
const FAR: usize = 448;

/// The query heads of one position that share a key head, and the keys and values they attend to.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a> {
    /// Queries, `[heads, head_dim]`.
    pub(crate) queries: &'a [f32],
    /// Consecutive stretches; only the last may end within a panel.
    pub(crate) stretches: [Stretch<'a>; 2],
    /// Width of a head.
    pub(crate) head_dim: usize,
    /// Factor of the scores.
    pub(crate) scale: f32,
}

/// Consecutive keys and values.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'a> {
    /// Panels of [`PANEL`] keys, `[panels, head_dim, PANEL]`.
    pub(crate) keys: &'a [f32],
    /// Panels of [`PANEL`] columns, `[panels, capacity, PANEL]`.
    pub(crate) values: &'a [f32],
    /// Number of positions that keys and values have room for, a multiple of [`PANEL`].
    pub(crate) capacity: usize,
    /// Number of positions to attend to, from the first.
    pub(crate) count: usize,
}

impl Position<'_> {
    /// Number of positions to attend to.
    #[inline(always)]
    fn count(&self) -> usize {
        self.stretches[0].count + self.stretches[1].count
    }

    /// Distance between the scores of two heads.
    #[inline(always)]
    fn stride(&self) -> usize {
        self.stretches[0].count + self.stretches[1].count.next_multiple_of(FILL)
    }
}

/// Attends: fills `out`, `[heads, head_dim]`. The values are, bit for bit, those of two products with
/// [`causal_softmax`](super::causal_softmax) between them.
pub(crate) fn attend_position(position: Position<'_>, scores: &mut Vec<f32>, out: &mut [f32]) {
    let head_dim = position.head_dim;
    let heads = out.len() / head_dim;
    assert!(position.queries.len() == heads * head_dim && out.len() == heads * head_dim);
    assert!(position.count() > 0 && position.stretches[0].count.is_multiple_of(PANEL));
    for stretch in position.stretches {
        let capacity = stretch.capacity;
        assert!(capacity.is_multiple_of(PANEL) && stretch.count <= capacity);
        assert!(stretch.keys.len() >= capacity * head_dim);
        assert!(stretch.values.len() >= capacity * head_dim.next_multiple_of(PANEL));
    }
    let stride = position.stride();
    if scores.len() < heads * stride {
        scores.resize(heads * stride, 0.0);
    }
    run(position, scores, out);
}

dispatch! {
    fn run(position: Position<'_>, scores: &mut [f32], out: &mut [f32]) = heads
}

/// # Safety
/// The processor has the instructions of `V`, and [`attend_position`] has checked the operands.
#[inline(always)]
unsafe fn heads<V: Lanes>(position: Position<'_>, scores: &mut [f32], out: &mut [f32]) {
    // As many heads at once as fit the register file with a tile of four registers each.
    let (count, at_once) = (out.len() / position.head_dim, V::ROWS / 3);
    let mut head = 0;
    while head < count {
        let rows = at_once.min(count - head);
        // SAFETY: the heads exist; the caller ensures the rest.
        unsafe {
            match rows {
                1 => some_heads::<V, 1>(position, head, scores, out),
                2 => some_heads::<V, 2>(position, head, scores, out),
                3 => some_heads::<V, 3>(position, head, scores, out),
                _ => some_heads::<V, 4>(position, head, scores, out),
            }
        }
        head += rows;
    }
}

#[inline(always)]
unsafe fn some_heads<V: Lanes, const MR: usize>(
    position: Position<'_>,
    head: usize,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (head_dim, stride) = (position.head_dim, position.stride());
    let scores = &mut scores[..MR * stride];
    // SAFETY: keys `first..` are tiles within the capacity, whose columns past the count land in the padding of the scores,
    // or where the next stretch is written; columns `first..` of values are tiles within its panels.
    unsafe {
        let mut start = 0;
        for stretch in position.stretches {
            let mut first = 0;
            while first < stretch.count {
                let to = scores.as_mut_ptr().add(start + first);
                if first + 4 * V::N <= stretch.count.next_multiple_of(PANEL) {
                    score::<V, MR, 4>(position, &stretch, head, first, to);
                    first += 4 * V::N;
                } else {
                    score::<V, MR, 2>(position, &stretch, head, first, to);
                    first += 2 * V::N;
                }
            }
            start += stretch.count;
        }
        for row in scores.chunks_exact_mut(stride) {
            softmax::<V>(&mut row[..position.count()], position.scale);
        }
        let out = out[head * head_dim..].as_mut_ptr();
        let mut first = 0;
        while first < head_dim {
            if head_dim - first > 2 * V::N {
                blend::<V, MR, 4>(position, first, scores.as_ptr(), out);
                first += 4 * V::N;
            } else {
                blend::<V, MR, 2>(position, first, scores.as_ptr(), out);
                first += 2 * V::N;
            }
        }
    }
}

/// Scores of `NV` registers of keys.
#[inline(always)]
unsafe fn score<V: Lanes, const MR: usize, const NV: usize>(
    position: Position<'_>,
    stretch: &Stretch<'_>,
    head: usize,
    first: usize,
    scores: *mut f32,
) {
    let (head_dim, stride) = (position.head_dim, position.stride());
    // SAFETY: the caller gives heads and keys that exist, and room for the scores.
    unsafe {
        let queries = position.queries.as_ptr().add(head * head_dim);
        let mut keys = [stretch.keys.as_ptr(); NV];
        for (v, keys) in keys.iter_mut().enumerate() {
            let key = first + v * V::N;
            *keys = keys.add(key / PANEL * head_dim * PANEL + key % PANEL);
        }
        let zeros = [[V::zero(); NV]; MR];
        let far = position.count() >= FAR;
        let acc = sums::<V, MR, NV>(zeros, queries, head_dim, keys, head_dim, far);
        for (i, row) in acc.into_iter().enumerate() {
            for (v, register) in row.into_iter().enumerate() {
                register.store(scores.add(i * stride + v * V::N));
            }
        }
    }
}

/// `NV` registers of the weighted sum of values.
#[inline(always)]
unsafe fn blend<V: Lanes, const MR: usize, const NV: usize>(
    position: Position<'_>,
    first: usize,
    scores: *const f32,
    out: *mut f32,
) {
    let (head_dim, stride) = (position.head_dim, position.stride());
    let far = position.count() >= FAR;
    // SAFETY: the caller gives columns within the panels and scores of all keys.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        let mut start = 0;
        for stretch in position.stretches {
            let mut values = [stretch.values.as_ptr(); NV];
            for (v, values) in values.iter_mut().enumerate() {
                let column = first + v * V::N;
                let at = column / PANEL * stretch.capacity * PANEL + column % PANEL;
                *values = values.wrapping_add(at);
            }
            let scores = scores.add(start);
            acc = sums::<V, MR, NV>(acc, scores, stride, values, stretch.count, far);
            start += stretch.count;
        }
        for (i, row) in acc.into_iter().enumerate() {
            for (v, register) in row.into_iter().enumerate() {
                let column = first + v * V::N;
                if column < head_dim {
                    register.store_upto(out.add(i * head_dim + column), head_dim - column);
                }
            }
        }
    }
}

/// Adds `depth` products of numbers from `MR` rows and `NV` registers to sums, first to last.
///
/// With `far` it prefetches, as the tile of a product does.
#[inline(always)]
unsafe fn sums<V: Lanes, const MR: usize, const NV: usize>(
    mut acc: [[V; NV]; MR],
    rows: *const f32,
    stride: usize,
    panels: [*const f32; NV],
    depth: usize,
    far: bool,
) -> [[V; NV]; MR] {
    // SAFETY: the caller gives rows of `depth` numbers and panels of `depth` rows.
    unsafe {
        for p in 0..depth {
            let mut columns = [V::zero(); NV];
            for (column, panel) in columns.iter_mut().zip(panels) {
                *column = V::load(panel.add(p * PANEL));
                if far {
                    V::prefetch(panel.wrapping_add(p * PANEL + AHEAD));
                }
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let x = V::splat_from(rows.add(i * stride + p));
                for v in 0..NV {
                    row[v] = x.fma(columns[v], row[v]);
                }
            }
        }
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::at_each_level;
    use super::super::{Operand, Out, Rows, causal_softmax, gemm};
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_position_is_two_products_and_a_softmax_bit_for_bit() {
        for (heads, head_dim, shared, count) in [
            (1, 16, 0, 1_usize),
            (2, 32, 0, 33),
            (2, 32, 32, 1),
            (2, 32, 64, 32),
            (3, 64, 32, 70),
            (4, 20, 96, 65),
            (7, 64, 0, 64),
            (9, 34, 64, 31),
            (2, 32, 448, 5),
        ] {
            let mut random = Random::new((shared + count) as u64, 0);
            let mut numbers = |n: usize| (0..n).map(|_| random.normal(1.0)).collect::<Vec<f32>>();
            let queries = numbers(heads * head_dim);
            let wide = head_dim.next_multiple_of(PANEL);
            let capacity = shared + count.next_multiple_of(PANEL);
            let (keys, values) = (numbers(capacity * head_dim), numbers(capacity * wide));
            // The same cut in two, the first with room to spare.
            let room = shared + PANEL;
            let mut cut = [vec![f32::NAN; room * wide], Vec::new()];
            for (panel, from) in values.chunks_exact(capacity * PANEL).enumerate() {
                let (first, second) = from.split_at(shared * PANEL);
                cut[0][panel * room * PANEL..][..first.len()].copy_from_slice(first);
                cut[1].extend_from_slice(second);
            }
            let mut first_keys = keys[..shared * head_dim].to_vec();
            first_keys.resize(room * head_dim, f32::NAN);
            let position = Position {
                queries: &queries,
                stretches: [
                    Stretch {
                        keys: &first_keys,
                        values: &cut[0],
                        capacity: room,
                        count: shared,
                    },
                    Stretch {
                        keys: &keys[shared * head_dim..],
                        values: &cut[1],
                        capacity: capacity - shared,
                        count,
                    },
                ],
                head_dim,
                scale: 0.3,
            };
            let count = shared + count;
            at_each_level(|level| {
                let (mut scores, mut out) = (Vec::new(), vec![0.0; heads * head_dim]);
                attend_position(position, &mut scores, &mut out);

                let mut scores = vec![0.0; heads * count];
                let b = Operand::panels(&keys, head_dim, head_dim);
                let a = Rows::new(&queries, head_dim);
                gemm([heads, count, head_dim], a, b, Out::set(&mut scores, count));
                for row in scores.chunks_exact_mut(count) {
                    causal_softmax(row, count, 0.3);
                }
                let mut exact = vec![0.0; heads * head_dim];
                let b = Operand::panels(&values, capacity, count);
                let c = Out::set(&mut exact, head_dim);
                gemm([heads, head_dim, count], Rows::new(&scores, count), b, c);
                for (a, b) in out.iter().zip(&exact) {
                    assert_eq!(a.to_bits(), b.to_bits(), "{level:?}");
                }
            });
        }
    }
}
