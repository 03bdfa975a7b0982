//! Reports about prompts and running sequences.

use super::*;

/// A job with all reports about its prompt.
fn curious(weights: Option<SamplingWeights>) -> SampleJob {
    let mut job = job(weights, tokens(7, 12), 3);
    job.prompt_logprobs = true;
    job.topk_prompt_logprobs = 300;
    job.target_prompt_logprobs = (0..11).map(|row| vec![row * 9, 3, 299]).collect();
    job.target_prompt_logprobs[4].clear();
    job.prompt_alternatives = 4;
    job
}

fn one(backend: &mut CpuBackend, job: SampleJob) -> SampleOutput {
    sample(backend, vec![job]).remove(0)
}

#[test]
fn targets_and_alternatives_have_the_logprobs_of_the_whole_distribution() {
    let mut backend = backend();
    let adapter = trained(&mut backend, 2, 4);
    let weights = Some(backend.snapshot(adapter).unwrap());
    let asked = curious(weights);
    let output = one(&mut backend, asked.clone());
    let all = output.topk_prompt_logprobs.unwrap();
    let logprob = |row: usize, token: u32| {
        let found = all[row + 1].iter().find(|(id, _)| *id == token);
        found.unwrap().1
    };
    assert_eq!(output.target_prompt_logprobs.len(), 11);
    for (row, wanted) in asked.target_prompt_logprobs.iter().enumerate() {
        let want: Vec<f32> = wanted.iter().map(|token| logprob(row, *token)).collect();
        assert_eq!(output.target_prompt_logprobs[row], want);
    }
    assert_eq!(output.prompt_alternatives.len(), 11);
    for (row, drawn) in output.prompt_alternatives.iter().enumerate() {
        assert_eq!(drawn.len(), 4);
        let same = |(token, lp): &(u32, f32)| lp.to_bits() == logprob(row, *token).to_bits();
        assert!(drawn.iter().all(same));
    }
}

#[test]
fn alternatives_are_drawn_with_the_seed_and_at_the_temperature() {
    let mut backend = backend();
    let draws = |backend: &mut CpuBackend, change: fn(&mut SampleJob)| {
        let mut job = curious(None);
        change(&mut job);
        one(backend, job)
    };
    let first = draws(&mut backend, |_| ());
    let again = draws(&mut backend, |_| ());
    assert_eq!(first.prompt_alternatives, again.prompt_alternatives);
    let other = draws(&mut backend, |job| job.seed = Some(4));
    assert_ne!(first.prompt_alternatives, other.prompt_alternatives);
    let alone = draws(&mut backend, |job| job.prompt_alternatives = 0);
    assert_eq!(
        first.sequences, alone.sequences,
        "what is reported changes no sample"
    );
    let greedy = draws(&mut backend, |job| job.temperature = 0.0);
    let likely = greedy.topk_prompt_logprobs.unwrap();
    for (drawn, row) in greedy.prompt_alternatives.iter().zip(&likely[1..]) {
        assert!(drawn.iter().all(|(token, _)| *token == row[0].0));
    }
}

#[test]
fn targets_of_another_shape_are_refused() {
    let mut backend = backend();
    let mut short = curious(None);
    short.target_prompt_logprobs.pop();
    let refused = backend.submit(short).unwrap_err();
    assert!(
        refused
            .message()
            .contains("has 10 rows; a prompt of 12 tokens takes 11")
    );
    let mut outside = curious(None);
    outside.target_prompt_logprobs[2] = vec![1, 300];
    let refused = backend.submit(outside).unwrap_err();
    assert!(
        refused
            .message()
            .contains("target_prompt_logprobs[2][1] is 300")
    );
}

#[test]
fn a_job_can_be_watched() {
    let mut backend = backend();
    let mut watched = job(None, tokens(1, 5), 9);
    watched.num_samples = 3;
    watched.max_tokens = Some(6);
    let id = backend.submit(watched).unwrap();
    let mut seen = vec![Vec::new(); 3];
    let whole = loop {
        let mut ended = backend.advance();
        backend.peek(id, &mut |index, tokens, all| {
            assert!(tokens.tokens.starts_with(&seen[index]));
            assert_eq!(all, tokens.tokens.len() == 6);
            seen[index] = tokens.tokens.clone();
        });
        if let Some((_, output)) = ended.pop() {
            break output.unwrap();
        }
    };
    for (seen, whole) in seen.iter().zip(&whole.sequences) {
        assert_eq!(whole.tokens.len(), 6);
        assert_eq!(
            seen[..],
            whole.tokens[..5],
            "all but the last step was seen"
        );
    }
    backend.peek(id, &mut |_, _, _| panic!("it has ended"));
}
