//! Sampler: the queue of jobs and the batch of running sequences.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};

use super::fill;
use super::job::Spec;
use super::live::{End, Live, step};
use super::prefix::PrefixCache;
use super::prompt::{Filling, Prompt, PromptReport};
use super::scratch::{Scratch, lock};
use crate::backend::{BackendError, JobId, SampleJob, SampleOutput, SampledTokens};
#[cfg(test)]
use crate::model::KeyValues;
use crate::model::Model;
use crate::threads::{PoolHandle, ThreadPool};
use crate::vocabulary::Vocabulary;

/// Fewest sequences of a thread: with fewer, waking it costs more than it saves.
const ROWS_PER_THREAD: usize = 4;

/// Number of weights, too many for a second-level cache, from which threads with few sequences each share every product
/// instead of the sequences: then each thread reads its part of the weights, not all. Measured with 22 million weights on
/// two threads: a token costs half with one sequence, two thirds with 8, and the same with 16. With a model whose weights
/// stay in the caches, waking another thread thirty times a step costs more than it saves. Tests cover both.
const SHARED_WEIGHTS: usize = if cfg!(test) { 1 << 14 } else { 1 << 22 };
const SHARED_ROWS: usize = if cfg!(test) { 2 } else { 8 };

/// Prompt rows that each thread runs between two tokens of the running sequences: a long prompt delays them by no more
/// than that.
const ROWS: usize = 128;

/// Bounds of a sampler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SamplerBounds {
    /// Most running sequences, at least one.
    pub(crate) live_sequences: usize,
    /// Most bytes of the keys and values of all running sequences and prompts.
    pub(crate) cache_bytes: usize,
    /// Most bytes of the prefix cache.
    pub(crate) prefix_bytes: usize,
}

/// All sampling of one backend.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(super) vocabulary: Arc<dyn Vocabulary>,
    pub(super) bounds: SamplerBounds,
    next: u64,
    entropy: u64,
    /// Jobs with sequences that have not started, in the order they were submitted.
    pub(super) waiting: VecDeque<JobId>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) live: Vec<Live>,
    pub(super) prefixes: PrefixCache,
    threads: Arc<ThreadPool>,
    pub(super) scratches: Vec<Mutex<Scratch>>,
    /// Prompt rows run so far.
    rows_run: usize,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) spec: Arc<Spec>,
    pub(super) started: usize,
    pub(super) prompt: Stage,
    done: Vec<Option<SampledTokens>>,
}

/// Progress of a job's prompt.
#[derive(Debug)]
pub(super) enum Stage {
    Queued,
    Filling(Filling),
    Ready(Prompt),
}

impl Sampler {
    /// A sampler without jobs.
    pub(crate) fn new(
        vocabulary: Arc<dyn Vocabulary>,
        threads: Arc<ThreadPool>,
        bounds: SamplerBounds,
    ) -> Self {
        Self {
            vocabulary,
            bounds,
            next: 0,
            // The standard library seeds its hash keys with randomness of the system.
            entropy: std::hash::RandomState::new().build_hasher().finish(),
            waiting: VecDeque::new(),
            jobs: BTreeMap::new(),
            live: Vec::new(),
            prefixes: PrefixCache::new(bounds.prefix_bytes),
            scratches: (0..threads.size()).map(|_| Mutex::default()).collect(),
            threads,
            rows_run: 0,
        }
    }

    /// Queues a job after checking it.
    pub(crate) fn submit(
        &mut self,
        model: &Model,
        end_tokens: &[u32],
        job: SampleJob,
    ) -> Result<JobId, BackendError> {
        let id = JobId(self.next);
        let fresh = self.entropy ^ self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let spec = Arc::new(Spec::new(
            model,
            end_tokens,
            job,
            fresh,
            self.bounds.cache_bytes,
        )?);
        self.next += 1;
        let done = vec![None; spec.num_samples];
        self.jobs.insert(
            id,
            Job {
                spec,
                started: 0,
                prompt: Stage::Queued,
                done,
            },
        );
        self.waiting.push_back(id);
        Ok(id)
    }

    /// Drops a job and its sequences.
    pub(crate) fn cancel(&mut self, id: JobId) {
        self.jobs.remove(&id);
        self.waiting.retain(|waiting| *waiting != id);
        self.live.retain(|sequence| sequence.job != id);
    }

    /// Jobs that have not ended.
    pub(crate) fn live_jobs(&self) -> usize {
        self.jobs.len()
    }

    #[cfg(test)]
    pub(crate) fn rows_run(&self) -> usize {
        self.rows_run
    }

    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        self.bounds.cache_bytes - self.free_bytes()
    }

    /// Bytes of the allocated keys and values.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        let own = self.live.iter().flat_map(|sequence| &sequence.own);
        let prompts = self.jobs.values().flat_map(|job| match &job.prompt {
            Stage::Queued => &[][..],
            Stage::Filling(filling) => &filling.caches,
            Stage::Ready(prompt) => &prompt.caches,
        });
        own.chain(prompts).map(KeyValues::bytes).sum()
    }

    /// Running sequences.
    #[cfg(test)]
    pub(crate) fn live_sequences(&self) -> usize {
        self.live.len()
    }

    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> usize {
        self.prefixes.bytes()
    }

    /// Shows the sequences of a job so far.
    pub(crate) fn peek(&self, id: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        for (index, done) in job.done.iter().enumerate() {
            if let Some(done) = done {
                see(index, done, true);
            }
        }
        for sequence in self.live.iter().filter(|sequence| sequence.job == id) {
            see(sequence.index, &sequence.output, false);
        }
    }

    /// Runs one decoding step: the next token of each running sequence, then the first token of new ones, within the bounds.
    pub(crate) fn advance(
        &mut self,
        model: &Model,
    ) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        self.step_live(model);
        let mut ended = self.collect();
        self.admit(model);
        ended.append(&mut self.collect());
        ended
    }

    fn step_live(&mut self, model: &Model) {
        if self.live.is_empty() {
            return;
        }
        self.live.sort_by_key(Live::adapter_key);
        let vocabulary = &*self.vocabulary;
        let few = self.threads.size() > 1 && self.live.len() < SHARED_ROWS * self.threads.size();
        if few && model.weights() >= SHARED_WEIGHTS {
            let scratch = &mut lock(&self.scratches[0]);
            let pool = PoolHandle::Pool(&self.threads);
            step(pool, model, &mut self.live, vocabulary, scratch);
            return;
        }
        let threads = self
            .live
            .len()
            .div_ceil(ROWS_PER_THREAD)
            .min(self.threads.size());
        let share = self.live.len().div_ceil(threads);
        self.threads
            .each(self.live.chunks_mut(share), |thread, live| {
                let scratch = &mut lock(&self.scratches[thread]);
                step(PoolHandle::Caller, model, live, vocabulary, scratch);
            });
    }

    /// Runs some prompt rows. The oldest prompt gets half of them, so that it finishes; among the others the least
    /// advanced come first, so that a short prompt does not wait for a long one.
    pub(super) fn fill(&mut self, model: &Model, shares: &[(JobId, usize)]) {
        let mut filling: Vec<(JobId, usize, usize)> = shares
            .iter()
            .filter_map(|(id, _)| {
                let job = self.jobs.get(id)?;
                match &job.prompt {
                    Stage::Filling(filling) => {
                        Some((*id, filling.rows, job.spec.prompt.len() - filling.rows))
                    }
                    _ => None,
                }
            })
            .collect();
        let Some((oldest, _, left)) = filling.first().copied() else {
            return;
        };
        let total = ROWS * self.threads.size().max(2);
        let first = left.min(total / 2);
        let mut free = total - first;
        filling[1..].sort_by_key(|(_, rows, _)| *rows);
        let mut portions: BTreeMap<JobId, usize> = BTreeMap::from([(oldest, first)]);
        for (id, _, left) in &filling[1..] {
            let rows = (*left).min(free).min(ROWS);
            free -= rows;
            portions.insert(*id, rows);
        }
        *portions.entry(oldest).or_default() += (left - first).min(free);

        let work = self.jobs.iter_mut().filter_map(|(id, job)| {
            let rows = *portions.get(id).filter(|rows| **rows > 0)?;
            match &mut job.prompt {
                Stage::Filling(filling) => Some((&*job.spec, filling, rows)),
                _ => None,
            }
        });
        self.rows_run += portions.values().sum::<usize>();
        fill::run(&self.threads, &self.scratches, model, work.collect());
        for id in portions.into_keys() {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            let Stage::Filling(filling) = &mut job.prompt else {
                continue;
            };
            if self.prefixes.is_on() {
                let (spec, caches) = (&job.spec, &filling.caches);
                let run = &spec.prompt[..filling.rows];
                self.prefixes.insert(model, spec.lora.as_ref(), run, caches);
            }
            if let Some(prompt) = filling.finish() {
                job.prompt = Stage::Ready(prompt);
            }
        }
    }

    /// Removes sequences that have ended, and jobs without running sequences.
    fn collect(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        let mut ended = Vec::new();
        let over: Vec<Live> = self
            .live
            .extract_if(.., |sequence| sequence.over.is_some())
            .collect();
        for sequence in over {
            let id = sequence.job;
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            if sequence.over == Some(End::NotFinite) {
                self.cancel(id);
                let why = "the logits are not finite, so no token can be drawn; load other weights";
                ended.push((id, Err(BackendError::user(why))));
                continue;
            }
            job.done[sequence.index] = Some(sequence.output);
            if job.done.iter().all(Option::is_some)
                && let Some(job) = self.jobs.remove(&id)
            {
                let (report, cached) = match job.prompt {
                    Stage::Ready(prompt) => (prompt.report, prompt.cached),
                    Stage::Queued | Stage::Filling(_) => (PromptReport::default(), 0),
                };
                let output = SampleOutput {
                    sequences: job.done.into_iter().flatten().collect(),
                    prompt_logprobs: report.logprobs,
                    topk_prompt_logprobs: report.topk,
                    target_prompt_logprobs: report.targets,
                    prompt_alternatives: report.alternatives,
                    cache_hit_tokens: cached,
                };
                ended.push((id, Ok(output)));
            }
        }
        ended
    }
}
