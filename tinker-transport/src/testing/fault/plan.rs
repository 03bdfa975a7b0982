//! Assignment of faults to requests.

use std::sync::Arc;

use http::Request;

use super::kind::Fault;
use crate::body::Body;

/// Predicate on requests.
pub(super) type Concerns = Arc<dyn Fn(&Request<Body>) -> bool + Send + Sync>;

/// Assignment of faults to requests.
#[derive(Clone)]
pub(super) struct Plan {
    choice: Choice,
    concerns: Option<Concerns>,
}

#[derive(Clone)]
enum Choice {
    Script(Arc<[Option<Fault>]>),
    Chance {
        seed: u64,
        faults: Vec<(Fault, f64)>,
    },
}

impl Plan {
    pub(super) fn script(faults: Vec<Option<Fault>>) -> Self {
        Self::new(Choice::Script(faults.into()))
    }

    pub(super) fn seeded(seed: u64) -> Self {
        Self::new(Choice::Chance {
            seed,
            faults: Vec::new(),
        })
    }

    fn new(choice: Choice) -> Self {
        Self {
            choice,
            concerns: None,
        }
    }

    pub(super) fn add(&mut self, fault: Fault, share: f64) {
        if let Choice::Chance { faults, .. } = &mut self.choice {
            faults.push((fault, share));
        }
    }

    pub(super) fn only(&mut self, concerns: Concerns) {
        self.concerns = Some(concerns);
    }

    pub(super) fn concerns(&self, request: &Request<Body>) -> bool {
        let concerns = self.concerns.as_ref();
        concerns.is_none_or(|concerns| concerns(request))
    }

    /// Fault of the request with this number.
    pub(super) fn fault(&self, number: usize) -> Option<Fault> {
        match &self.choice {
            Choice::Script(faults) => *faults.get(number)?,
            Choice::Chance { seed, faults } => {
                // Drawn for the number alone, independent of the order in which requests draw.
                let mut random = fastrand::Rng::with_seed(seed.wrapping_add(number as u64));
                random.u64(..);
                let mut drawn = random.f64();
                faults.iter().find_map(|(fault, share)| {
                    drawn -= share;
                    (drawn < 0.0).then_some(*fault)
                })
            }
        }
    }
}
