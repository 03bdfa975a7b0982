//! Arrays of numbers, dense or sparse.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

mod json;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 64-bit signed integers.
    Int64,
    /// 32-bit floats.
    Float32,
}

/// Elements of a tensor: all cells if dense, the listed ones if sparse.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// 64-bit signed integers.
    Int64(Arc<[i64]>),
    /// 32-bit floats.
    Float32(Arc<[f32]>),
}

impl Elements {
    /// Number of stored elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Int64(values) => values.len(),
            Self::Float32(values) => values.len(),
        }
    }

    /// Whether no elements are stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Int64(_) => DType::Int64,
            Self::Float32(_) => DType::Float32,
        }
    }
}

/// Row starts and column indices of a sparse matrix in compressed-row form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Csr {
    pub(crate) rows: Arc<[i64]>,
    pub(crate) columns: Arc<[i64]>,
}

/// A tensor: row-major elements with a shape, or a sparse matrix (CSR). Cheap to clone.
///
/// ```
/// use tinker_types::TensorData;
///
/// let weights = TensorData::from(vec![0.0, 1.0, 1.0]);
/// assert_eq!(weights.shape(), Some(&[3][..]));
///
/// let targets = TensorData::from(vec![7_i64, 8, 9, 10]).with_shape([2, 2])?;
/// assert!(targets.with_shape([3, 2]).is_err());
/// # Ok::<(), tinker_types::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TensorData {
    elements: Elements,
    shape: Option<Vec<usize>>,
    csr: Option<Csr>,
}

impl TensorData {
    /// A dense tensor without a declared shape; servers treat it as one-dimensional.
    pub fn dense(elements: Elements) -> Self {
        Self {
            elements,
            shape: None,
            csr: None,
        }
    }

    fn list(elements: Elements) -> Self {
        Self {
            shape: Some(vec![elements.len()]),
            ..Self::dense(elements)
        }
    }

    /// Sets the shape of a dense tensor.
    ///
    /// # Errors
    /// The tensor is sparse, or the shape has another number of elements.
    pub fn with_shape(mut self, shape: impl Into<Vec<usize>>) -> Result<Self, InvalidValue> {
        let shape = shape.into();
        if self.csr.is_some() {
            return Err(InvalidValue::new(
                "shape",
                "of a sparse tensor is fixed when it is made",
            ));
        }
        let cells = cells(&shape)?;
        if cells != self.elements.len() {
            let have = self.elements.len();
            return Err(InvalidValue::new(
                "shape",
                format!("{shape:?} holds {cells} elements, the data has {have}"),
            ));
        }
        self.shape = Some(shape);
        Ok(self)
    }

    /// A sparse matrix of `shape` in compressed-row form: row `r` lists the cells
    /// `(r, columns[i]) = elements[i]` for `i` in `rows[r]..rows[r + 1]`. Cells not listed are 0.
    ///
    /// # Errors
    /// Row starts that do not increase from 0 to the number of elements, or a column outside the shape.
    pub fn csr(
        elements: Elements,
        rows: impl Into<Arc<[i64]>>,
        columns: impl Into<Arc<[i64]>>,
        shape: [usize; 2],
    ) -> Result<Self, InvalidValue> {
        let (rows, columns) = (rows.into(), columns.into());
        let stored = elements.len();
        cells(&shape)?;
        if Some(rows.len()) != shape[0].checked_add(1)
            || rows.first() != Some(&0)
            || rows.last() != Some(&(stored as i64))
        {
            let form = format!(
                "must hold one start for each of {} rows and one more, from 0 to {stored}",
                shape[0]
            );
            return Err(InvalidValue::new("sparse_crow_indices", form));
        }
        if rows.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(InvalidValue::new(
                "sparse_crow_indices",
                "must not decrease",
            ));
        }
        if columns.len() != stored {
            let form = format!("has {} entries for {stored} elements", columns.len());
            return Err(InvalidValue::new("sparse_col_indices", form));
        }
        if let Some(at) = columns.iter().position(|&c| c < 0 || c >= shape[1] as i64) {
            let form = format!("is {}, outside 0..{}", columns[at], shape[1]);
            return Err(InvalidValue::new(format!("sparse_col_indices[{at}]"), form));
        }
        Ok(Self {
            elements,
            shape: Some(shape.to_vec()),
            csr: Some(Csr { rows, columns }),
        })
    }

    /// The stored elements.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.elements.dtype()
    }

    /// The shape, if declared.
    pub fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// Number of positions: rows of a matrix, elements of a list.
    pub(crate) fn positions(&self) -> usize {
        match self.shape() {
            Some([rows, _]) => *rows,
            _ => self.cells(),
        }
    }

    /// Number of cells: the stored elements of a dense tensor, all cells of a sparse one.
    pub fn cells(&self) -> usize {
        match (&self.csr, &self.shape) {
            (Some(_), Some(shape)) => shape.iter().product(),
            _ => self.elements.len(),
        }
    }

    /// Whether it is stored as a sparse matrix.
    pub fn is_sparse(&self) -> bool {
        self.csr.is_some()
    }

    /// Row starts and column indices of a sparse matrix.
    pub fn csr_indices(&self) -> Option<(&[i64], &[i64])> {
        self.csr.as_ref().map(|csr| (&*csr.rows, &*csr.columns))
    }

    #[cfg(feature = "proto")]
    pub(crate) fn csr_parts(&self) -> Option<&Csr> {
        self.csr.as_ref()
    }

    /// The elements of a dense float tensor, row-major.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match (&self.elements, &self.csr) {
            (Elements::Float32(values), None) => Some(values),
            _ => None,
        }
    }

    /// The elements of a dense integer tensor, row-major.
    pub fn as_i64(&self) -> Option<&[i64]> {
        match (&self.elements, &self.csr) {
            (Elements::Int64(values), None) => Some(values),
            _ => None,
        }
    }

    /// All cells, row-major; cells that a sparse tensor does not list are 0.
    pub fn to_dense(&self) -> Self {
        let (Some(csr), Some(shape)) = (&self.csr, &self.shape) else {
            return self.clone();
        };
        let elements = match &self.elements {
            Elements::Int64(values) => Elements::Int64(spread(values, csr, shape[1]).into()),
            Elements::Float32(values) => Elements::Float32(spread(values, csr, shape[1]).into()),
        };
        Self {
            elements,
            shape: Some(shape.clone()),
            csr: None,
        }
    }

    /// Size of the stored numbers on the wire in bytes, indices included.
    pub fn wire_bytes(&self) -> usize {
        let width = match self.dtype() {
            DType::Int64 => 8,
            DType::Float32 => 4,
        };
        let indices = self
            .csr
            .as_ref()
            .map_or(0, |csr| csr.rows.len() + csr.columns.len());
        self.elements.len() * width + indices * 8
    }
}

/// Number of cells of a tensor of this shape.
pub(crate) fn cells(shape: &[usize]) -> Result<usize, InvalidValue> {
    let product = shape
        .iter()
        .try_fold(1_usize, |product, &n| product.checked_mul(n));
    product.ok_or_else(|| InvalidValue::new("shape", format!("{shape:?} has too many cells")))
}

fn spread<T: Copy + Default>(values: &[T], csr: &Csr, width: usize) -> Vec<T> {
    let mut dense = vec![T::default(); (csr.rows.len() - 1) * width];
    for row in 0..csr.rows.len() - 1 {
        for at in csr.rows[row] as usize..csr.rows[row + 1] as usize {
            dense[row * width + csr.columns[at] as usize] = values[at];
        }
    }
    dense
}

impl From<Vec<f32>> for TensorData {
    fn from(values: Vec<f32>) -> Self {
        Self::list(Elements::Float32(values.into()))
    }
}

impl From<Vec<i64>> for TensorData {
    fn from(values: Vec<i64>) -> Self {
        Self::list(Elements::Int64(values.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_matrices_are_checked_and_spread() {
        let values = Elements::Int64([9, 8].into());
        let matrix = TensorData::csr(values.clone(), [0, 1, 2], [0, 4], [2, 5]).unwrap();
        assert_eq!(
            matrix.to_dense().as_i64().unwrap(),
            [9, 0, 0, 0, 0, 0, 0, 0, 0, 8]
        );
        let json = r#"{"data":[9,8],"dtype":"int64","shape":[2,5],"sparse_crow_indices":[0,1,2],"sparse_col_indices":[0,4]}"#;
        assert_eq!(serde_json::to_string(&matrix).unwrap(), json);
        assert_eq!(serde_json::from_str::<TensorData>(json).unwrap(), matrix);
        assert!(TensorData::csr(values.clone(), [0, 2, 1], [0, 4], [2, 5]).is_err());
        assert!(TensorData::csr(values.clone(), [0, 1, 2], [0, 5], [2, 5]).is_err());
        assert!(TensorData::csr(values, [0, 2], [0, 4], [2, 5]).is_err());
    }

    #[test]
    fn a_huge_shape_is_refused_without_overflow() {
        assert!(
            TensorData::from(vec![1.0])
                .with_shape([usize::MAX, 2])
                .is_err()
        );
        for shape in [[usize::MAX, 0], [usize::MAX, 1], [0, usize::MAX]] {
            let none = Elements::Int64([].into());
            assert_eq!(
                TensorData::csr(none, [0], [], shape).is_ok(),
                shape[0] == 0,
                "{shape:?}"
            );
        }
    }
}
