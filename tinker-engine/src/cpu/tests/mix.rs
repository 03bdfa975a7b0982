//! Independence of requests: results do not depend on other requests, before or at the same time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A request of a random mix.
#[derive(Debug, Clone)]
struct Ask {
    weights: usize,
    /// The prompt is a common beginning, and some tokens that are unique to it.
    shared: usize,
    own: usize,
    seed: u64,
    samples: usize,
    tokens: usize,
    draw: (f32, Option<usize>, f32),
    prompt: Said,
    top: usize,
    alternatives: usize,
    targets: bool,
    /// Steps of the engine before it is submitted.
    after: usize,
}

/// The positions of the prompt that are reported.
#[derive(Debug, Clone, Copy)]
enum Said {
    Nothing,
    All,
    Last(usize),
}

fn ask() -> impl Strategy<Value = Ask> {
    let draws = select(vec![
        (1.0, None, 1.0),
        (0.0, None, 1.0),
        (0.7, Some(5), 1.0),
        (1.3, None, 0.6),
        (1.0, Some(40), 0.9),
    ]);
    let prompt = select(vec![
        Said::Nothing,
        Said::Nothing,
        Said::Nothing,
        Said::All,
        Said::Last(2),
    ]);
    (
        (0..3usize, 0..70usize, 1..30usize, 0..9u64),
        (1..4usize, 0..12usize, draws, prompt),
        (0..3usize, 0..2usize, any::<bool>(), 0..12usize),
    )
        .prop_map(
            |(
                (weights, shared, own, seed),
                (samples, tokens, draw, prompt),
                (top, alternatives, targets, after),
            )| {
                Ask {
                    weights,
                    shared,
                    own,
                    seed,
                    samples,
                    tokens,
                    draw,
                    prompt,
                    top,
                    alternatives: alternatives * usize::from(seed == 3),
                    targets: targets && seed == 4,
                    after,
                }
            },
        )
}

fn job_of(ask: &Ask, weights: &[Option<SamplingWeights>]) -> SampleJob {
    let mut prompt = tokens(77, ask.shared);
    prompt.extend(tokens(ask.seed, ask.own));
    let rows = prompt.len() - 1;
    let mut job = job(weights[ask.weights].clone(), prompt, ask.seed);
    job.num_samples = ask.samples;
    job.max_tokens = Some(ask.tokens);
    (job.temperature, job.top_k, job.top_p) = ask.draw;
    if !matches!(ask.prompt, Said::Nothing) {
        job.prompt_logprobs = true;
        job.topk_prompt_logprobs = ask.top;
    }
    if let Said::Last(n) = ask.prompt {
        job.prompt_logprobs_last_n = Some(n);
    }
    job.topk_sample_logprobs = ask.top;
    job.prompt_alternatives = ask.alternatives;
    if ask.targets {
        job.target_prompt_logprobs = (0..rows as u32).map(|row| vec![row, row + 7]).collect();
    }
    job
}

fn weights(backend: &mut CpuBackend) -> [Option<SamplingWeights>; 3] {
    let (one, two) = (trained(backend, 2, 4), trained(backend, 3, 8));
    [
        None,
        Some(backend.snapshot(one).unwrap()),
        Some(backend.snapshot(two).unwrap()),
    ]
}

/// Runs the jobs, each submitted after its number of steps.
fn run_mixed(backend: &mut CpuBackend, jobs: &[(SampleJob, usize)]) -> Vec<SampleOutput> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|i| jobs[*i].1);
    let mut coming = order.into_iter().peekable();
    let (mut number, mut outputs) = (BTreeMap::new(), BTreeMap::new());
    let mut step = 0;
    while coming.peek().is_some() || backend.live_jobs() > 0 {
        while let Some(i) = coming.next_if(|i| jobs[*i].1 <= step) {
            number.insert(backend.submit(jobs[i].0.clone()).unwrap(), i);
        }
        for (id, output) in backend.advance() {
            outputs.insert(number[&id], output.unwrap());
        }
        step += 1;
    }
    outputs.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn results_are_those_of_running_alone(
        asks in vec(ask(), 1..12),
        threads in select(vec![1, 2, 4]),
        live in select(vec![1, 3, 64]),
        cache in select(vec![0, 40_000, 1 << 20]),
        // Number of whole contexts that fit in memory.
        room in select(vec![1, 2, 100]),
        int8 in any::<bool>(),
    ) {
        let mut alone = backend().with_threads(1).with_prefix_cache(0);
        let weights = weights(&mut alone);
        let jobs: Vec<_> = asks.iter().map(|ask| (job_of(ask, &weights), ask.after)).collect();
        let room = room * cache_bytes(&config(), config().max_position_embeddings);
        let mut mixed = backend()
            .with_threads(threads)
            .with_live_sequences(live)
            .with_prefix_cache(cache)
            .with_cache_bytes(room);
        if int8 {
            (alone, mixed) = (alone.with_int8_decode(), mixed.with_int8_decode());
        }
        // Twice, so that the second run finds the caches of the first.
        for _ in 0..2 {
            let got = run_mixed(&mut mixed, &jobs);
            prop_assert_eq!(got.len(), jobs.len());
            for ((job, _), got) in jobs.iter().zip(&got) {
                let expected = sample(&mut alone, vec![job.clone()]).remove(0);
                assert_same(got, &expected);
                prop_assert_eq!(expected.cache_hit_tokens, 0);
                prop_assert!(cache > 0 || got.cache_hit_tokens == 0);
            }
        }
    }
}
