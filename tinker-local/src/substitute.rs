//! Losses that are computed in place of others.

use std::collections::BTreeMap;

use tinker_types::{Loss, LossFn};

/// For each name of a loss that the engine does not compute, the loss to compute instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Substitutes(BTreeMap<String, LossFn>);

impl Substitutes {
    pub(crate) fn insert(&mut self, name: &LossFn, by: LossFn) {
        self.0.insert(name.as_str().to_owned(), by);
    }

    /// Replaces the loss, if it has a substitute, and returns the name of the metric that reports it. Constants are those of
    /// another function, so they are dropped.
    pub(crate) fn apply(&self, loss: &mut Loss) -> Option<String> {
        let name = loss.name.as_str();
        let by = self.0.get(name)?;
        let metric = format!("substituted/{name}_by_{}:mean", by.as_str());
        *loss = Loss::new(by.clone());
        Some(metric)
    }

    /// The warning for new sessions, if there are substitutes.
    pub(crate) fn warning(&self) -> Option<String> {
        let pair = |(name, by): (&String, &LossFn)| format!("{name} as {}", by.as_str());
        let pairs: Vec<String> = self.0.iter().map(pair).collect();
        (!pairs.is_empty()).then(|| {
            format!(
                "this engine was told to compute losses by substitutes: {}; the metrics of such a pass say so",
                pairs.join(", ")
            )
        })
    }
}
