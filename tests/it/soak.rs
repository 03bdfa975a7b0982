//! A client in steady use while its server is killed and restarted again and again: no call outlasts its limit, nothing
//! is done twice, every error says what to do, and nothing is left behind.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tinker_client::{
    AdamParams, Config, Error, Loss, Pending, SamplingClient, SamplingParams, ServiceClient,
    TrainingClient,
};
use tinker_local::LocalEngine;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::fault_run::Counted;
use crate::support::{MODEL, Mortal, Outcome, data, lora, prompt};

/// Stated end of each call.
const LIMIT: Duration = Duration::from_mins(1);
/// Time that a call may take beyond it on a busy machine.
const SLACK: Duration = Duration::from_secs(10);
/// Time between samples: 50 a second.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(20);
/// Time for which nothing listens.
const AWAY: Duration = Duration::from_millis(300);
const STEPS_BETWEEN_SAVES: usize = 3;

/// A run.
#[derive(Clone, Copy)]
struct Plan {
    /// Number of servers, one after another.
    lives: usize,
    between_steps: Duration,
    life: Life,
}

/// When a server is killed.
#[derive(Clone, Copy)]
enum Life {
    /// After it has acknowledged this many samples, and two steps.
    Samples(usize),
    Time(Duration),
}

/// Calls of one kind.
#[derive(Default)]
struct Tally {
    started: AtomicUsize,
    ended: AtomicUsize,
    good: AtomicUsize,
}

#[derive(Default)]
struct Work {
    samples: Tally,
    steps: Tally,
    is_over: AtomicBool,
    longest: Mutex<Duration>,
    errors: Mutex<Vec<String>>,
    /// Memory in MiB at the end of each life.
    memory: Mutex<Vec<u64>>,
}

fn count(number: &AtomicUsize) -> usize {
    number.load(Ordering::SeqCst)
}

impl Work {
    async fn call<T>(&self, tally: &Tally, start: impl FnOnce() -> Pending<T>) -> Result<T, Error> {
        tally.started.fetch_add(1, Ordering::SeqCst);
        let result = self.wait(start()).await;
        tally.ended.fetch_add(1, Ordering::SeqCst);
        let good = usize::from(result.is_ok());
        tally.good.fetch_add(good, Ordering::SeqCst);
        result
    }

    async fn wait<T>(&self, pending: Pending<T>) -> Result<T, Error> {
        let began = Instant::now();
        let result = pending.within(LIMIT).await;
        let mut longest = self.longest.lock().unwrap();
        *longest = longest.max(began.elapsed());
        if let Err(error) = &result {
            check_advice(error);
            self.errors.lock().unwrap().push(error.to_string());
        }
        result
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }
}

/// Errors of a server that is away are not the caller's fault and tell how to go on.
fn check_advice(error: &Error) {
    let text = error.to_string();
    assert!(!error.is_user_error(), "{text}");
    let advice: &[&str] = match error {
        Error::SessionLost(_) => &["TrainingClient::renew", "call again"],
        Error::Gone(_) => &["saved checkpoints can be loaded again"],
        Error::TimedOut(_) => &["it was waiting for"],
        _ => panic!("unexpected: {text}"),
    };
    assert!(advice.iter().any(|advice| text.contains(advice)), "{text}");
}

/// Draws a sample every 20 ms, whatever happened to the earlier ones.
async fn draw(work: Arc<Work>, sampler: SamplingClient) {
    let mut samples = JoinSet::new();
    for seed in 0.. {
        if !work.goes_on() {
            break;
        }
        let (work, sampler) = (Arc::clone(&work), sampler.clone());
        samples.spawn(async move {
            let params = SamplingParams::default().with_max_tokens(4).with_seed(seed);
            let sample = || sampler.sample(prompt("a"), params);
            let answer = work.call(&work.samples, sample).await;
            // A sampler of a base model is made again by itself.
            answer.expect("samples survive").sequences.len()
        });
        while let Some(ended) = samples.try_join_next() {
            assert_eq!(ended.unwrap(), 1);
        }
        sleep(BETWEEN_SAMPLES).await;
    }
    while let Some(ended) = samples.join_next().await {
        assert_eq!(ended.unwrap(), 1);
    }
}

/// Trains, saves now and then, and goes on from the last checkpoint when the session is lost.
async fn train(work: Arc<Work>, mut training: TrainingClient, plan: Plan) {
    let mut names = 0..;
    while work.goes_on() {
        let adam = AdamParams::new(1e-4);
        let step = || training.train_step(data(), Loss::cross_entropy(), adam);
        let mut done = work.call(&work.steps, step).await.map(drop);
        if done.is_ok() && count(&work.steps.good).is_multiple_of(STEPS_BETWEEN_SAVES) {
            let name = format!("s{}", names.next().unwrap());
            done = work.wait(training.save_state(name)).await.map(drop);
        }
        let mut is_lost = matches!(done, Err(Error::SessionLost(_)));
        while is_lost && work.goes_on() {
            // The server may be killed again meanwhile.
            let renewed = work.wait(training.renew()).await;
            is_lost = renewed.map(|renewed| training = renewed).is_err();
        }
        sleep(plan.between_steps).await;
    }
}

async fn soak(plan: Plan) -> Result<Arc<Work>, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Handle::current().metrics();
    let folder = tempfile::tempdir()?;
    let start = async |address: &str| {
        let (backend, counts) = Counted::builtin()?;
        let builder = LocalEngine::builder().backend(Box::new(backend));
        let engine = builder.data_dir(folder.path()).build()?;
        let server = Mortal::start(engine, address).await?;
        Ok::<_, Box<dyn std::error::Error>>((server, counts))
    };
    let tasks_before = runtime.num_alive_tasks();
    let (mut server, mut counts) = start("127.0.0.1:0").await?;
    let url = server.url.clone();
    let config = Config::new(url.as_str()).with_telemetry(false);
    let service = ServiceClient::new(config)?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    training.save_state("start").await?;
    let sampler = service.create_sampling_client(MODEL).await?;

    let work = Arc::new(Work::default());
    let drawing = tokio::spawn(draw(Arc::clone(&work), sampler));
    let training = tokio::spawn(train(Arc::clone(&work), training, plan));
    let mut executed = 0;
    let mut ended_before = (0, 0);
    for life in 1..=plan.lives {
        let good = (count(&work.samples.good), count(&work.steps.good));
        match plan.life {
            Life::Time(time) => sleep(time).await,
            Life::Samples(samples) => {
                while count(&work.samples.good) < good.0 + samples
                    || count(&work.steps.good) < good.1 + 2
                {
                    assert!(!drawing.is_finished() && !training.is_finished());
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
        work.memory.lock().unwrap().extend(resident());
        if life == plan.lives {
            break;
        }
        server.kill().await?;
        // A server executes calls that were open at its start and calls started during its life, nothing else.
        let jobs = count(&work.samples.started) - ended_before.0;
        let steps = count(&work.steps.started) - ended_before.1;
        assert!(counts.jobs() <= jobs, "{} of {jobs}", counts.jobs());
        assert!(counts.steps() <= steps, "{} of {steps}", counts.steps());
        executed += counts.steps();
        ended_before = (count(&work.samples.ended), count(&work.steps.ended));
        sleep(AWAY).await;
        (server, counts) = start(&url).await?;
    }
    work.is_over.store(true, Ordering::SeqCst);
    drawing.await?;
    training.await?;
    executed += counts.steps();
    assert!(count(&work.steps.good) <= executed);
    assert!(executed <= count(&work.steps.started));
    assert!(*work.longest.lock().unwrap() <= LIMIT + SLACK);
    drop(service);
    server.kill().await?;
    // Nothing is left behind.
    let gone = async {
        while runtime.num_alive_tasks() > tasks_before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await?;
    Ok(work)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_outlives_its_servers() -> Outcome {
    let work = soak(Plan {
        lives: 3,
        between_steps: Duration::from_millis(50),
        life: Life::Samples(20),
    })
    .await?;
    assert_eq!(count(&work.samples.good), count(&work.samples.started));
    // Each kill is noticed by the training client, which loses the steps since its checkpoint and nothing else.
    assert!(work.errors.lock().unwrap().len() >= 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes: cargo test -p tinker-tests --test it -- --ignored soak --nocapture"]
#[expect(clippy::print_stdout, reason = "figures for people")]
async fn a_client_outlives_ten_servers_in_two_minutes() -> Outcome {
    let plan = Plan {
        lives: 10,
        between_steps: Duration::from_secs(1),
        life: Life::Time(Duration::from_secs(12)),
    };
    let work = soak(plan).await?;
    println!(
        "samples: {} of {}",
        count(&work.samples.good),
        count(&work.samples.started)
    );
    println!(
        "steps: {} of {}",
        count(&work.steps.good),
        count(&work.steps.started)
    );
    println!("longest call: {:?}", work.longest.lock().unwrap());
    let memory = work.memory.lock().unwrap();
    println!("memory in MiB: {memory:?}");
    for error in work.errors.lock().unwrap().iter() {
        println!("error: {error}");
    }
    // Linux only. The first servers warm caches up.
    if let [_, _, early, .., last] = memory[..] {
        assert!(last <= early + early / 2, "{memory:?}");
    }
    Ok(())
}

/// Memory of this process in MiB, if the system has a `/proc`.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some((pages * 4096) >> 20)
}
