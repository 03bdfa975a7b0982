//! Matrix product `C = A B` with a packed right side; rows are independent of each other.

use half::{bf16, f16};

use super::element::{Element, View};
use super::lanes::Lanes;
use super::level::dispatch;
use super::operand::PANEL;
use super::operand::{Operand, Out, Rows};
use super::tile::{Tile, tile};
use crate::threads::PoolHandle;

/// Bytes of a panel in one pass: they stay in the first-level cache while all rows of the left side pass.
const PANEL_BYTES: usize = 32 << 10;

/// Up to this many tiles of rows, panels are not split by depth: they are read whole, in the order of memory, so that
/// prefetching fetches what is read next. Weights that come from memory are read at nearly twice the speed that way, and a
/// few rows of the left side fit the second-level cache at this depth.
const FEW_TILES: usize = 2;
const DEPTH_OF_FEW: usize = 2048;

/// Smallest number of rows of a part that is split by rows: two tiles of the widest kind.
const ROWS_OF_A_PART: usize = 24;

/// Computes `[m, n] = [m, k] [k, n]` for the shape `[m, n, k]`.
///
/// # Panics
/// An operand is shorter than its shape.
pub(crate) fn gemm(shape: [usize; 3], a: Rows<'_>, b: Operand<'_>, out: Out<'_>) {
    gemm_by(PoolHandle::Caller, shape, a, b, out);
}

/// [`gemm`] by several threads if it is large enough.
pub(crate) fn gemm_by(
    pool: PoolHandle<'_>,
    [m, n, k]: [usize; 3],
    a: Rows<'_>,
    b: Operand<'_>,
    out: Out<'_>,
) {
    let Out {
        data: c,
        row: stride,
        accumulate,
    } = out;
    if m == 0 || n == 0 {
        return;
    }
    let fits = c.len() >= (m - 1) * stride + n && (m == 1 || stride >= n);
    assert!(fits, "output of a product is too short");
    let reached = (m - 1) * a.row + k.saturating_sub(1) * a.step;
    assert!(
        k == 0 || a.data.len() > reached,
        "left side of a product is too short"
    );
    assert!(
        b.data.len() >= b.needs(k, n),
        "right side of a product is too short"
    );
    let panel = b.panel;
    let c = c.as_mut_ptr();
    macro_rules! shared {
        ($b:ident, $run:ident) => {{
            let call = Call {
                a,
                b: $b,
                panel,
                c,
                stride,
                m,
                n,
                k,
                accumulate,
            };
            match pool.parts(m * n * k) {
                1 => $run(call),
                parts => pool.each(call.parts(parts), |Part(call)| $run(call)),
            }
        }};
    }
    match b.data {
        View::F32(b) => shared!(b, run_f32),
        View::F16(b) => shared!(b, run_f16),
        View::Bf16(b) => shared!(b, run_bf16),
        View::I8(b) => shared!(b, run_i8),
    }
}

#[derive(Clone, Copy)]
struct Call<'a, E> {
    a: Rows<'a>,
    b: &'a [E],
    panel: usize,
    c: *mut f32,
    stride: usize,
    m: usize,
    n: usize,
    k: usize,
    accumulate: bool,
}

/// Some rows or columns of a call's output.
struct Part<'a, E>(Call<'a, E>);

// SAFETY: the output of a part is borrowed mutably by `gemm_by` until all parts are done, and no two
// parts of a call write the same element. The rest is shared slices.
unsafe impl<E: Sync> Send for Part<'_, E> {}

impl<'a, E: Copy> Call<'a, E> {
    /// Splits the call into about this many parts: by rows if each part gets enough of them to reuse what it reads of the
    /// right side, else by panels of columns.
    fn parts(self, parts: usize) -> Vec<Part<'a, E>> {
        if self.m >= parts * ROWS_OF_A_PART {
            let rows = self.m.div_ceil(parts);
            let starts = (0..self.m).step_by(rows);
            return starts
                .map(|i| {
                    Part(Self {
                        a: Rows {
                            data: &self.a.data[i * self.a.row..],
                            ..self.a
                        },
                        c: self.c.wrapping_add(i * self.stride),
                        m: rows.min(self.m - i),
                        ..self
                    })
                })
                .collect();
        }
        let panels = self.n.div_ceil(PANEL).div_ceil(parts);
        let starts = (0..self.n).step_by(panels * PANEL);
        starts
            .map(|j| {
                Part(Self {
                    b: &self.b[j / PANEL * self.panel..],
                    c: self.c.wrapping_add(j),
                    n: (panels * PANEL).min(self.n - j),
                    ..self
                })
            })
            .collect()
    }
}

dispatch! {
    fn run_f32(call: Call<'_, f32>) = drive_f32
}
dispatch! {
    fn run_f16(call: Call<'_, f16>) = drive_f16
}
dispatch! {
    fn run_bf16(call: Call<'_, bf16>) = drive_bf16
}
dispatch! {
    fn run_i8(call: Call<'_, i8>) = drive_i8
}

/// # Safety
/// As [`drive`].
#[inline(always)]
unsafe fn drive_f32<V: Lanes>(call: Call<'_, f32>) {
    // SAFETY: the caller keeps the contract.
    unsafe { drive::<V, f32>(call) }
}

/// # Safety
/// As [`drive`].
#[inline(always)]
unsafe fn drive_f16<V: Lanes>(call: Call<'_, f16>) {
    // SAFETY: the caller keeps the contract.
    unsafe { drive::<V, f16>(call) }
}

/// # Safety
/// As [`drive`].
#[inline(always)]
unsafe fn drive_bf16<V: Lanes>(call: Call<'_, bf16>) {
    // SAFETY: the caller keeps the contract.
    unsafe { drive::<V, bf16>(call) }
}

/// # Safety
/// As [`drive`].
#[inline(always)]
unsafe fn drive_i8<V: Lanes>(call: Call<'_, i8>) {
    // SAFETY: the caller keeps the contract.
    unsafe { drive::<V, i8>(call) }
}

/// # Safety
/// The processor has the instructions of `V`, and the operands cover the call's shape.
#[inline(always)]
unsafe fn drive<V: Lanes, E: Element>(call: Call<'_, E>) {
    // SAFETY: `gemm` has checked that all operands cover their shapes, and the caller has checked
    // the processor.
    unsafe {
        // With few rows, more columns at once keep enough sums in flight.
        match call.m {
            1 => narrow::<V, E, 1, 8>(call),
            2 => narrow::<V, E, 2, 4>(call),
            3 => narrow::<V, E, 3, 4>(call),
            _ => wide::<V, E>(call),
        }
    }
}

/// All rows fit one tile of `NV` registers of columns.
#[inline(always)]
unsafe fn narrow<V: Lanes, E: Element, const MR: usize, const NV: usize>(call: Call<'_, E>) {
    let mut j = 0;
    // SAFETY: columns j up to j + NV * N exist, by the loop's condition; the caller ensures the rest.
    unsafe {
        while call.n - j >= NV * V::N {
            tile::<V, E, MR, NV>(place::<V, E, NV>(call, 0, j, 0, call.k));
            j += NV * V::N;
        }
        columns::<V, E, MR>(call, 0, j, call.n, 0, call.k);
    }
}

#[inline(always)]
unsafe fn wide<V: Lanes, E: Element>(call: Call<'_, E>) {
    let tiles = call.m.div_ceil(V::ROWS);
    let (small, larger) = (call.m / tiles, call.m % tiles);
    let most = if tiles <= FEW_TILES {
        DEPTH_OF_FEW
    } else {
        PANEL_BYTES / (PANEL * size_of::<E>())
    };
    let mut start = 0;
    while start == 0 || start < call.k {
        let depth = most.min(call.k - start);
        for j in (0..call.n).step_by(PANEL) {
            let end = call.n.min(j + PANEL);
            let mut i = 0;
            for t in 0..tiles {
                let rows = small + usize::from(t < larger);
                // SAFETY: rows i up to i + rows, columns j up to end and the depth lie in the call.
                unsafe {
                    match rows {
                        1 => columns::<V, E, 1>(call, i, j, end, start, depth),
                        2 => columns::<V, E, 2>(call, i, j, end, start, depth),
                        3 => columns::<V, E, 3>(call, i, j, end, start, depth),
                        4 => columns::<V, E, 4>(call, i, j, end, start, depth),
                        5 => columns::<V, E, 5>(call, i, j, end, start, depth),
                        6 => columns::<V, E, 6>(call, i, j, end, start, depth),
                        7 => columns::<V, E, 7>(call, i, j, end, start, depth),
                        8 => columns::<V, E, 8>(call, i, j, end, start, depth),
                        9 => columns::<V, E, 9>(call, i, j, end, start, depth),
                        10 => columns::<V, E, 10>(call, i, j, end, start, depth),
                        11 => columns::<V, E, 11>(call, i, j, end, start, depth),
                        _ => columns::<V, E, 12>(call, i, j, end, start, depth),
                    }
                }
                i += rows;
            }
        }
        start += most;
    }
}

/// Columns `from..to` for `MR` rows, two registers at a time.
#[inline(always)]
unsafe fn columns<V: Lanes, E: Element, const MR: usize>(
    call: Call<'_, E>,
    i: usize,
    from: usize,
    to: usize,
    start: usize,
    depth: usize,
) {
    let mut j = from;
    // SAFETY: the columns exist, by the conditions; the caller ensures the rest.
    unsafe {
        while to - j >= 2 * V::N {
            tile::<V, E, MR, 2>(place::<V, E, 2>(call, i, j, start, depth));
            j += 2 * V::N;
        }
        if to - j > V::N {
            let t = Tile {
                last: to - j - V::N,
                ..place::<V, E, 2>(call, i, j, start, depth)
            };
            tile::<V, E, MR, 2>(t);
        } else if to > j {
            let t = Tile {
                last: to - j,
                ..place::<V, E, 1>(call, i, j, start, depth)
            };
            tile::<V, E, MR, 1>(t);
        }
    }
}

#[inline(always)]
unsafe fn place<V: Lanes, E: Element, const NV: usize>(
    call: Call<'_, E>,
    i: usize,
    j: usize,
    start: usize,
    depth: usize,
) -> Tile<E, NV> {
    // SAFETY: the caller gives a row, a column and a depth inside the call.
    unsafe {
        Tile {
            k: depth,
            a: call
                .a
                .data
                .as_ptr()
                .wrapping_add(i * call.a.row + start * call.a.step),
            a_row: call.a.row,
            a_step: call.a.step,
            b: std::array::from_fn(|v| {
                let column = j + v * V::N;
                let at = (column / PANEL) * call.panel + column % PANEL + start * PANEL;
                call.b.as_ptr().wrapping_add(at)
            }),
            c: call.c.add(i * call.stride + j),
            c_row: call.stride,
            last: V::N,
            accumulate: call.accumulate || start > 0,
        }
    }
}

#[cfg(test)]
mod tests;
