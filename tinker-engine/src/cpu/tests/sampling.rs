use super::*;

/// Jobs of different weights, lengths and settings.
fn jobs(backend: &mut CpuBackend) -> Vec<SampleJob> {
    let (one, two) = (trained(backend, 2, 4), trained(backend, 3, 8));
    let weights = [
        None,
        Some(backend.snapshot(one).unwrap()),
        Some(backend.snapshot(two).unwrap()),
    ];
    let mut jobs: Vec<_> = (0..9)
        .map(|i| {
            job(
                weights[i % 3].clone(),
                tokens(i as u64, 1 + i * 11),
                100 + i as u64,
            )
        })
        .collect();
    jobs[1].num_samples = 5;
    jobs[2].top_k = Some(7);
    jobs[3].top_p = 0.8;
    jobs[4].temperature = 0.0;
    jobs[4].num_samples = 2;
    jobs[5].temperature = 1.7;
    jobs[6].max_tokens = Some(3);
    for job in &mut jobs {
        job.prompt_logprobs = true;
        job.topk_prompt_logprobs = 2;
        job.topk_sample_logprobs = 3;
    }
    jobs
}

#[test]
fn a_sequence_does_not_depend_on_its_neighbours_or_on_threads() {
    let mut backend = backend();
    let jobs = jobs(&mut backend);
    let together = sample(&mut backend, jobs.clone());
    let mut small = super::backend().with_threads(1).with_live_sequences(2);
    for (job, expected) in jobs.iter().zip(&together) {
        assert_same(&sample(&mut small, vec![job.clone()])[0], expected);
    }
    let mut wide = super::backend().with_threads(5);
    let doubled = sample(&mut wide, jobs.iter().chain(&jobs).rev().cloned().collect());
    for (got, expected) in doubled.iter().rev().zip(together.iter().chain(&together)) {
        assert_same(got, expected);
    }
    assert_ne!(together[1].sequences[0], together[1].sequences[1]);
    assert_eq!(together[4].sequences[0], together[4].sequences[1]);
}

#[test]
fn rounded_weights_change_what_is_generated_a_little_and_nothing_else() {
    let (mut exact, mut rounded) = (backend(), backend().with_int8_decode());
    let [of_exact, of_rounded] = [&mut exact, &mut rounded].map(|backend| {
        let id = trained(backend, 2, 4);
        let weights = Some(backend.snapshot(id).unwrap());
        let mut job = job(weights, tokens(1, 40), 7);
        (job.prompt_logprobs, job.temperature) = (true, 0.0);
        sample(backend, vec![job]).remove(0)
    });
    // Training and prompts give the same bits as without.
    assert_eq!(
        of_exact
            .prompt_logprobs
            .map(|logprobs| logprobs[1..].to_vec()),
        of_rounded
            .prompt_logprobs
            .map(|logprobs| logprobs[1..].to_vec())
    );
    let (exact, rounded) = (&of_exact.sequences[0], &of_rounded.sequences[0]);
    assert_eq!(exact.logprobs[0].to_bits(), rounded.logprobs[0].to_bits());
    let same = exact.tokens.iter().zip(&rounded.tokens);
    let same = same.take_while(|(a, b)| a == b).count();
    assert!(same > 1, "{exact:?} {rounded:?}");
    let pairs = exact.logprobs.iter().zip(&rounded.logprobs);
    for (a, b) in pairs.take(same).skip(1) {
        assert!(a.to_bits() != b.to_bits() && (a - b).abs() < 0.1, "{a} {b}");
    }
}

#[test]
fn sampler_and_trainer_give_the_same_logprobs_bit_for_bit() {
    let mut backend = backend();
    for seed in [2, 3] {
        let id = trained(&mut backend, seed, 8);
        let weights = Some(backend.snapshot(id).unwrap());
        let prompt = tokens(seed, 53);
        let mut job = job(weights, prompt.clone(), 7);
        (job.prompt_logprobs, job.num_samples, job.max_tokens) = (true, 3, Some(60));
        let output = sample(&mut backend, vec![job]).remove(0);
        for sequence in &output.sequences {
            let all: Vec<u32> = prompt.iter().chain(&sequence.tokens).copied().collect();
            let (tokens, targets) = (all[..all.len() - 1].to_vec(), all[1..].to_vec());
            let datum = TrainDatum {
                tokens,
                targets,
                targets_per_position: 1,
                ..TrainDatum::default()
            };
            let batch = TrainBatch {
                forward_only: true,
                ..batch(vec![super::datum(1, 40), datum])
            };
            let trained = backend.train(id, &batch).unwrap().logprobs.remove(1);
            let sampled = [
                &output.prompt_logprobs.as_ref().unwrap()[1..],
                &sequence.logprobs,
            ]
            .concat();
            assert_eq!(bits(&trained), bits(&sampled));
        }
    }
}

#[test]
fn a_frozen_adapter_is_not_trained_on() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let job = job(Some(backend.snapshot(id).unwrap()), tokens(0, 5), 1);
    let state = backend.export(id, false).unwrap();
    let before = sample(&mut backend, vec![job.clone()]);
    backend.train(id, &batch(vec![datum(8, 30)])).unwrap();
    backend.step(id, &constants(0.05)).unwrap();
    assert_eq!(before, sample(&mut backend, vec![job.clone()]));
    let restored = SampleJob {
        weights: Some(backend.restore(&state).unwrap()),
        ..job.clone()
    };
    assert_eq!(before, sample(&mut backend, vec![restored]));
    let now = SampleJob {
        weights: Some(backend.snapshot(id).unwrap()),
        ..job
    };
    assert_ne!(before, sample(&mut backend, vec![now]));
}

#[test]
fn sequences_end_where_they_should() {
    let mut backend = backend();
    let free = sample(&mut backend, vec![job(None, tokens(0, 8), 3)])
        .remove(0)
        .sequences
        .remove(0);
    assert!(!free.stopped && free.tokens.len() == 20);
    let mut stopping = job(None, tokens(0, 8), 3);
    stopping.stop = StopRule::Tokens(vec![free.tokens[6]]);
    let stopped = sample(&mut backend, vec![stopping.clone()])
        .remove(0)
        .sequences
        .remove(0);
    let first = free
        .tokens
        .iter()
        .position(|t| *t == free.tokens[6])
        .unwrap();
    assert!(stopped.stopped);
    assert_eq!(stopped.tokens, free.tokens[..=first]);
    assert_eq!(bits(&stopped.logprobs), bits(&free.logprobs[..=first]));
    // Up to the context, whatever the requested length.
    (stopping.stop, stopping.max_tokens) = (StopRule::Never, None);
    stopping.prompt = tokens(0, 120);
    assert_eq!(
        sample(&mut backend, vec![stopping.clone()])[0].sequences[0]
            .tokens
            .len(),
        8
    );
    stopping.prompt = tokens(0, 128);
    stopping.prompt_logprobs = true;
    let full = sample(&mut backend, vec![stopping]).remove(0);
    assert!(full.sequences[0].tokens.is_empty() && !full.sequences[0].stopped);
    assert_eq!(full.prompt_logprobs.unwrap().len(), 128);
}

/// Log probabilities of all tokens at a temperature, from those at 1.
fn tempered(plain: &[(u32, f32)], temperature: f32) -> Vec<f64> {
    let most = plain[0].1;
    let scaled = |logprob: f32| (f64::from(logprob) - f64::from(most)) / f64::from(temperature);
    let total: f64 = (plain.iter())
        .map(|(_, logprob)| scaled(*logprob).exp())
        .sum();
    let mut all = vec![0.0; plain.len()];
    for (token, logprob) in plain {
        all[*token as usize] = scaled(*logprob) - total.ln();
    }
    all
}

#[test]
fn logprobs_are_those_at_the_temperature_whatever_is_cut_off() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let weights = Some(backend.snapshot(id).unwrap());
    let mut plain = job(weights.clone(), tokens(0, 8), 3);
    (plain.topk_sample_logprobs, plain.max_tokens) = (300, Some(1));
    let plain = sample(&mut backend, vec![plain])
        .remove(0)
        .sequences
        .remove(0);
    let plain = &plain.topk[0];
    for temperature in [0.0, 1e-30, 0.5, 1.0, 1.5, 20.0] {
        for (top_k, top_p) in [
            (None, 1.0),
            (Some(3), 1.0),
            (None, 0.4),
            (Some(1), 1.0),
            (Some(9), 0.7),
        ] {
            let mut cut = job(weights.clone(), tokens(0, 8), 0);
            (cut.temperature, cut.top_k, cut.top_p) = (temperature, top_k, top_p);
            (cut.num_samples, cut.max_tokens, cut.topk_sample_logprobs) = (20, Some(1), 5);
            (cut.prompt_logprobs, cut.topk_prompt_logprobs) = (true, 2);
            let output = sample(&mut backend, vec![cut]).remove(0);
            // At 0 the draw is certain: the numbers are those at 1.
            let at = if temperature == 0.0 { 1.0 } else { temperature };
            let wanted = tempered(plain, at);
            for sequence in &output.sequences {
                let (token, logprob) = (sequence.tokens[0], sequence.logprobs[0]);
                let want = wanted[token as usize];
                let apart = (f64::from(logprob) - want).abs();
                assert!(
                    logprob.is_finite() && apart < 1e-4,
                    "{temperature} {logprob} {want}"
                );
                let top = sequence.topk[0].iter();
                assert!(top.clone().all(|(_, logprob)| logprob.is_finite()));
                let own: Vec<f32> = top
                    .filter(|(id, _)| *id == token)
                    .map(|(_, logprob)| *logprob)
                    .collect();
                assert!(own.is_empty() || own == [logprob], "the lists agree");
            }
            // Prompt log probabilities do not depend on the sampling parameters.
            let mut prompt = job(weights.clone(), tokens(0, 8), 0);
            (prompt.prompt_logprobs, prompt.topk_prompt_logprobs) = (true, 2);
            let prompt = sample(&mut backend, vec![prompt]).remove(0);
            assert_eq!(
                output.prompt_logprobs.unwrap()[1..],
                prompt.prompt_logprobs.unwrap()[1..]
            );
            assert_eq!(output.topk_prompt_logprobs, prompt.topk_prompt_logprobs);
        }
    }
}

#[test]
fn weights_that_were_written_and_read_are_the_same() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let snapshot = backend.snapshot(id).unwrap();
    let again = backend.snapshot(id).unwrap();
    assert!(Arc::ptr_eq(&snapshot.0, &again.0), "kept once");
    let mut bytes = Vec::new();
    snapshot.0.write(&mut bytes).unwrap();
    assert!(bytes.len() >= snapshot.0.bytes() && bytes.len() < snapshot.0.bytes() + 4096);
    let read = backend.read_weights(&mut &bytes[..]).unwrap();
    let ask = |weights| job(Some(weights), tokens(1, 20), 5);
    let both = sample(&mut backend, vec![ask(snapshot), ask(read)]);
    assert_same(&both[0], &both[1]);
    let cut = &bytes[..bytes.len() - 1];
    assert!(backend.read_weights(&mut &*cut).is_err());
    bytes[24..32].fill(255);
    assert!(backend.read_weights(&mut &bytes[..]).is_err());
}

#[test]
fn the_top_is_the_top() {
    let mut backend = backend();
    let mut greedy = job(None, tokens(0, 8), 3);
    (
        greedy.temperature,
        greedy.topk_sample_logprobs,
        greedy.topk_prompt_logprobs,
    ) = (0.0, 300, 4);
    let output = sample(&mut backend, vec![greedy]).remove(0);
    let sequence = &output.sequences[0];
    for ((token, logprob), top) in sequence
        .tokens
        .iter()
        .zip(&sequence.logprobs)
        .zip(&sequence.topk)
    {
        assert_eq!(top[0], (*token, *logprob));
        assert!(top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let total: f64 = top.iter().map(|(_, lp)| f64::from(*lp).exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
    }
    let prompt = output.topk_prompt_logprobs.unwrap();
    assert!(
        prompt[0].is_empty() && prompt[1..].iter().all(|top| top.len() == 4) && prompt.len() == 8
    );
}

#[test]
fn a_cancelled_job_is_gone() {
    let mut backend = backend().with_live_sequences(2);
    let ids: Vec<_> = (0..3)
        .map(|i| backend.submit(job(None, tokens(i, 4), i)).unwrap())
        .collect();
    backend.advance();
    backend.cancel(ids[0]);
    backend.cancel(ids[2]);
    let mut ended = Vec::new();
    while backend.live_jobs() > 0 {
        ended.extend(backend.advance().into_iter().map(|(id, _)| id));
    }
    assert_eq!(ended, [ids[1]]);
}

#[test]
fn without_a_seed_draws_differ() {
    let mut backend = backend();
    let unseeded = || SampleJob {
        seed: None,
        ..job(None, tokens(0, 4), 0)
    };
    let outputs = sample(&mut backend, vec![unseeded(), unseeded()]);
    assert_ne!(
        outputs[0].sequences[0].tokens,
        outputs[1].sequences[0].tokens
    );
}
