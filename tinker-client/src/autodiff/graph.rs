//! What was computed from what, and the way back.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::Var;

/// A result and what it was computed from.
#[derive(Debug, Clone)]
pub(super) struct Node(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    values: Vec<f64>,
    op: Op,
    parents: Vec<Node>,
    /// Longest way to a leaf: greater than that of every parent.
    depth: usize,
    /// Why it cannot be computed.
    fault: Option<Rc<str>>,
}

/// How a result was computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Op {
    Leaf,
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Neg,
    Exp,
    Log,
    Abs,
    Sqrt,
    Sigmoid,
    LogSigmoid,
    Clamp(f64, f64),
    Sum,
}

/// Identifies a node as long as it lives.
pub(super) type Key = *const ();

impl Node {
    pub(super) fn leaf(values: Vec<f64>) -> Self {
        Self::new(values, Op::Leaf, Vec::new())
    }

    pub(super) fn new(values: Vec<f64>, op: Op, parents: Vec<Self>) -> Self {
        let fault = parents.iter().find_map(|parent| parent.0.fault.clone());
        let depth = parents.iter().map(|parent| parent.0.depth + 1).max();
        Self(Rc::new(Inner {
            values,
            op,
            parents,
            depth: depth.unwrap_or(0),
            fault,
        }))
    }

    /// An operation on each pair of elements. One number meets every element of the other side.
    pub(super) fn pair(
        left: &Self,
        right: &Self,
        op: Op,
        function: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let (a, b) = (left.values(), right.values());
        let parents = vec![left.clone(), right.clone()];
        let len = match (a.len(), b.len()) {
            (a, b) if a == b => a,
            (1, n) | (n, 1) => n,
            (a, b) => {
                let mut node = Self::new(Vec::new(), op, parents);
                if let Some(inner) = Rc::get_mut(&mut node.0)
                    && inner.fault.is_none()
                {
                    let why = format!("{op:?} of {a} numbers and {b}: the lengths do not fit");
                    inner.fault = Some(why.into());
                }
                return node;
            }
        };
        let values = (0..len).map(|i| function(at(a, i), at(b, i))).collect();
        Self::new(values, op, parents)
    }

    pub(super) fn detached(&self) -> Self {
        let mut node = Self::leaf(self.0.values.clone());
        if let Some(inner) = Rc::get_mut(&mut node.0) {
            inner.fault.clone_from(&self.0.fault);
        }
        node
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.0.values
    }

    pub(super) fn fault(&self) -> Option<&str> {
        self.0.fault.as_deref()
    }

    pub(super) fn key(&self) -> Key {
        Rc::as_ptr(&self.0).cast()
    }
}

impl Drop for Inner {
    /// A loop over tokens makes a long chain. Dropped the usual way, each link inside the one before,
    /// it would take the stack with it.
    fn drop(&mut self) {
        let mut waiting = std::mem::take(&mut self.parents);
        while let Some(node) = waiting.pop() {
            if let Some(mut inner) = Rc::into_inner(node.0) {
                waiting.append(&mut inner.parents);
            }
        }
    }
}

/// Derivatives of the root, one number, by every node it was computed from.
pub(super) fn backward(root: &Node) -> HashMap<Key, Vec<f64>> {
    let mut gradients = HashMap::from([(root.key(), vec![1.0])]);
    // A node's derivative is complete when all that was computed from it is done: deepest first.
    let mut waiting: BTreeMap<usize, HashMap<Key, Node>> = BTreeMap::new();
    let wait = |waiting: &mut BTreeMap<usize, HashMap<Key, Node>>, node: &Node| {
        let level = waiting.entry(node.0.depth).or_default();
        level.insert(node.key(), node.clone());
    };
    wait(&mut waiting, root);
    while let Some((_, level)) = waiting.pop_last() {
        for (key, node) in level {
            let gradient = gradients.get(&key).cloned().unwrap_or_default();
            for (side, parent) in node.0.parents.iter().enumerate() {
                let zeros = || vec![0.0; parent.values().len()];
                let sum = gradients.entry(parent.key()).or_insert_with(zeros);
                let len = gradient.len().max(parent.values().len());
                for i in 0..len {
                    let part = at(&gradient, i) * slope(&node, side, i);
                    let place = if sum.len() == 1 { 0 } else { i };
                    sum[place] += part;
                }
                wait(&mut waiting, parent);
            }
        }
    }
    gradients
}

/// Derivatives of the root, one number, by some nodes, as arrays that can be differentiated again.
pub(super) fn derivatives(root: &Var, of: &[Var]) -> Vec<Var> {
    let mut gradients = HashMap::from([(root.0.key(), Var::constant(1.0))]);
    let mut waiting: BTreeMap<usize, HashMap<Key, Node>> = BTreeMap::new();
    let first = waiting.entry(root.0.0.depth).or_default();
    first.insert(root.0.key(), root.0.clone());
    while let Some((_, level)) = waiting.pop_last() {
        for (key, node) in level {
            let Some(gradient) = gradients.get(&key).cloned() else {
                continue;
            };
            for (side, parent) in node.0.parents.iter().enumerate() {
                let len = parent.values().len();
                let part = &gradient * slope_of(&node, side);
                let part = match (part.len(), len) {
                    (found, wanted) if found == wanted => part,
                    (_, 1) => part.sum(),
                    // A sum: each element has the same share.
                    (_, wanted) => part * Var::new(vec![1.0; wanted]),
                };
                let sum = match gradients.remove(&parent.key()) {
                    Some(sum) => sum + part,
                    None => part,
                };
                gradients.insert(parent.key(), sum);
                let level = waiting.entry(parent.0.depth).or_default();
                level.insert(parent.key(), parent.clone());
            }
        }
    }
    let of = of.iter().map(|var| {
        let zeros = || Var::new(vec![0.0; var.len()]);
        gradients.get(&var.0.key()).cloned().unwrap_or_else(zeros)
    });
    of.collect()
}

/// The derivatives of the elements of a node by those of one of its parents, as an array.
fn slope_of(node: &Node, side: usize) -> Var {
    let own = || Var(node.clone());
    let parent = |side: usize| Var(node.0.parents[side].clone());
    match node.0.op {
        Op::Mul => parent(1 - side),
        Op::Div if side == 0 => 1.0 / parent(1),
        Op::Div => -parent(0) / (parent(1) * parent(1)),
        Op::Exp => own(),
        Op::Log => 1.0 / parent(0),
        Op::Sqrt => 0.5 / own(),
        Op::Sigmoid => own() * (1.0 - own()),
        Op::LogSigmoid => (-parent(0)).sigmoid(),
        Op::Sum => Var::constant(1.0),
        // Constant but for jumps.
        Op::Leaf | Op::Add | Op::Sub | Op::Neg | Op::Min | Op::Max | Op::Abs | Op::Clamp(..) => {
            let slopes = (0..node.values().len()).map(|i| slope(node, side, i));
            Var::new(slopes)
        }
    }
}

/// Derivative of an element of a node by that of one of its parents.
fn slope(node: &Node, side: usize, i: usize) -> f64 {
    let parent = |side: usize| at(node.0.parents[side].values(), i);
    let is_left = side == 0;
    let chosen = |left_is_chosen: bool| f64::from(u8::from(left_is_chosen == is_left));
    match node.0.op {
        Op::Leaf => 0.0,
        Op::Add | Op::Sum => 1.0,
        Op::Sub => {
            if is_left {
                1.0
            } else {
                -1.0
            }
        }
        Op::Mul => parent(1 - side),
        Op::Div if is_left => 1.0 / parent(1),
        Op::Div => -parent(0) / (parent(1) * parent(1)),
        Op::Min => chosen(parent(0) <= parent(1)),
        Op::Max => chosen(parent(0) >= parent(1)),
        Op::Neg => -1.0,
        Op::Exp => at(node.values(), i),
        Op::Log => 1.0 / parent(0),
        Op::Abs => {
            let value = parent(0);
            if value == 0.0 { 0.0 } else { value.signum() }
        }
        Op::Sqrt => 0.5 / at(node.values(), i),
        Op::Sigmoid => at(node.values(), i) * sigmoid(-parent(0)),
        Op::LogSigmoid => sigmoid(-parent(0)),
        Op::Clamp(low, high) => f64::from(u8::from((low..=high).contains(&parent(0)))),
    }
}

/// `1 / (1 + e^-x)`, without overflow on either side.
pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        x.exp() / (1.0 + x.exp())
    }
}

/// Its logarithm, precise where it is close to 0 and to 1.
pub(super) fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

fn at(values: &[f64], i: usize) -> f64 {
    if values.len() == 1 {
        values[0]
    } else {
        values[i]
    }
}
