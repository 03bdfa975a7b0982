//! The queue of jobs and the batch of live sequences.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::job::Spec;
use super::live::{End, Live, step};
use super::prompt::{Prompt, Said};
use super::scratch::Scratch;
use super::stop::Vocabulary;
use crate::backend::{BackendError, JobId, SampleJob, SampleOutput, SampledTokens};
use crate::engine::model::Model;
use crate::engine::team::Team;

/// Sequences a thread takes at least: with fewer, waking it costs more than it saves.
const ROWS_PER_THREAD: usize = 4;

/// All sampling of one backend.
#[derive(Debug)]
pub(crate) struct Sampler {
    vocabulary: Arc<dyn Vocabulary>,
    most_live: usize,
    next: u64,
    entropy: u64,
    /// Jobs with sequences not started, in the order they came.
    waiting: VecDeque<JobId>,
    jobs: BTreeMap<JobId, Job>,
    live: Vec<Live>,
    team: Arc<Team>,
    scratches: Vec<Mutex<Scratch>>,
}

#[derive(Debug)]
struct Job {
    spec: Arc<Spec>,
    started: usize,
    prompt: Option<Prompt>,
    done: Vec<Option<SampledTokens>>,
}

impl Sampler {
    /// A sampler with at most `most_live` sequences in memory at a time, at least one.
    pub(crate) fn new(vocabulary: Arc<dyn Vocabulary>, team: Arc<Team>, most_live: usize) -> Self {
        Self {
            vocabulary,
            most_live: most_live.max(1),
            next: 0,
            // The standard library's hash keys are the system's randomness.
            entropy: std::hash::RandomState::new().build_hasher().finish(),
            waiting: VecDeque::new(),
            jobs: BTreeMap::new(),
            live: Vec::new(),
            scratches: (0..team.size()).map(|_| Mutex::default()).collect(),
            team,
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
        let spec = Arc::new(Spec::new(model, end_tokens, job, fresh)?);
        self.next += 1;
        let done = vec![None; spec.num_samples];
        self.jobs.insert(
            id,
            Job {
                spec,
                started: 0,
                prompt: None,
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

    /// Shows what the sequences of a job hold up to now.
    pub(crate) fn peek(&self, id: JobId, see: &mut dyn FnMut(usize, &SampledTokens)) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        for (index, done) in job.done.iter().enumerate() {
            if let Some(done) = done {
                see(index, done);
            }
        }
        for sequence in self.live.iter().filter(|sequence| sequence.job == id) {
            see(sequence.index, &sequence.output);
        }
    }

    /// One token for every live sequence, then a first one for as many new sequences as there is room.
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
        let threads = self
            .live
            .len()
            .div_ceil(ROWS_PER_THREAD)
            .min(self.team.size());
        let share = self.live.len().div_ceil(threads);
        self.team.each(self.live.chunks_mut(share), |thread, live| {
            step(model, live, vocabulary, &mut lock(&self.scratches[thread]));
        });
    }

    /// Starts sequences of waiting jobs, the oldest first.
    fn admit(&mut self, model: &Model) {
        let mut room = self.most_live - self.live.len().min(self.most_live);
        let mut starting = Vec::new();
        for id in &self.waiting {
            let Some(job) = self.jobs.get(id) else {
                continue;
            };
            let count = (job.spec.num_samples - job.started).min(room);
            if count == 0 {
                break;
            }
            room -= count;
            starting.push((*id, count));
        }
        self.run_prompts(model, &starting);
        for (id, count) in starting {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            let Some(mut prompt) = job.prompt.take() else {
                continue;
            };
            for _ in 0..count {
                let index = job.started;
                job.started += 1;
                let caches = if job.started == job.spec.num_samples {
                    std::mem::take(&mut prompt.caches)
                } else {
                    prompt.branch(model, &job.spec)
                };
                let mut sequence = Live::new(id, index, Arc::clone(&job.spec), caches);
                let draw = &mut lock(&self.scratches[0]).draw;
                sequence.extend(&prompt.logits, prompt.norm, &*self.vocabulary, draw);
                self.live.push(sequence);
            }
            if job.started == job.spec.num_samples {
                self.waiting.retain(|waiting| *waiting != id);
            }
            // What the prompt says of itself is kept until the job ends.
            job.prompt = Some(prompt);
        }
    }

    fn run_prompts(&mut self, model: &Model, starting: &[(JobId, usize)]) {
        let fresh: Vec<(JobId, Arc<Spec>)> = starting
            .iter()
            .filter_map(|(id, _)| self.jobs.get(id).map(|job| (*id, job)))
            .filter(|(_, job)| job.prompt.is_none())
            .map(|(id, job)| (id, Arc::clone(&job.spec)))
            .collect();
        let prompts = Mutex::new(Vec::new());
        self.team.each(fresh, |thread, (id, spec)| {
            let prompt = Prompt::run(model, &spec, &mut lock(&self.scratches[thread]));
            lock(&prompts).push((id, prompt));
        });
        for (id, prompt) in prompts.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.prompt = Some(prompt);
            }
        }
    }

    /// Takes out sequences that are over, and jobs with no others.
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
                let why = "the weights give logits that are not finite, so nothing can be sampled from them";
                ended.push((id, Err(BackendError::user(why))));
                continue;
            }
            job.done[sequence.index] = Some(sequence.output);
            if job.done.iter().all(Option::is_some)
                && let Some(job) = self.jobs.remove(&id)
            {
                let prompt = job.prompt;
                let said = prompt.map_or_else(Said::default, |prompt| prompt.said);
                let output = SampleOutput {
                    sequences: job.done.into_iter().flatten().collect(),
                    prompt_logprobs: said.logprobs,
                    topk_prompt_logprobs: said.topk,
                    target_prompt_logprobs: said.targets,
                    prompt_alternatives: said.alternatives,
                    cache_hit_tokens: 0,
                };
                ended.push((id, Ok(output)));
            }
        }
        ended
    }
}

/// A scratch left by a panic is as good as any: its contents mean nothing between steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
