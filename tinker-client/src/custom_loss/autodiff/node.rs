//! The computation graph and its backward pass.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A node of the graph: a result and its inputs.
#[derive(Debug, Clone)]
pub(super) struct Node(pub(super) Rc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    values: Vec<f64>,
    pub(super) op: Op,
    pub(super) parents: Vec<Node>,
    /// Length of the longest path to a leaf; larger than that of every parent.
    pub(super) depth: usize,
    /// The reason why the result is invalid, if it is.
    fault: Option<Rc<str>>,
}

/// The operation of a node.
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
    Pow(f64),
    Sigmoid,
    LogSigmoid,
    Clamp(f64, f64),
    Sum,
}

impl Op {
    /// The operator or method that users write.
    fn name(self) -> &'static str {
        match self {
            Self::Leaf => "a constant",
            Self::Add => "`+`",
            Self::Sub | Self::Neg => "`-`",
            Self::Mul => "`*`",
            Self::Div => "`/`",
            Self::Min => "`min`",
            Self::Max => "`max`",
            Self::Exp => "`exp`",
            Self::Log => "`log`",
            Self::Abs => "`abs`",
            Self::Sqrt => "`sqrt`",
            Self::Pow(_) => "`powf`",
            Self::Sigmoid => "`sigmoid`",
            Self::LogSigmoid => "`log_sigmoid`",
            Self::Clamp(..) => "`clamp`",
            Self::Sum => "`sum`",
        }
    }
}

/// Identity of a node, valid as long as the node lives.
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

    /// An operation on each pair of elements; an array of one number is broadcast.
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
                    let why = format!("{} of {a} numbers and {b}: the lengths differ", op.name());
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
    /// Drops long chains, as made by loops over tokens, without recursion: a recursive drop would overflow the stack.
    fn drop(&mut self) {
        let mut waiting = std::mem::take(&mut self.parents);
        while let Some(node) = waiting.pop() {
            if let Some(mut inner) = Rc::into_inner(node.0) {
                waiting.append(&mut inner.parents);
            }
        }
    }
}

/// Derivatives of the root, one number, with respect to every node it was computed from.
pub(super) fn backward(root: &Node) -> HashMap<Key, Vec<f64>> {
    let mut gradients = HashMap::from([(root.key(), vec![1.0])]);
    // Deepest nodes first: the derivative of a node is complete when all nodes computed from it are done.
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

/// Derivative of an element of a node with respect to the element of one of its parents.
pub(super) fn slope(node: &Node, side: usize, i: usize) -> f64 {
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
        Op::Pow(exponent) => power_slope(parent(0), exponent),
        Op::Sigmoid => at(node.values(), i) * sigmoid(-parent(0)),
        Op::LogSigmoid => sigmoid(-parent(0)),
        Op::Clamp(low, high) => f64::from(u8::from((low..=high).contains(&parent(0)))),
    }
}

/// The derivative of `x^exponent`. That of a constant, `x^0`, is 0 everywhere.
fn power_slope(x: f64, exponent: f64) -> f64 {
    if exponent == 0.0 {
        0.0
    } else {
        exponent * x.powf(exponent - 1.0)
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

/// Logarithm of the sigmoid, precise close to 0 and 1.
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
