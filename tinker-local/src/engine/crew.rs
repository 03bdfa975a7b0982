//! Several threads work through the packs of a batch; what comes out does not depend on how many.

use std::sync::{Arc, Mutex, PoisonError};

use super::head::{Objective, Term};
use super::kernels::add;
use super::linear::Grads;
use super::lora::Lora;
use super::model::Model;
use super::packs::Pack;
use super::pass::Workspace;
use super::team::Team;

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
        let mut lanes: Vec<Lane<'_>> = assign(packs)
            .into_iter()
            .zip(&mut self.lanes)
            .map(|(packs, grads)| Lane {
                packs,
                grads,
                done: Vec::new(),
            })
            .collect();
        self.team.each(
            &mut lanes,
            |thread,
             Lane {
                 packs: mine,
                 grads,
                 done,
             }| {
                let mut workspace = self.workspaces[thread]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                grads.clear();
                if gather != Gather::Nothing {
                    grads.resize(size, 0.0);
                }
                for &p in &*mine {
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
                        Gather::Lora => Some(Grads::Lora(grads)),
                        Gather::Full => Some(Grads::Full(grads)),
                    };
                    let (tokens, segments) = (&pack.tokens, &pack.segments);
                    let loss = workspace.pass(
                        model,
                        lora,
                        tokens,
                        segments,
                        &objective,
                        &mut logprobs,
                        sink.as_mut(),
                    );
                    done.push((p, loss, logprobs));
                }
            },
        );
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
