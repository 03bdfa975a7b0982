//! Training pool: threads that run the packs of a batch. Results do not depend on the number of threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::packs::Pack;
use crate::kernels::add;
use crate::model::{Grads, Lora, Model, Objective, Term, TrainingPass, Workspace};
use crate::threads::{PoolHandle, ThreadPool};

/// Number of accumulators. Each sums the gradients of its packs in their order, then the accumulators are summed in
/// order: the order of additions follows from the batch, not from the scheduler.
const ACCUMULATORS: usize = 8;

/// Which gradients a run accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GradientScope {
    /// None: only the loss and the log probabilities.
    None,
    /// Those of an adapter.
    Adapter,
    /// Those of every weight.
    AllWeights,
}

/// Result of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The loss, summed in the order of the packs.
    pub(crate) loss: f64,
    /// Log probabilities of the cells of each pack.
    pub(crate) logprobs: Vec<Vec<f32>>,
}

/// Threads with their workspaces, and the gradients they accumulate.
#[derive(Debug)]
pub(crate) struct TrainingPool {
    threads: Arc<ThreadPool>,
    workspaces: Vec<Mutex<Workspace>>,
    gradients: Vec<Vec<f32>>,
}

/// Packs whose gradients are summed in one array.
struct Accumulator<'a> {
    packs: Vec<usize>,
    grads: &'a mut Vec<f32>,
    /// Number, loss and log probabilities of the packs that have run.
    done: Vec<(usize, f64, Vec<f32>)>,
}

impl TrainingPool {
    /// A training pool on these threads.
    pub(crate) fn new(threads: Arc<ThreadPool>) -> Self {
        let workspaces = (0..threads.size()).map(|_| Mutex::default()).collect();
        Self {
            threads,
            workspaces,
            gradients: vec![Vec::new(); ACCUMULATORS],
        }
    }

    /// Runs all packs. `term` takes cells counted over the whole batch. Gradients, `size` of them, are kept for
    /// [`TrainingPool::add_to`].
    pub(crate) fn run(
        &mut self,
        model: &Model,
        lora: Option<&Lora>,
        packs: &[Pack],
        scope: GradientScope,
        size: usize,
        term: &(dyn Fn(usize, f32) -> Option<Term> + Sync),
    ) -> Outcome {
        let Self {
            threads,
            workspaces,
            gradients,
        } = self;
        let run =
            |handle: PoolHandle<'_>, thread: usize, some: &mut Accumulator<'_>, count: usize| {
                let workspace = &mut lock(&workspaces[thread]);
                for &p in &some.packs[some.done.len()..][..count] {
                    let pack = &packs[p];
                    let term = |cell: usize, logprob: f32| term(pack.first_cell + cell, logprob);
                    let objective = Objective {
                        starts: &pack.starts,
                        targets: &pack.targets,
                        term: &term,
                    };
                    let mut logprobs = vec![0.0; pack.targets.len()];
                    let mut grads = match scope {
                        GradientScope::None => None,
                        GradientScope::Adapter => Some(Grads::Lora(some.grads)),
                        GradientScope::AllWeights => Some(Grads::Full(some.grads)),
                    };
                    let pass = TrainingPass {
                        pool: handle,
                        model,
                        lora,
                        tokens: &pack.tokens,
                        segments: &pack.segments,
                        objective: &objective,
                    };
                    let loss = pass.run(workspace, &mut logprobs, grads.as_mut());
                    some.done.push((p, loss, logprobs));
                }
            };
        let mut accumulators: Vec<Accumulator<'_>> = assign(packs)
            .into_iter()
            .zip(gradients)
            .map(|(packs, grads)| {
                grads.clear();
                if scope != GradientScope::None {
                    grads.resize(size, 0.0);
                }
                Accumulator {
                    packs,
                    grads,
                    done: Vec::new(),
                }
            })
            .collect();
        // First the packs that every accumulator has, then the excess of some. Accumulators run side by side while there
        // are enough for the threads; the rest run one by one, each on all threads.
        let counts = accumulators.iter().map(|some| some.packs.len());
        let least = counts.min().unwrap_or(0);
        for is_excess in [false, true] {
            let mut left: Vec<(&mut Accumulator<'_>, usize)> = accumulators
                .iter_mut()
                .map(|some| {
                    let excess = some.packs.len() - least;
                    (some, if is_excess { excess } else { least })
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            let side_by_side = side_by_side(left.len(), threads.size());
            let rest = left.split_off(side_by_side);
            threads.each(left, |thread, (some, count)| {
                run(PoolHandle::Caller, thread, some, count);
            });
            for (some, count) in rest {
                run(PoolHandle::Pool(threads), 0, some, count);
            }
        }
        let mut done: Vec<_> = accumulators
            .into_iter()
            .flat_map(|some| some.done)
            .collect();
        done.sort_by_key(|(p, ..)| *p);
        let loss = done.iter().map(|(_, loss, _)| loss).sum();
        Outcome {
            loss,
            logprobs: done.into_iter().map(|(.., logprobs)| logprobs).collect(),
        }
    }

    /// Adds the gradients of the last run to `total`, and clears them.
    pub(crate) fn add_to(&mut self, total: &mut [f32]) {
        for gradients in &mut self.gradients {
            if gradients.len() == total.len() {
                add(total, gradients);
            }
            gradients.clear();
        }
    }
}

/// Number of accumulators that run side by side: a multiple of the threads, or all if the rest nearly fills the threads.
fn side_by_side(accumulators: usize, threads: usize) -> usize {
    let rest = accumulators % threads;
    if rest * 4 >= threads * 3 {
        accumulators
    } else {
        accumulators - rest
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Assigns packs to accumulators, the longest first, each to the accumulator with the fewest rows so far.
fn assign(packs: &[Pack]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..packs.len()).collect();
    order.sort_by_key(|p| (std::cmp::Reverse(packs[*p].tokens.len()), *p));
    let mut assigned = vec![(0, Vec::new()); ACCUMULATORS.min(packs.len())];
    for p in order {
        if let Some((rows, some)) = assigned.iter_mut().min_by_key(|(rows, _)| *rows) {
            *rows += packs[p].tokens.len();
            some.push(p);
        }
    }
    assigned.into_iter().map(|(_, some)| some).collect()
}
