//! Keys and values in bounded memory.

use super::*;

/// Jobs of sequences that take one to six pages.
fn jobs() -> Vec<SampleJob> {
    let mut jobs: Vec<_> = (0..12)
        .map(|i| {
            let prompt = tokens(i as u64, 1 + i % 4 * 20);
            let mut job = job(None, prompt, i as u64);
            job.max_tokens = Some(1 + i * 7 % 25);
            job.num_samples = 1 + i % 3 * 2;
            job.prompt_logprobs = i % 2 == 0;
            job
        })
        .collect();
    jobs[7].num_samples = 9;
    jobs
}

#[test]
fn sequences_wait_for_memory_and_come_out_the_same() {
    let expected = sample(&mut backend(), jobs());
    let largest = jobs()
        .iter()
        .map(|job| cache_bytes(&config(), job.prompt.len() + job.max_tokens.unwrap()))
        .max()
        .unwrap();
    for (bytes, live) in [
        (largest, 64),
        (largest, 1),
        (largest * 3 / 2, 2),
        (largest * 3, 5),
    ] {
        let mut small = backend().with_cache_bytes(bytes).with_live_sequences(live);
        let ids: Vec<_> = jobs()
            .into_iter()
            .map(|job| small.submit(job).unwrap())
            .collect();
        let (mut done, mut most) = (BTreeMap::new(), 0);
        for _ in 0..4000 {
            done.extend(small.advance());
            let (used, held) = (small.sampler.used_bytes(), small.sampler.held_bytes());
            most = most.max(used);
            // The prompt's last page, if it is not full, is allocated once more than it is counted.
            let spare = small.live_jobs() * cache_bytes(&config(), 1);
            assert!(held <= used + spare, "{held} of {used}");
        }
        assert!(most <= bytes && most > largest / 2, "{most} of {bytes}");
        for (id, expected) in ids.iter().zip(&expected) {
            let output = done.remove(id).expect("every job ends").unwrap();
            assert_same(&output, expected);
        }
        assert_eq!(small.sampler.used_bytes(), 0);
    }
}

#[test]
fn samples_of_one_prompt_share_its_keys_and_values() {
    let mut asked = job(None, tokens(1, 100), 1);
    (asked.num_samples, asked.max_tokens) = (10, Some(20));
    let expected = sample(&mut backend(), vec![asked.clone()]);
    // Three full pages of the prompt for all, and one for each sequence: with the rest of the prompt, 24 tokens.
    let page = cache_bytes(&config(), 1);
    let mut small = backend().with_cache_bytes(13 * page);
    let id = small.submit(asked.clone()).unwrap();
    while small.sampler.live_sequences() == 0 {
        small.advance();
    }
    assert_eq!(small.sampler.live_sequences(), 10);
    assert_eq!(small.sampler.used_bytes(), 13 * page);
    assert_eq!(small.sampler.held_bytes(), 14 * page);
    small.cancel(id);
    assert_eq!(small.sampler.held_bytes(), 0);
    assert_same(&sample(&mut small, vec![asked])[0], &expected[0]);
}

#[test]
fn a_large_sequence_is_not_passed_by_small_ones_for_ever() {
    let small = || {
        let mut job = job(None, tokens(1, 3), 1);
        job.max_tokens = Some(10);
        job
    };
    let mut large = job(None, tokens(2, 60), 2);
    large.max_tokens = Some(60);
    let bytes = cache_bytes(&config(), 120);
    let mut backend = backend().with_cache_bytes(bytes);
    for _ in 0..4 {
        backend.submit(small()).unwrap();
    }
    backend.advance();
    let large = backend.submit(large).unwrap();
    let ended = (0..400).any(|_| {
        backend.submit(small()).unwrap();
        backend.advance().iter().any(|(id, _)| *id == large)
    });
    assert!(ended);
}

#[test]
fn what_can_never_fit_is_refused_with_numbers() {
    let bytes = cache_bytes(&config(), 64);
    let mut backend = backend().with_cache_bytes(bytes);
    let mut asked = job(None, tokens(1, 40), 1);
    asked.max_tokens = Some(25);
    let error = backend.submit(asked.clone()).unwrap_err();
    let said = error.message();
    for part in [
        "40 tokens and 25 new ones",
        "MiB",
        "max_tokens",
        "--max-cache",
    ] {
        assert!(said.contains(part), "{said}");
    }
    asked.max_tokens = Some(24);
    sample(&mut backend, vec![asked.clone()]);
    // Without max_tokens it gets as many as fit.
    asked.max_tokens = None;
    let tokens = sample(&mut backend, vec![asked])
        .remove(0)
        .sequences
        .remove(0)
        .tokens;
    assert_eq!(tokens.len(), 24);
    let prompt = super::tokens(1, 65);
    assert!(backend.submit(job(None, prompt, 1)).is_err());
}
