//! Invalid requests: the error names place, cause and fix, and the engine's state is unchanged.

use tinker_client::{
    Datum, Error, LoraConfig, Loss, LossFn, ModelInput, SampleOptions, SamplingParams,
};
use tinker_local::LocalEngine;

use crate::support::{MODEL, Outcome, data, in_process, lora, prompt, tokens};

/// The error with its causes.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) {
    let error = result.expect_err("must be refused");
    let text = told(&error);
    assert!(error.is_user_error(), "{text}");
    assert!(
        !error.is_retryable() && !error.may_have_been_done(),
        "{text}"
    );
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused_and_leave_no_trace() -> Outcome {
    let service = in_process(&LocalEngine::builtin()?)?;
    assert_refused(
        service
            .create_lora_training_client("no/such-model", lora())
            .await,
        &["no/such-model", MODEL],
    );
    assert_refused(
        service
            .create_lora_training_client(MODEL, LoraConfig::new(0))
            .await,
        &["rank"],
    );

    let training = service.create_lora_training_client(MODEL, lora()).await?;
    let before = training.forward(data(), Loss::cross_entropy()).await?;
    let train = |data: Vec<Datum>, loss: Loss| training.forward_backward(data, loss);
    let good = Datum::supervised(&[1, 2], &[3]);

    assert_refused(
        train(vec![], Loss::cross_entropy()).await,
        &["data", "empty"],
    );
    assert_refused(
        train(
            vec![good.clone().with_input("target_tokens", vec![1_i64])],
            Loss::cross_entropy(),
        )
        .await,
        &["data[0]", "target_tokens"],
    );
    assert_refused(
        train(
            vec![good.clone().with_input("weights", vec![f32::NAN, 1.0])],
            Loss::cross_entropy(),
        )
        .await,
        &["data[0]", "weights", "NaN"],
    );
    assert_refused(
        train(
            vec![Datum::supervised(&[1, 9999], &[3])],
            Loss::cross_entropy(),
        )
        .await,
        &["9999"],
    );
    assert_refused(
        train(
            vec![Datum::supervised(&vec![65; 5000], &[3])],
            Loss::cross_entropy(),
        )
        .await,
        &["data[0]"],
    );
    assert_refused(
        train(vec![good.clone()], Loss::new(LossFn::from_name("hinge"))).await,
        &["hinge", "cross_entropy"],
    );
    assert_refused(
        train(vec![good], Loss::new(LossFn::from_name("stable_reinforce"))).await,
        &["stable_reinforce"],
    );

    assert_refused(training.save_state("../escape").await, &["../escape"]);
    assert_refused(
        service
            .create_training_client_from_state("tinker://none:train:0/weights/none")
            .await,
        &["tinker://none:train:0/weights/none"],
    );

    let sampler = service.create_sampling_client(MODEL).await?;
    assert_refused(
        sampler
            .sample(ModelInput::default(), SamplingParams::default())
            .await,
        &["prompt", "empty"],
    );
    let cold = SamplingParams::default().with_temperature(-1.0);
    assert_refused(sampler.sample(prompt("a"), cold).await, &["temperature"]);
    assert_refused(
        sampler
            .sample(
                ModelInput::from_tokens(vec![65; 5000]),
                SamplingParams::default(),
            )
            .await,
        &["5000"],
    );
    let none = SampleOptions::default().with_num_samples(0);
    assert_refused(sampler.sample(prompt("a"), none).await, &["num_samples"]);
    assert_refused(
        service
            .create_sampling_client("tinker://none:train:0/sampler_weights/none")
            .await,
        &["tinker://none:train:0/sampler_weights/none"],
    );

    let after = training.forward(data(), Loss::cross_entropy()).await?;
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test]
async fn a_name_is_not_taken_twice_unless_asked() -> Outcome {
    let service = in_process(&LocalEngine::builtin()?)?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    training.save_state("once").await?;
    assert_refused(training.save_state("once").await, &["once", "overwrite"]);
    training
        .save_state(tinker_client::SaveOptions::new("once").with_overwrite(true))
        .await?;
    let sampler = service.create_sampling_client(MODEL).await?;
    assert!(
        !sampler
            .sample(prompt("a"), SamplingParams::default().with_max_tokens(1))
            .await?
            .sequences
            .is_empty()
    );
    assert_eq!(tokens("a"), [97]);
    Ok(())
}
