//! Order of work on the engine's thread. No test depends on how long work takes.

use std::sync::mpsc::{Receiver, Sender, channel};

use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, BackendError, BaseModelInfo, SampleJob,
    SampleOutput, SampledTokens, SamplingWeights, TrainBatch, TrainOutput,
};
use tinker_types::{ModelInput, RequestType, SampleRequest};

use super::super::worker::Worker;
use super::*;
use crate::state::Promises;
use crate::state::Weights;
use crate::{Limits, convert};

/// A call to the backend. Samples are identified by the first token of their prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Submit(u32),
    Cancel(u32),
    End(u32),
    Trained,
}

/// A backend whose samples take as many steps as the first token of their prompt says.
struct Script {
    info: BaseModelInfo,
    jobs: Vec<(JobId, u32, u32)>,
    next: u64,
    calls: Sender<Call>,
}

fn refused<T>() -> Result<T, BackendError> {
    Err(BackendError::server("this backend only samples"))
}

impl Backend for Script {
    fn model(&self) -> &BaseModelInfo {
        &self.info
    }
    fn create(&mut self, _: &AdapterSpec) -> Result<AdapterId, BackendError> {
        refused()
    }
    fn remove(&mut self, _: AdapterId) {}
    fn train(&mut self, _: AdapterId, _: &TrainBatch) -> Result<TrainOutput, BackendError> {
        refused()
    }
    fn step(&mut self, _: AdapterId, _: &AdamStep) -> Result<Vec<(String, f64)>, BackendError> {
        refused()
    }
    fn export(&self, _: AdapterId, _: bool) -> Result<AdapterState, BackendError> {
        refused()
    }
    fn import(&mut self, _: &AdapterState) -> Result<AdapterId, BackendError> {
        refused()
    }
    fn snapshot(&self, _: AdapterId) -> Result<SamplingWeights, BackendError> {
        refused()
    }
    fn restore(&self, _: &AdapterState) -> Result<SamplingWeights, BackendError> {
        refused()
    }
    fn read_weights(&self, _: &mut dyn std::io::Read) -> Result<SamplingWeights, BackendError> {
        refused()
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        let id = JobId(self.next);
        self.next += 1;
        self.jobs.push((id, job.prompt[0], job.prompt[0]));
        let _test_is_over = self.calls.send(Call::Submit(job.prompt[0]));
        Ok(id)
    }

    fn cancel(&mut self, job: JobId) {
        for (_, name, _) in self.jobs.extract_if(.., |(id, ..)| *id == job) {
            let _test_is_over = self.calls.send(Call::Cancel(name));
        }
    }

    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        for (_, _, left) in &mut self.jobs {
            *left = left.saturating_sub(1);
        }
        let ended = self.jobs.extract_if(.., |(_, _, left)| *left == 0);
        let calls = &self.calls;
        ended
            .map(|(id, name, _)| {
                let _test_is_over = calls.send(Call::End(name));
                let output = SampleOutput {
                    sequences: vec![SampledTokens {
                        tokens: vec![name],
                        logprobs: vec![0.0],
                        topk: Vec::new(),
                        stopped: false,
                    }],
                    prompt_logprobs: None,
                    topk_prompt_logprobs: None,
                    target_prompt_logprobs: Vec::new(),
                    prompt_alternatives: Vec::new(),
                    cache_hit_tokens: 0,
                };
                (id, Ok(output))
            })
            .collect()
    }

    fn live_jobs(&self) -> usize {
        self.jobs.len()
    }
}

struct Stage {
    worker: Worker,
    promises: Arc<Promises>,
    info: BaseModelInfo,
    calls: Receiver<Call>,
    sender: Sender<Call>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.worker.stop();
    }
}

/// More steps than any test waits for.
const ENDLESS: u32 = 900_000_000;

impl Stage {
    fn new(most_jobs: usize) -> Self {
        let (sender, calls) = channel();
        let info = BaseModelInfo::new("script", "none", 1 << 30, 8);
        let script = Script {
            info: info.clone(),
            jobs: Vec::new(),
            next: 0,
            calls: sender.clone(),
        };
        let limits = Limits {
            live_sequences: most_jobs,
            ..Limits::default()
        };
        Self {
            worker: Worker::start(Box::new(script), &limits).unwrap(),
            promises: Promises::new(limits),
            info,
            calls,
            sender,
        }
    }

    /// Submits a sample of this many steps, which is also its name.
    fn sample(&self, session: &str, steps: u32) {
        let prompt = ModelInput::from_tokens([steps]);
        let request = SampleRequest::new(format!("{session}:sample:0").into(), 0, prompt);
        let (job, report) = convert::sample_job(&request, &self.info, &Limits::default()).unwrap();
        let id = RequestId::from(format!("{steps}"));
        let promise = self.promises.accept(id, RequestType::Sample, 0, false);
        let reply = Reply {
            report,
            usage: Arc::default(),
            session: session.into(),
            prompt: job.prompt.len(),
            promise: promise.unwrap().unwrap(),
            watch: None,
            span: Span::none(),
        };
        self.worker.sample(Sampling {
            job,
            weights: Weights::Fixed(None),
            reply,
        });
    }

    /// Keeps the thread busy until the returned sender is dropped, so that messages sent before are all queued.
    fn hold(&self) -> Sender<()> {
        let (hold, held) = channel::<()>();
        self.worker.run(Queue::Front, move |_| {
            let _dropped = held.recv();
        });
        hold
    }

    fn train(&self) {
        let sender = self.sender.clone();
        self.worker.run(Queue::Training, move |_| {
            let _test_is_over = sender.send(Call::Trained);
        });
    }

    fn next_call(&self) -> Call {
        self.calls.recv_timeout(Duration::from_secs(100)).unwrap()
    }

    /// Calls up to the first equal to `last`.
    fn until(&self, wanted: &Call) -> Vec<Call> {
        std::iter::from_fn(|| Some(self.next_call()).filter(|call| call != wanted)).collect()
    }
}

/// A training operation that queues another one when it runs, without end.
fn train_on(worker: &Worker, ran: Sender<Call>) {
    let again = worker.clone();
    worker.run(Queue::Training, move |_| {
        if ran.send(Call::Trained).is_ok() {
            train_on(&again, ran);
        }
    });
}

#[test]
fn samples_come_to_their_end_in_a_flood_of_training() {
    let stage = Stage::new(4);
    for _ in 0..3 {
        train_on(&stage.worker, stage.sender.clone());
    }
    stage.sample("s", 300);
    let before = stage.until(&Call::End(300));
    assert!(before.contains(&Call::Trained));
}

#[test]
fn training_goes_on_in_a_flood_of_samples() {
    let stage = Stage::new(2);
    for number in 0..5 {
        stage.sample("s", ENDLESS + number);
    }
    for _ in 0..20 {
        stage.train();
    }
    for _ in 0..20 {
        stage.until(&Call::Trained);
    }
}

#[test]
fn a_long_sample_does_not_hold_up_short_ones() {
    let stage = Stage::new(2);
    stage.sample("s", ENDLESS);
    for steps in 1..20 {
        stage.sample("s", steps);
    }
    stage.until(&Call::End(19));
}

#[test]
fn a_flood_of_one_session_does_not_hold_up_another() {
    let stage = Stage::new(3);
    let hold = stage.hold();
    for number in 0..100 {
        stage.sample("flood", 1000 + number);
    }
    stage.sample("other", 7);
    drop(hold);
    let before = stage.until(&Call::End(7));
    let flood = before
        .iter()
        .filter(|call| matches!(call, Call::Submit(n) if *n >= 1000));
    assert_eq!(flood.count(), 2);
}

#[test]
fn a_cancelled_sample_gives_its_place_to_the_next() {
    let stage = Stage::new(1);
    stage.sample("s", ENDLESS);
    stage.sample("s", 5);
    assert_eq!(stage.next_call(), Call::Submit(ENDLESS));
    stage.worker.cancel(RequestId::from(ENDLESS.to_string()));
    assert_eq!(stage.next_call(), Call::Cancel(ENDLESS));
    assert_eq!(stage.next_call(), Call::Submit(5));
    assert_eq!(stage.next_call(), Call::End(5));
}
