//! Prefix cache: prompts with a common beginning.

use super::*;

fn prompt(shared: usize, own: u64) -> Vec<u32> {
    let mut prompt = tokens(50, shared);
    prompt.extend(tokens(own, 20));
    prompt
}

fn hits(outputs: &[SampleOutput]) -> Vec<usize> {
    outputs.iter().map(|o| o.cache_hit_tokens).collect()
}

#[test]
fn a_known_beginning_is_not_run_again_and_changes_nothing() {
    let mut backend = backend();
    let ask = |own| job(None, prompt(70, own), 3);
    let first = sample(&mut backend, vec![ask(1)]);
    assert_eq!(hits(&first), [0]);
    // Whole pages of 32 tokens.
    let later = sample(&mut backend, vec![ask(1), ask(2)]);
    assert_eq!(hits(&later), [64, 64]);
    assert_same(&later[0], &first[0]);
    let mut plain = super::backend().with_prefix_cache(0);
    let expected = sample(&mut plain, vec![ask(2), ask(2)]);
    assert_same(&later[1], &expected[0]);
    assert_eq!(hits(&expected), [0, 0]);
}

#[test]
fn requests_that_come_together_share_their_beginning() {
    let mut backend = backend();
    let jobs = (0..6).map(|own| job(None, prompt(70, own), own));
    let together = sample(&mut backend, jobs.collect());
    assert_eq!(hits(&together), [0, 64, 64, 64, 64, 64]);
}

#[test]
fn the_last_token_is_run_even_if_all_are_known() {
    let mut backend = backend();
    let ask = || job(None, tokens(1, 64), 3);
    let first = sample(&mut backend, vec![ask()]);
    let second = sample(&mut backend, vec![ask()]);
    assert_eq!(hits(&second), [32]);
    assert_same(&first[0], &second[0]);
}

#[test]
fn what_is_asked_about_is_run() {
    let mut backend = backend();
    let ask = |last| {
        let mut job = job(None, prompt(70, 1), 3);
        (job.prompt_logprobs, job.prompt_logprobs_last_n) = (true, last);
        job.topk_prompt_logprobs = 2;
        job
    };
    sample(&mut backend, vec![ask(None)]);
    let outputs = sample(&mut backend, vec![ask(None), ask(Some(10)), ask(Some(40))]);
    // 90 tokens: the row before the last 10 is 79, that before the last 40 is 49.
    assert_eq!(hits(&outputs), [0, 64, 32]);
    let all = outputs[0].prompt_logprobs.as_ref().unwrap();
    for (output, known) in outputs[1..].iter().zip([80, 50]) {
        let some = output.prompt_logprobs.as_ref().unwrap();
        assert!(some[..known].iter().all(|lp| lp.is_nan()));
        assert_eq!(bits(&some[known..]), bits(&all[known..]));
        let top = output.topk_prompt_logprobs.as_ref().unwrap();
        assert!(top[..known].iter().all(Vec::is_empty));
        assert_eq!(
            top[known..],
            outputs[0].topk_prompt_logprobs.as_ref().unwrap()[known..]
        );
    }
}

#[test]
fn other_weights_share_nothing() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let snapshot = |backend: &CpuBackend| Some(backend.snapshot(id).unwrap());
    let ask = |weights: &Option<SamplingWeights>| job(weights.clone(), prompt(70, 1), 3);
    let before = snapshot(&backend);
    let old = sample(&mut backend, vec![ask(&before), ask(&None)]);
    assert_eq!(hits(&old), [0, 0]);
    backend.train(id, &batch(vec![datum(8, 30)])).unwrap();
    backend.step(id, &constants(0.05)).unwrap();
    let after = snapshot(&backend);
    let new = sample(&mut backend, vec![ask(&after), ask(&before)]);
    assert_eq!(hits(&new), [0, 64]);
    assert_ne!(new[0].sequences, old[0].sequences);
    assert_same(&new[1], &old[0]);
    let mut plain = super::backend().with_prefix_cache(0);
    assert_same(&sample(&mut plain, vec![ask(&after)])[0], &new[0]);
}

#[test]
fn all_samples_of_a_job_come_from_one_run_of_its_prompt() {
    let mut backend = backend();
    let mut many = job(None, prompt(70, 1), 3);
    many.num_samples = 7;
    let before = backend.sampler.rows_run();
    let output = sample(&mut backend, vec![many]).remove(0);
    assert_eq!(backend.sampler.rows_run() - before, 90);
    assert_eq!(output.sequences.len(), 7);
}

#[test]
fn memory_stays_bounded_and_goes_with_the_weights() {
    // A page of this model takes a little more than 24 KiB: three fit.
    let mut backend = backend().with_prefix_cache(80_000);
    let ask = |weights: Option<SamplingWeights>, own| job(weights, tokens(own, 100), 3);
    for own in 0..5 {
        sample(&mut backend, vec![ask(None, own)]);
        let bytes = backend.sampler.cached_bytes();
        assert!(bytes > 60_000 && bytes <= 80_000, "{bytes}");
    }
    // The newest is still there, the oldest is not.
    let again = [4, 0].map(|own| ask(None, own));
    assert_eq!(hits(&sample(&mut backend, vec![again[0].clone()])), [96]);
    assert_eq!(hits(&sample(&mut backend, vec![again[1].clone()])), [0]);

    let id = trained(&mut backend, 2, 4);
    let snapshot = Some(backend.snapshot(id).unwrap());
    sample(&mut backend, vec![ask(snapshot, 1)]);
    backend.remove(id);
    sample(&mut backend, vec![job(None, tokens(9, 40), 1)]);
    let bytes = backend.sampler.cached_bytes();
    assert!(
        bytes < 30_000,
        "the pages of the dropped adapter are still there: {bytes}"
    );
}
