//! The whole training loop on the embedded engine.

use std::error::Error;
use std::time::Duration;

use tinker_client::chat::{ChatError, Message, Renderer};
use tinker_client::{
    AdamParams, Datum, Error as ClientError, FinishReason, LoraConfig, Loss, ModelInput,
    SampleOptions, SamplingClient, SamplingParams, ServiceClient, TrainingClient,
};
use tinker_local::LocalEngine;

type Outcome = Result<(), Box<dyn Error>>;

const BASE: &str = "tinker-local/tiny";

fn service(engine: &LocalEngine) -> Result<ServiceClient, ClientError> {
    ServiceClient::builder().leaf(engine.service()).build()
}

async fn train(
    client: &TrainingClient,
    data: &[Datum],
    steps: usize,
) -> Result<Vec<f64>, ClientError> {
    let mut pending = Vec::new();
    for _ in 0..steps {
        let gradients = client.forward_backward(data.to_vec(), Loss::cross_entropy());
        pending.push((gradients, client.optim_step(AdamParams::new(3e-3))));
    }
    let mut losses = Vec::new();
    for (gradients, step) in pending {
        losses.push(gradients.await?.loss_sum().unwrap_or(f64::NAN));
        step.await?;
    }
    Ok(losses)
}

async fn answer(
    client: &SamplingClient,
    chat: &Renderer,
    words: &str,
) -> Result<String, Box<dyn Error>> {
    let params = SamplingParams::default()
        .with_temperature(0.0)
        .with_max_tokens(16);
    let response = client
        .sample(chat.prompt(&[Message::user(words)].into())?, params)
        .await?;
    Ok(chat.answer(&response.sequences[0].tokens)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_learns_is_sampled_saved_and_loaded() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let service = service(&engine)?;
    let client = service
        .create_lora_training_client(BASE, LoraConfig::new(16).with_seed(1))
        .await?;
    assert_eq!(client.info().lora_rank, Some(16));
    let chat = Renderer::for_model(client.info())?;

    let examples = [("One?", "uno"), ("Two?", "due"), ("Three?", "tre")];
    let data: Vec<Datum> = examples
        .iter()
        .map(|(user, model)| {
            let messages = [Message::user(*user), Message::assistant(*model)].into();
            let mut examples = chat.supervised(&messages)?;
            Ok(examples.remove(0).datum)
        })
        .collect::<Result<_, ChatError>>()?;
    let before = service.create_sampling_client(BASE).await?;
    assert_ne!(answer(&before, &chat, "Two?").await?, "due");

    // All steps are in flight before the first one is awaited.
    let losses = train(&client, &data, 40).await?;
    assert!(losses[39] < losses[0] / 20.0, "{losses:?}");

    let after = client.save_weights_and_get_sampling_client().await?;
    assert_eq!(after.base_model(), Some(BASE));
    for (user, model) in examples {
        assert_eq!(answer(&after, &chat, user).await?, model);
    }

    let named = client.save_weights_for_sampler("learned").await?;
    let loaded = service.create_sampling_client(&named).await?;
    assert_eq!(loaded.base_model(), Some(BASE));
    assert_eq!(answer(&loaded, &chat, "Three?").await?, "tre");

    let saved = client.save_state("learned").await?;
    let again = service
        .create_training_client_from_state_with_optimizer(&saved)
        .await?;
    let resumed = again.forward(data.clone(), Loss::cross_entropy()).await?;
    let here = client.forward(data, Loss::cross_entropy()).await?;
    assert_eq!(resumed.logprobs(0), here.logprobs(0));
    service.close(FinishReason::Success).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_several_requests_is_one_batch() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let service = service(&engine)?;
    let client = service
        .create_lora_training_client(BASE, LoraConfig::new(4).with_seed(1))
        .await?;
    let data: Vec<Datum> = (0..300_u32)
        .map(|n| Datum::supervised(&[97 + n % 26, 98], &[99, 256]))
        .collect();
    let whole = client.forward(data.clone(), Loss::cross_entropy()).await?;
    assert_eq!(whole.loss_fn_outputs.len(), 300);
    let mut sum = 0.0;
    for (index, datum) in data.into_iter().enumerate().step_by(37) {
        let one = client.forward(vec![datum], Loss::cross_entropy()).await?;
        let (alone, within) = (one.logprobs(0).unwrap_or_default(), whole.logprobs(index));
        for (a, b) in alone.iter().zip(within.unwrap_or_default()) {
            assert!((a - b).abs() < 1e-4, "datum {index}: {a} and {b}");
        }
        sum += one.loss_sum().unwrap_or(f64::NAN);
    }
    assert!(sum > 0.0 && whole.loss_sum().unwrap_or(0.0) > sum);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_probabilities_agree_between_sampler_and_trainer() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let service = service(&engine)?;
    let sampler = service.create_sampling_client(BASE).await?;
    let prompt: Vec<u32> = "User: Hi\nAssistant: ".bytes().map(u32::from).collect();
    let options = SampleOptions::new(SamplingParams::default().with_max_tokens(12).with_seed(3))
        .with_num_samples(3);
    let response = sampler
        .sample(ModelInput::from_tokens(prompt.clone()), options)
        .await?;
    assert_eq!(response.sequences.len(), 3);
    let trainer = service
        .create_lora_training_client(BASE, LoraConfig::new(4))
        .await?;
    for sequence in response.sequences {
        assert!(sequence.sequence_id.is_some());
        let drawn = sequence.logprobs.unwrap_or_default();
        let datum = Datum::supervised(&prompt, &sequence.tokens);
        let output = trainer.forward(vec![datum], Loss::cross_entropy()).await?;
        let trained = output.logprobs(0).unwrap_or_default();
        for (a, b) in drawn.iter().zip(&trained[prompt.len() - 1..]) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
        let all = [prompt.clone(), sequence.tokens].concat();
        let scored = sampler
            .compute_logprobs(ModelInput::from_tokens(all))
            .await?;
        assert_eq!(scored[0], None);
        for (a, b) in drawn.iter().zip(&scored[prompt.len()..]) {
            assert!((a - b.unwrap_or(f32::NAN)).abs() < 1e-4, "{a} and {b:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_sample_makes_room_for_others() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let sampler = service(&engine)?.create_sampling_client(BASE).await?;
    let prompt = ModelInput::from_tokens([97]);
    let mut endless = SamplingParams::default().with_max_tokens(1000);
    endless.stop = Some(tinker_client::Stop::Tokens(Vec::new()));
    let dropped: Vec<_> = (0..400)
        .map(|_| sampler.sample(prompt.clone(), endless.clone()))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(dropped);
    let short = SamplingParams::default().with_max_tokens(2);
    let wait = tokio::time::timeout(Duration::from_secs(20), sampler.sample(prompt, short));
    assert_eq!(wait.await??.sequences.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_says_what_is_wrong() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let service = service(&engine)?;
    let missing = service
        .create_lora_training_client("no-such-model", LoraConfig::new(4))
        .await;
    let error = missing.map(|_| ()).unwrap_err();
    assert!(error.is_user_error(), "{error}");
    let client = service
        .create_lora_training_client(BASE, LoraConfig::new(4))
        .await?;
    let outside = Datum::supervised(&[97, 5000], &[98]);
    let error = client
        .forward_backward(vec![outside], Loss::cross_entropy())
        .await
        .unwrap_err();
    assert!(
        error.is_user_error() && error.to_string().contains("5000"),
        "{error}"
    );
    // A refused pass changes nothing and holds nothing up.
    client.optim_step(AdamParams::new(1e-3)).await?;
    Ok(())
}
