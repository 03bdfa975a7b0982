//! Python's generators: what filters such as `map` return.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// Values that can be read once. They have no length, no items and no JSON.
#[derive(Debug)]
pub(super) struct Generator(Mutex<Vec<Value>>);

impl Generator {
    /// A generator of these values.
    pub(super) fn of(values: Vec<Value>) -> Value {
        Value::from_object(Self(Mutex::new(values)))
    }

    /// The values that were not yet read.
    pub(super) fn values(&self) -> Vec<Value> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Enumerator::Iter(Box::new(std::mem::take(&mut *values).into_iter()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }
}
