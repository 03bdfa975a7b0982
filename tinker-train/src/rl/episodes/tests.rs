//! Tests of episodes on the embedded engine.

use std::sync::Mutex;

use tinker_client::{LoraConfig, ServiceClient, TrainingClient};
use tinker_local::LocalEngine;

use super::*;
use crate::rl::environment::Reaction;
use crate::{RunFolder, Settings, Trainer};

/// Asks three times, and rewards short answers.
struct Asks {
    actions: Vec<Vec<u32>>,
    played: Arc<Mutex<Vec<Vec<Vec<u32>>>>>,
}

impl Environment for Asks {
    fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>> {
        async { Ok("word: river stone ->".into()) }.boxed()
    }

    fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>> {
        self.actions.push(action.tokens.clone());
        async move {
            if self.actions.len() < 3 {
                return Ok(
                    Reaction::next("\nand again ->").with_reward(-(action.text.len() as f64))
                );
            }
            self.played.lock().unwrap().push(self.actions.clone());
            Ok(Reaction::end(1.0))
        }
        .boxed()
    }
}

async fn training() -> (LocalEngine, ServiceClient, TrainingClient) {
    let engine = LocalEngine::builtin().unwrap();
    let service = ServiceClient::builder()
        .leaf(engine.service())
        .build()
        .unwrap();
    let training = service
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(4))
        .await
        .unwrap();
    (engine, service, training)
}

fn episodes(played: &Arc<Mutex<Vec<Vec<Vec<u32>>>>>) -> Episodes {
    let played = Arc::clone(played);
    let make = move |_| -> Box<dyn Environment> {
        Box::new(Asks {
            actions: Vec::new(),
            played: Arc::clone(&played),
        })
    };
    let mut episodes = Episodes::new(2, make, Renderer::plain(), 2, 7).unwrap();
    (episodes.max_tokens, episodes.group_size) = (6, 4);
    episodes
}

#[tokio::test]
async fn only_actions_are_learned_and_their_log_probabilities_line_up() {
    let (_engine, _service, training) = training().await;
    let sampler = training
        .save_weights_and_get_sampling_client()
        .await
        .unwrap();
    let played = Arc::default();
    let episodes = episodes(&played);
    let position = Position {
        batch: 0,
        step: 0,
        sampler: Some(&sampler),
    };
    let batch = episodes.step(position).await.unwrap();
    assert!(batch.data.len() >= 4, "{:?}", batch.metrics);
    let played = played.lock().unwrap().clone();
    assert_eq!(played.len(), 8);
    for datum in &batch.data {
        let inputs = datum.model_input.to_tokens().unwrap();
        let targets = datum.loss_fn_inputs["target_tokens"].as_i64().unwrap();
        let logprobs = datum.loss_fn_inputs["logprobs"].as_f32().unwrap();
        let advantages = datum.advantages().unwrap();
        let mut whole = inputs.clone();
        whole.push(u32::try_from(*targets.last().unwrap()).unwrap());
        let expected = sampler.compute_logprobs(whole).await.unwrap();
        let mut learned = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            if advantages[at] == 0.0 {
                assert!(logprobs[at] == 0.0, "an observation has no log probability");
                continue;
            }
            learned.push(u32::try_from(*target).unwrap());
            let expected = expected[at + 1].unwrap();
            assert!(
                (logprobs[at] - expected).abs() < 1e-3,
                "{at}: {} {expected}",
                logprobs[at]
            );
        }
        assert!(
            played.iter().any(|actions| actions.concat() == learned),
            "{learned:?}"
        );
        // Three observations of which the first has no target for its first token.
        let read = targets.len() + 1 - learned.len();
        let observations = ["word: river stone ->", "\nand again ->", "\nand again ->"];
        let expected: usize = observations
            .iter()
            .map(|text| Renderer::plain().text(text).unwrap().length().unwrap())
            .sum();
        assert_eq!(read, expected);
    }
    // The same position plays the same episodes.
    let position = Position {
        batch: 0,
        step: 0,
        sampler: Some(&sampler),
    };
    let again = episodes.step(position).await.unwrap();
    assert_eq!(again.data, batch.data);
}

#[tokio::test]
async fn the_reference_adds_a_penalty_to_actions_only() {
    let (_engine, service, training) = training().await;
    let place = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&place.path().join("run"), &"asks").unwrap();
    let mut episodes = episodes(&Arc::default());
    // Away from the reference first.
    let trainer = Trainer::new(Settings::new(1, 2e-3));
    trainer
        .run(&training, &episodes, &mut run, &mut |_| ())
        .await
        .unwrap();
    let sampler = training
        .save_weights_and_get_sampling_client()
        .await
        .unwrap();
    let base = service.create_sampling_client("tinker-local/tiny");
    let base = base.await.unwrap();
    let position = Position {
        batch: 5,
        step: 5,
        sampler: Some(&sampler),
    };
    let plain = episodes.step(position).await.unwrap();
    episodes.reference = Some((base.clone(), 0.5));
    let penalised = episodes.step(position).await.unwrap();
    assert!(!plain.data.is_empty(), "{:?}", plain.metrics);
    let mut largest = 0.0_f32;
    for (plain, penalised) in plain.data.iter().zip(&penalised.data) {
        let mut tokens = plain.model_input.to_tokens().unwrap();
        let targets = plain.loss_fn_inputs["target_tokens"].as_i64().unwrap();
        tokens.push(u32::try_from(*targets.last().unwrap()).unwrap());
        let reference = base.compute_logprobs(tokens).await.unwrap();
        let sampled = plain.loss_fn_inputs["logprobs"].as_f32().unwrap();
        let difference = |at: usize| sampled[at] - reference[at + 1].unwrap();
        let (before, after) = (plain.advantages().unwrap(), penalised.advantages().unwrap());
        let actions: Vec<usize> = (0..targets.len())
            .filter(|at| sampled[*at] != 0.0)
            .collect();
        let mean = actions.iter().map(|at| difference(*at)).sum::<f32>() / actions.len() as f32;
        for at in 0..targets.len() {
            let penalty = if actions.contains(&at) {
                0.5 * (mean - difference(at))
            } else {
                0.0
            };
            largest = largest.max(penalty.abs());
            assert!(
                (after[at] - before[at] - penalty).abs() < 1e-4,
                "{at}: {} {} {penalty}",
                after[at],
                before[at]
            );
        }
    }
    assert!(largest > 1e-5, "the weights are those of the reference");
    let read = |batch: &crate::recipe::Batch| batch.metrics["prefilled_tokens"];
    assert!((read(&penalised) - read(&plain) - plain.tokens as f64).abs() < 1e-9);
}

#[tokio::test]
async fn a_run_over_several_turns_trains_without_drift() {
    let (_engine, _service, training) = training().await;
    let place = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(&place.path().join("run"), &"asks").unwrap();
    let episodes = episodes(&Arc::default());
    let trainer = Trainer::new(Settings::new(3, 1e-3));
    trainer
        .run(&training, &episodes, &mut run, &mut |_| ())
        .await
        .unwrap();
    let rows = run.rows().unwrap();
    assert_eq!(rows.len(), 3);
    // Groups of equal reward are left out, so later steps may have nothing to learn.
    assert!(rows[0].tokens > 0, "{:?}", rows[0]);
    for row in rows.iter().filter(|row| row.tokens > 0) {
        assert!(
            (row.metric("actions").unwrap() - 3.0).abs() < 1e-9,
            "{row:?}"
        );
        assert!(
            row.metric("kl_sampler_v2").is_some_and(|v2| v2 < 1e-6),
            "{row:?}"
        );
        assert!(row.learned_tokens < row.tokens, "{row:?}");
    }
}

/// Never ends, and fails on long actions.
struct Endless;
impl Environment for Endless {
    fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>> {
        async { Ok("a".into()) }.boxed()
    }

    fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>> {
        let length = action.tokens.len();
        async move {
            if length > 2 {
                return Err("too long".into());
            }
            Ok(Reaction::next("b"))
        }
        .boxed()
    }
}

#[tokio::test]
async fn episodes_without_an_end_are_cut_and_failures_are_named() {
    let (_engine, _service, training) = training().await;
    let sampler = training
        .save_weights_and_get_sampling_client()
        .await
        .unwrap();
    let make = |_| -> Box<dyn Environment> { Box::new(Endless) };
    let mut episodes = Episodes::new(1, make, Renderer::plain(), 1, 0).unwrap();
    (episodes.max_actions, episodes.max_tokens) = (3, 1);
    let position = Position {
        batch: 0,
        step: 0,
        sampler: Some(&sampler),
    };
    let batch = episodes.step(position).await.unwrap();
    assert_eq!(
        (
            batch.data.len(),
            batch.metrics["episodes_cut"],
            batch.metrics["groups_dropped"]
        ),
        (0, 8.0, 1.0)
    );
    episodes.max_tokens = 9;
    let position = Position {
        batch: 0,
        step: 0,
        sampler: Some(&sampler),
    };
    let error = episodes.step(position).await.unwrap_err();
    assert_eq!(error.to_string(), "the environment of problem 0 failed");
}
