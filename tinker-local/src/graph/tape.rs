//! Reverse-mode differentiation: the arrays of a run and the backward functions.

use super::array::{Array, Kind, joint_shape, stretched};

/// Numbers that one run may hold: 128 MiB.
const ROOM: usize = 1 << 24;

/// Multiplications that the matrix products of one run may take.
const WORK: usize = 1 << 30;

/// Index of an array on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Var(usize);

/// Adds the gradient of a result to the gradients of its inputs.
type Back = Box<dyn Fn(&[f64], &mut Gradients<'_>)>;

/// The arrays of one run, in the order they were computed.
pub(super) struct Tape {
    arrays: Vec<Array>,
    backs: Vec<Option<Back>>,
    /// Whether the array depends on a leaf.
    depends: Vec<bool>,
    room: usize,
    work: usize,
}

/// Gradient of each array, if known.
pub(super) struct Gradients<'a> {
    of: Vec<Option<Vec<f64>>>,
    arrays: &'a [Array],
    depends: &'a [bool],
}

impl Gradients<'_> {
    /// Adds to the gradient of an array, if it is needed.
    pub(super) fn add(&mut self, var: Var, add: impl FnOnce(&mut [f64])) {
        let Var(at) = var;
        if self.depends[at] {
            let zero = || vec![0.0; self.arrays[at].data.len()];
            add(self.of[at].get_or_insert_with(zero));
        }
    }
}

impl Tape {
    pub(super) fn new() -> Self {
        Self {
            arrays: Vec::new(),
            backs: Vec::new(),
            depends: Vec::new(),
            room: ROOM,
            work: WORK,
        }
    }

    fn put(&mut self, array: Array, depends: bool, back: Option<Back>) -> Result<Var, String> {
        self.reserve(array.data.len())?;
        self.arrays.push(array);
        self.backs.push(back.filter(|_| depends));
        self.depends.push(depends);
        Ok(Var(self.arrays.len() - 1))
    }

    /// Reserves room for numbers before they are computed.
    fn reserve(&mut self, numbers: usize) -> Result<(), String> {
        self.room = self.room.checked_sub(numbers).ok_or_else(|| {
            format!("the loss computes more than {ROOM} numbers for one datum; make it smaller")
        })?;
        Ok(())
    }

    /// Reserves multiplications before they are done.
    pub(super) fn spend(&mut self, multiplications: usize) -> Result<(), String> {
        self.work = self.work.checked_sub(multiplications).ok_or_else(|| {
            format!(
                "the loss takes more than {WORK} multiplications for one datum; make it smaller"
            )
        })?;
        Ok(())
    }

    /// Refuses a shape with too many cells.
    pub(super) fn check_room(&self, shape: &[usize]) -> Result<(), String> {
        let cells = shape
            .iter()
            .try_fold(1_usize, |cells, &n| cells.checked_mul(n));
        match cells {
            Some(cells) if cells <= self.room => Ok(()),
            _ => Err(format!(
                "an array of shape {shape:?} is more than the loss may compute for one datum"
            )),
        }
    }

    /// Adds an array whose gradient is needed.
    pub(super) fn leaf(&mut self, array: Array) -> Result<Var, String> {
        self.put(array, true, None)
    }

    pub(super) fn constant(&mut self, array: Array) -> Result<Var, String> {
        self.put(array, false, None)
    }

    /// Adds a result of `inputs` with its backward function. Only floats have gradients.
    pub(super) fn result(
        &mut self,
        array: Array,
        inputs: &[Var],
        back: impl Fn(&[f64], &mut Gradients<'_>) + 'static,
    ) -> Result<Var, String> {
        let depends =
            array.kind == Kind::Float && inputs.iter().any(|&Var(input)| self.depends[input]);
        self.put(array, depends, Some(Box::new(back)))
    }

    pub(super) fn array(&self, Var(at): Var) -> &Array {
        &self.arrays[at]
    }

    pub(super) fn shape(&self, var: Var) -> &[usize] {
        &self.array(var).shape
    }

    pub(super) fn kind(&self, var: Var) -> Kind {
        self.array(var).kind
    }

    pub(super) fn depends(&self, Var(at): Var) -> bool {
        self.depends[at]
    }

    /// The gradient of `loss`, a single number, with respect to `leaf`.
    pub(super) fn gradient(&self, loss: Var, leaf: Var) -> Vec<f64> {
        let mut gradients = Gradients {
            of: vec![None; self.arrays.len()],
            arrays: &self.arrays,
            depends: &self.depends,
        };
        gradients.add(loss, |gradient| gradient.fill(1.0));
        for at in (leaf.0 + 1..=loss.0).rev() {
            if let Some(back) = &self.backs[at]
                && let Some(gradient) = gradients.of[at].take()
            {
                back(&gradient, &mut gradients);
            }
        }
        let none = || vec![0.0; self.array(leaf).data.len()];
        gradients.of[leaf.0].take().unwrap_or_else(none)
    }

    /// Applies a function element-wise to arrays that are broadcast to one shape. `slopes` are its partial
    /// derivatives.
    pub(super) fn elementwise<const N: usize>(
        &mut self,
        inputs: [Var; N],
        kind: Kind,
        value: impl Fn([f64; N]) -> f64,
        slopes: impl Fn([f64; N]) -> [f64; N] + 'static,
    ) -> Result<Var, String> {
        let mut shape = Vec::new();
        for &input in &inputs {
            let next = self.shape(input);
            shape = joint_shape(&shape, next)
                .ok_or_else(|| format!("shapes {shape:?} and {next:?} do not fit together"))?;
        }
        self.check_room(&shape)?;
        let arrays = inputs.map(|input| self.array(input).data.clone());
        let maps = inputs.map(|input| stretched(self.shape(input), &shape));
        let cell = move |input: usize, at: usize| maps[input].as_ref().map_or(at, |map| map[at]);
        let count = shape.iter().product();
        let arguments = |at: usize| std::array::from_fn(|input| arrays[input][cell(input, at)]);
        let data = (0..count).map(|at| value(arguments(at))).collect();
        let array = Array::new(shape, data, kind);
        self.result(array, &inputs, {
            let arrays = arrays.clone();
            move |gradient, gradients| {
                for (number, &input) in inputs.iter().enumerate() {
                    gradients.add(input, |into| {
                        for (at, gradient) in gradient.iter().enumerate() {
                            let arguments =
                                std::array::from_fn(|input| arrays[input][cell(input, at)]);
                            let slope = slopes(arguments)[number];
                            // A slope of 0 contributes nothing, even if the gradient is NaN.
                            if slope != 0.0 {
                                into[cell(number, at)] += gradient * slope;
                            }
                        }
                    });
                }
            }
        })
    }

    /// An array whose cells are copies of cells of another: `map` has the index of each.
    pub(super) fn gather(
        &mut self,
        input: Var,
        shape: Vec<usize>,
        map: Vec<usize>,
    ) -> Result<Var, String> {
        self.check_room(&shape)?;
        let from = self.array(input);
        let data = map.iter().map(|&cell| from.data[cell]).collect();
        let array = Array::new(shape, data, from.kind);
        self.result(array, &[input], move |gradient, gradients| {
            gradients.add(input, |into| {
                for (&cell, gradient) in map.iter().zip(gradient) {
                    into[cell] += gradient;
                }
            });
        })
    }

    /// The same numbers in another shape with as many cells.
    pub(super) fn reshaped(&mut self, input: Var, shape: Vec<usize>) -> Result<Var, String> {
        let mut array = self.array(input).clone();
        array.shape = shape;
        self.result(array, &[input], move |gradient, gradients| {
            gradients.add(input, |into| {
                for (into, gradient) in into.iter_mut().zip(gradient) {
                    *into += gradient;
                }
            });
        })
    }
}
