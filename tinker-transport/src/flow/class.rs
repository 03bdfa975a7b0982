//! Traffic classes, and values per class.

use std::fmt;

/// Purpose of a call. Each class has its own connections, limits and default policy, so that a flood of samples cannot
/// delay a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Session life cycle: create, heartbeat, dynamic configuration.
    Session,
    /// Submitting samples.
    Sample,
    /// Submitting training work; a connection carries one of these at a time, because bodies are large.
    Train,
    /// Polling for results. Thousands of long polls: not limited in number.
    Retrieve,
    /// Other requests: runs, checkpoints, billing.
    Rest,
    /// Telemetry. Never delays other calls, never retried.
    Telemetry,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] = [
        Self::Session,
        Self::Sample,
        Self::Train,
        Self::Retrieve,
        Self::Rest,
        Self::Telemetry,
    ];

    /// Lowercase name for traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Sample => "sample",
            Self::Train => "train",
            Self::Retrieve => "retrieve",
            Self::Rest => "rest",
            Self::Telemetry => "telemetry",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value for each [`Class`].
///
/// ```
/// use tinker_transport::{Class, PerClass};
///
/// let limits = PerClass::from_fn(|_| 10).with(Class::Sample, 400);
/// assert_eq!(limits.get(Class::Rest), &10);
/// assert_eq!(limits.get(Class::Sample), &400);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerClass<T>([T; Class::ALL.len()]);

impl<T> PerClass<T> {
    /// Computes the value of each class.
    pub fn from_fn(value: impl FnMut(Class) -> T) -> Self {
        Self(Class::ALL.map(value))
    }

    /// The value of one class.
    pub fn get(&self, class: Class) -> &T {
        &self.0[class as usize]
    }

    /// Mutable reference to the value of one class.
    pub fn get_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }

    /// Sets the value of one class.
    #[must_use]
    pub fn with(mut self, class: Class, value: T) -> Self {
        *self.get_mut(class) = value;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_finds_its_own_value() {
        let names = PerClass::from_fn(Class::name);
        for class in Class::ALL {
            assert_eq!(*names.get(class), class.name());
        }
    }
}
