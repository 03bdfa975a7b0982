//! Groups of cells that are reduced together.

use std::cmp::Ordering;

use super::super::array::{each_cell, strides};
use super::super::value::dimension;

/// Groups of cells that are reduced together.
pub(super) struct Groups {
    /// The group of each cell.
    pub(super) of: Vec<usize>,
    /// Shape of the groups, without the reduced dimensions.
    shape: Vec<usize>,
    /// The same shape with the reduced dimensions as 1.
    kept: Vec<usize>,
    /// Number of cells in one group.
    pub(super) size: usize,
}

impl Groups {
    /// Groups over the given dimensions, or over all if none is given.
    pub(super) fn new(shape: &[usize], dims: &[i64]) -> Result<Self, String> {
        let mut is_reduced = vec![dims.is_empty(); shape.len()];
        for &dim in dims {
            if let Some(is_reduced) = is_reduced.get_mut(dimension(dim, shape.len())?) {
                *is_reduced = true;
            }
        }
        let kept: Vec<usize> = (0..shape.len())
            .map(|at| if is_reduced[at] { 1 } else { shape[at] })
            .collect();
        let strides = strides(&kept);
        let mut of = Vec::with_capacity(shape.iter().product());
        each_cell(shape, |index| {
            let place = (0..shape.len()).filter(|&at| !is_reduced[at]);
            of.push(place.map(|at| index[at] * strides[at]).sum());
        });
        let reduced = (0..shape.len()).filter(|&at| is_reduced[at]);
        Ok(Self {
            size: reduced.map(|at| shape[at]).product(),
            shape: (0..shape.len())
                .filter(|&at| !is_reduced[at])
                .map(|at| shape[at])
                .collect(),
            kept,
            of,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn result_shape(&self, keep: bool) -> Vec<usize> {
        if keep {
            self.kept.clone()
        } else {
            self.shape.clone()
        }
    }

    /// The first cell with the largest, or smallest, number of each group. NaN counts as largest.
    pub(super) fn extremes(&self, data: &[f64], largest: bool) -> Result<Vec<usize>, String> {
        if self.size == 0 {
            return Err("looks for an extreme among no numbers".to_owned());
        }
        let mut best = vec![usize::MAX; self.count()];
        for (cell, &group) in self.of.iter().enumerate() {
            let is_better = match best[group] {
                usize::MAX => true,
                _ if data[best[group]].is_nan() => false,
                other => {
                    let order = data[cell].partial_cmp(&data[other]);
                    let better = if largest {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    };
                    order.is_none_or(|order| order == better)
                }
            };
            if is_better {
                best[group] = cell;
            }
        }
        Ok(best)
    }
}
