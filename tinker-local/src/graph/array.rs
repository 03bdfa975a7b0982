//! Arrays of numbers, and broadcasting.

use std::sync::Arc;

/// Type of the numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// 0 or 1.
    Bool,
    /// Whole numbers.
    Int,
    /// Numbers that have gradients.
    Float,
}

/// A row-major array. A shape without dimensions holds a single number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) data: Arc<[f64]>,
    pub(super) kind: Kind,
}

impl Array {
    /// `data` has as many numbers as `shape` has cells.
    pub(super) fn new(shape: Vec<usize>, data: Vec<f64>, kind: Kind) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self {
            shape,
            data: data.into(),
            kind,
        }
    }

    pub(super) fn scalar(value: f64, kind: Kind) -> Self {
        Self::new(Vec::new(), vec![value], kind)
    }

    /// The number of an array that has exactly one cell.
    pub(super) fn single(&self) -> Option<f64> {
        match self.data[..] {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// The shape that two shapes are broadcast to, if they fit: dimensions are aligned at the end, and 1 fits any.
pub(super) fn joint_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], i: usize| {
        (i + shape.len())
            .checked_sub(rank)
            .map_or(1, |at| shape[at])
    };
    let dimension = |i| match (at(a, i), at(b, i)) {
        (x, y) if x == y => Some(x),
        (1, y) => Some(y),
        (x, 1) => Some(x),
        _ => None,
    };
    (0..rank).map(dimension).collect()
}

/// Stride of each dimension, in cells.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    strides
}

/// Calls `each` with the index of every cell of a shape, in order.
pub(super) fn each_cell(shape: &[usize], mut each: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        each(&index);
        let Some(at) = (0..shape.len()).rfind(|&at| index[at] + 1 < shape[at]) else {
            return;
        };
        index[at] += 1;
        index[at + 1..].fill(0);
    }
}

/// For each cell of `to`, the cell of `from` that is broadcast to it. `None` if the shapes are equal, so that each cell
/// maps to itself.
pub(super) fn stretched(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    if from == to {
        return None;
    }
    let offset = to.len() - from.len();
    let strides = strides(from);
    let mut map = Vec::with_capacity(to.iter().product());
    each_cell(to, |index| {
        let cell = from.iter().enumerate().map(|(at, &size)| {
            if size == 1 {
                0
            } else {
                index[offset + at] * strides[at]
            }
        });
        map.push(cell.sum());
    });
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_stretched_from_the_end() {
        assert_eq!(joint_shape(&[3], &[2, 1]), Some(vec![2, 3]));
        assert_eq!(joint_shape(&[], &[2]), Some(vec![2]));
        assert_eq!(joint_shape(&[0], &[1]), Some(vec![0]));
        assert_eq!(joint_shape(&[2], &[3]), None);
        assert_eq!(stretched(&[3], &[3]), None);
        assert_eq!(stretched(&[], &[2]), Some(vec![0, 0]));
        assert_eq!(stretched(&[2, 1], &[2, 3]), Some(vec![0, 0, 0, 1, 1, 1]));
        assert_eq!(stretched(&[3], &[2, 3]), Some(vec![0, 1, 2, 0, 1, 2]));
    }
}
