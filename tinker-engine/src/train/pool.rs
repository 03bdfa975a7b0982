//! Several threads work through the packs of a batch; what comes out does not depend on how many.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::packs::Pack;
use crate::kernels::add;
use crate::model::{Grads, Lora, Model, Objective, Term, Workspace};
use crate::threads::{Hands, Team};

/// Gradients are summed in this many lanes, each by one thread in the order of its packs, and the
/// lanes in order after that. So the order of additions is the batch's, not the scheduler's.
const LANES: usize = 8;

/// Which gradients a run gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gather {
    /// None: only the loss and the log probabilities.
    Nothing,
    /// An adapter's.
    Lora,
    /// Those of every weight.
    Full,
}

/// What a run returns.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The loss, summed in the order of the packs.
    pub(crate) loss: f64,
    /// Log probabilities of the cells of each pack.
    pub(crate) logprobs: Vec<Vec<f32>>,
}

/// Threads and what they need to train.
#[derive(Debug)]
pub(crate) struct Crew {
    team: Arc<Team>,
    workspaces: Vec<Mutex<Workspace>>,
    lanes: Vec<Vec<f32>>,
}

struct Lane<'a> {
    packs: Vec<usize>,
    grads: &'a mut Vec<f32>,
    done: Vec<(usize, f64, Vec<f32>)>,
}

impl Crew {
    /// A crew of the threads of a team.
    pub(crate) fn new(team: Arc<Team>) -> Self {
        let workspaces = (0..team.size()).map(|_| Mutex::default()).collect();
        Self {
            team,
            workspaces,
            lanes: vec![Vec::new(); LANES],
        }
    }

    /// Runs all packs. `term` is asked with cells counted over the whole batch. With gradients, they
    /// are left for [`Crew::add_to`], `size` of them.
    pub(crate) fn run(
        &mut self,
        model: &Model,
        lora: Option<&Lora>,
        packs: &[Pack],
        gather: Gather,
        size: usize,
        term: &(dyn Fn(usize, f32) -> Option<Term> + Sync),
    ) -> Outcome {
        let Self {
            team,
            workspaces,
            lanes,
        } = self;
        let run = |hands: Hands<'_>, thread: usize, lane: &mut Lane<'_>, count: usize| {
            let workspace = &mut lock(&workspaces[thread]);
            for &p in &lane.packs[lane.done.len()..][..count] {
                let pack = &packs[p];
                let term = |cell: usize, logprob: f32| term(pack.first_cell + cell, logprob);
                let objective = Objective {
                    starts: &pack.starts,
                    targets: &pack.targets,
                    term: &term,
                };
                let mut logprobs = vec![0.0; pack.targets.len()];
                let mut sink = match gather {
                    Gather::Nothing => None,
                    Gather::Lora => Some(Grads::Lora(lane.grads)),
                    Gather::Full => Some(Grads::Full(lane.grads)),
                };
                let (tokens, segments) = (&pack.tokens, &pack.segments);
                let loss = workspace.pass(
                    hands,
                    model,
                    lora,
                    tokens,
                    segments,
                    &objective,
                    &mut logprobs,
                    sink.as_mut(),
                );
                lane.done.push((p, loss, logprobs));
            }
        };
        let mut lanes: Vec<Lane<'_>> = assign(packs)
            .into_iter()
            .zip(lanes)
            .map(|(packs, grads)| {
                grads.clear();
                if gather != Gather::Nothing {
                    grads.resize(size, 0.0);
                }
                Lane {
                    packs,
                    grads,
                    done: Vec::new(),
                }
            })
            .collect();
        // First what all lanes have, then what some have more. Lanes go side by side while there are enough
        // for the threads, and what is left one by one, each on all threads.
        let least = lanes.iter().map(|lane| lane.packs.len()).min().unwrap_or(0);
        for more in [false, true] {
            let mut left: Vec<(&mut Lane<'_>, usize)> = lanes
                .iter_mut()
                .map(|lane| {
                    let count = if more {
                        lane.packs.len() - least
                    } else {
                        least
                    };
                    (lane, count)
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            let side_by_side = side_by_side(left.len(), team.size());
            let rest = left.split_off(side_by_side);
            team.each(left, |thread, (lane, count)| {
                run(Hands::One, thread, lane, count);
            });
            for (lane, count) in rest {
                run(Hands::All(team), 0, lane, count);
            }
        }
        let mut done: Vec<_> = lanes.into_iter().flat_map(|lane| lane.done).collect();
        done.sort_by_key(|(p, ..)| *p);
        let loss = done.iter().map(|(_, loss, _)| loss).sum();
        Outcome {
            loss,
            logprobs: done.into_iter().map(|(.., logprobs)| logprobs).collect(),
        }
    }

    /// Adds the gradients of the last run.
    pub(crate) fn add_to(&mut self, total: &mut [f32]) {
        for lane in &mut self.lanes {
            if lane.len() == total.len() {
                add(total, lane);
            }
            lane.clear();
        }
    }
}

/// How many of the lanes go side by side: all that fill the threads, and the rest too if they nearly do.
fn side_by_side(lanes: usize, threads: usize) -> usize {
    let rest = lanes % threads;
    if rest * 4 >= threads * 3 {
        lanes
    } else {
        lanes - rest
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deals packs to lanes, the longest first, each to the lane with the fewest rows so far.
fn assign(packs: &[Pack]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..packs.len()).collect();
    order.sort_by_key(|p| (std::cmp::Reverse(packs[*p].tokens.len()), *p));
    let mut lanes = vec![(0, Vec::new()); LANES.min(packs.len())];
    for p in order {
        if let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.0) {
            lane.0 += packs[p].tokens.len();
            lane.1.push(p);
        }
    }
    lanes.into_iter().map(|lane| lane.1).collect()
}
