//! Views of a dict: its keys, values or items.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// A view. It has a length, and no JSON.
#[derive(Debug)]
pub(super) struct View {
    /// How Python names it.
    pub(super) name: &'static str,
    pub(super) items: Vec<Value>,
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let view = self.clone();
        let items = (0..self.items.len()).map(move |index| view.items[index].clone());
        Enumerator::Iter(Box::new(items))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
}
