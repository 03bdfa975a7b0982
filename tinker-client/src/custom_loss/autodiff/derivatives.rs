//! Derivatives that can be differentiated again.

use std::collections::{BTreeMap, HashMap};

use super::node::{Key, Node, Op, slope};
use super::var::Var;

/// Derivatives of the root, one number, with respect to some arrays, as arrays that can be differentiated again.
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
                    // A sum: the derivative is the same for each element.
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

/// Derivatives of the elements of a node with respect to those of one of its parents, as an array.
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
        Op::Pow(0.0) => Var::constant(0.0),
        Op::Pow(exponent) => exponent * parent(0).powf(exponent - 1.0),
        Op::Sigmoid => own() * (1.0 - own()),
        Op::LogSigmoid => (-parent(0)).sigmoid(),
        Op::Sum => Var::constant(1.0),
        // Piecewise constant.
        Op::Leaf | Op::Add | Op::Sub | Op::Neg | Op::Min | Op::Max | Op::Abs | Op::Clamp(..) => {
            let slopes = (0..node.values().len()).map(|i| slope(node, side, i));
            Var::new(slopes)
        }
    }
}
