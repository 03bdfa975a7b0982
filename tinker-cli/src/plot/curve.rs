//! Data of a plot.

/// A curve with its title and labels. Points that are not finite are left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) title: String,
    pub(crate) x_label: String,
    /// Points from left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// The finite points, averaged to at most `columns` points.
    pub(super) fn binned(&self, columns: usize) -> Vec<(f64, f64)> {
        let finite: Vec<(f64, f64)> = self
            .points
            .iter()
            .copied()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        let per_bin = finite.len().div_ceil(columns.max(1)).max(1);
        let mean = |bin: &[(f64, f64)]| {
            let sum = bin
                .iter()
                .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
            (sum.0 / bin.len() as f64, sum.1 / bin.len() as f64)
        };
        finite.chunks(per_bin).map(mean).collect()
    }
}
