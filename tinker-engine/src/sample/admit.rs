//! Admission: slots and memory for new sequences.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::live::Live;
use super::prefix::PAGE;
use super::prompt::Filling;
use super::sampler::{Sampler, Stage};
use super::scratch::lock;
use crate::backend::JobId;
use crate::model::{Model, ModelConfig};

impl Sampler {
    /// Runs some rows of waiting prompts, and starts sequences where there is room. Memory is given out in the order of
    /// the jobs: when one does not fit, those behind it get none, so that it can't starve.
    pub(super) fn admit(&mut self, model: &Model) {
        let config = &model.config;
        let shares = self.share_slots();
        if shares.is_empty() {
            return;
        }
        let mut free = self.free_bytes();
        let blocked = shares
            .iter()
            .position(|(id, _)| !self.begin(config, *id, &mut free));
        self.fill(model, &shares);
        for (at, (id, count)) in shares.into_iter().enumerate() {
            if blocked.is_some_and(|blocked| blocked <= at) {
                free = 0;
            }
            self.start(config, id, count, &mut free);
        }
    }

    /// Bytes of keys and values that are still free. A started job holds those of its prompt until it ends, and those of
    /// each running sequence for as many tokens as it may grow to; it always holds those of one sequence, so that its
    /// first sequence never waits.
    pub(super) fn free_bytes(&self) -> usize {
        let running = self.running();
        let begun = self.jobs.iter();
        let begun = begun.filter(|(_, job)| !matches!(job.prompt, Stage::Queued));
        let bytes = begun.map(|(id, job)| {
            let sequences = running.get(id).copied().unwrap_or(0).max(1);
            job.spec.shared_bytes + sequences * job.spec.own_bytes
        });
        self.bounds.cache_bytes.saturating_sub(bytes.sum())
    }

    /// Number of running sequences of each job that has any.
    fn running(&self) -> BTreeMap<JobId, usize> {
        let mut running = BTreeMap::new();
        for sequence in &self.live {
            *running.entry(sequence.job).or_default() += 1;
        }
        running
    }

    /// Assigns the free slots one by one, each to the job with the fewest running sequences: a large job does not delay
    /// small ones by more than one of its sequences. Among equals the oldest job whose prompt has started comes first, as
    /// it holds memory that others may wait for.
    fn share_slots(&self) -> Vec<(JobId, usize)> {
        let room = self.bounds.live_sequences - self.live.len().min(self.bounds.live_sequences);
        if room == 0 || self.waiting.is_empty() {
            return Vec::new();
        }
        let running = self.running();
        let mut shares: Vec<(JobId, usize, usize, bool)> = Vec::new();
        for id in &self.waiting {
            if let Some(job) = self.jobs.get(id) {
                let left = job.spec.num_samples - job.started;
                let is_queued = matches!(job.prompt, Stage::Queued);
                shares.push((*id, running.get(id).copied().unwrap_or(0), left, is_queued));
            }
        }
        let mut counts = vec![0; shares.len()];
        for _ in 0..room {
            let open = (0..shares.len()).filter(|i| counts[*i] < shares[*i].2);
            let Some(next) = open.min_by_key(|i| (shares[*i].1 + counts[*i], shares[*i].3)) else {
                break;
            };
            counts[next] += 1;
        }
        let assigned = shares.iter().zip(counts);
        assigned
            .filter(|(_, count)| *count > 0)
            .map(|((id, ..), count)| (*id, count))
            .collect()
    }

    /// Starts sequences of a job whose prompt is ready, as far as there is memory. There always is for one.
    fn start(&mut self, config: &ModelConfig, id: JobId, count: usize, free: &mut usize) {
        let mut is_alone = self.live.iter().all(|sequence| sequence.job != id);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Stage::Ready(prompt) = &mut job.prompt else {
            return;
        };
        for _ in 0..count {
            if !is_alone {
                let Some(left) = free.checked_sub(job.spec.own_bytes) else {
                    break;
                };
                *free = left;
            }
            is_alone = false;
            let (index, spec) = (job.started, Arc::clone(&job.spec));
            job.started += 1;
            let (shared, own) = prompt.branch(config, &spec);
            let mut sequence = Live::new(id, index, spec, shared, own);
            let draw = &mut lock(&self.scratches[0]).draw;
            sequence.extend(&prompt.logits, prompt.norm, &*self.vocabulary, draw);
            self.live.push(sequence);
        }
        if job.started == job.spec.num_samples {
            self.waiting.retain(|waiting| *waiting != id);
        }
    }

    /// Starts the prompt of a job from its cached pages. It waits if a running prompt will soon add more pages of the same
    /// beginning. Returns false if there is no memory for it.
    fn begin(&mut self, config: &ModelConfig, id: JobId, free: &mut usize) -> bool {
        let Some(job) = self.jobs.get(&id) else {
            return true;
        };
        if !matches!(job.prompt, Stage::Queued) {
            return true;
        }
        if *free < job.spec.shared_bytes + job.spec.own_bytes {
            return false;
        }
        let spec = Arc::clone(&job.spec);
        let mut pages = Vec::new();
        if self.prefixes.is_on() {
            // Rows whose logits are needed have to be run, cached or not.
            let usable = &spec.prompt[..spec.first_row()];
            pages = self.prefixes.find(spec.lora.as_ref(), usable);
            let soon = self.jobs.values().any(|other| {
                matches!(&other.prompt, Stage::Filling(_))
                    && spec.shares_pages(&other.spec, PAGE) > pages.len()
            });
            if soon {
                return true;
            }
        }
        *free -= spec.shared_bytes + spec.own_bytes;
        let filling = Filling::new(config, &spec, &pages);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.prompt = Stage::Filling(filling);
        }
        true
    }
}
