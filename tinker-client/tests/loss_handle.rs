//! A custom loss gives the same numbers on the client and on the server.

use std::error::Error;

use tinker_client::autodiff::Expr;
use tinker_client::{
    AdamParams, Datum, ForwardBackwardOutput, LoraConfig, Loss, LossGraph, ServiceClient,
};
use tinker_local::LocalEngine;

/// The result of a run: the output of the pass, and the log probabilities after a step.
struct Run {
    is_the_servers: bool,
    output: ForwardBackwardOutput,
    after: Vec<f32>,
}

/// Uses every operation, so that each has the same meaning on both sides.
fn everything() -> LossGraph {
    let (lp, sampled) = (Expr::logprobs(), Expr::input("sampled"));
    let (advantages, margin) = (Expr::input("advantages"), Expr::input_of_rank("margin", 0));
    let ratio = (&lp - &sampled).exp();
    let clipped = ratio.clamp(0.9, 1.1) * &advantages;
    let policy = -(&ratio * &advantages).min(&clipped).sum();
    let preference = -(lp.sum() * 0.1 - &margin).log_sigmoid();
    let penalty = ((&lp - &sampled).abs() + 1e-3).sqrt().mean();
    let focus = (-lp.detach().exp().sigmoid() * &lp).mean();
    let bounded = lp.max(&Expr::constant(-4.0)).sum() / 7.0;
    let spread = (1.0 + lp.exp()).log().max(&(&lp * 0.5)).sum();
    let loss = policy + preference + 0.3 * penalty + focus - bounded + spread;
    LossGraph::new("everything", loss)
        .with_metric("custom/ratio:mean", ratio.mean())
        .with_metric("custom/margin:sum", margin)
}

fn data() -> Vec<Datum> {
    let datum = |prompt: &[u32], answer: &[u32], margin: f32| {
        let datum = Datum::supervised(prompt, answer);
        let count = prompt.len() + answer.len() - 1;
        let spread = |start: f32, step: f32| -> Vec<f32> {
            (0..count).map(|n| start + step * n as f32).collect()
        };
        let margin = tinker_client::TensorData::from(vec![margin]).with_shape([]);
        Ok::<_, tinker_client::InvalidValue>(
            datum
                .with_input("sampled", spread(-3.0, 0.4))
                .with_input("advantages", spread(-1.0, 0.7))
                .with_input("margin", margin?),
        )
    };
    [
        datum(&[115, 107, 121], &[58, 32, 98], 0.5),
        datum(&[115, 101, 97], &[58, 103], -0.25),
    ]
    .into_iter()
    .filter_map(Result::ok)
    .collect()
}

async fn run(server_side: bool) -> Result<Run, Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    engine.behave(|behavior| behavior.client_config.custom_loss_server_side = server_side);
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let handle = service.create_custom_loss(everything()).await?;
    let lora = LoraConfig::new(8).with_seed(7);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    let data = data();
    assert_eq!(data.len(), 2);
    let output = training.forward_backward_with(data.clone(), &handle);
    let step = training.optim_step(AdamParams::new(1e-2));
    let output = output.await?;
    step.await?;
    let probe: Vec<Datum> = data
        .into_iter()
        .map(|mut datum| {
            datum
                .loss_fn_inputs
                .retain(|name, _| name == "target_tokens");
            datum
        })
        .collect();
    let probed = training.forward(probe, Loss::cross_entropy()).await?;
    let after = (0..2).flat_map(|n| probed.logprobs(n).unwrap_or_default().to_vec());
    Ok(Run {
        is_the_servers: handle.loss_id().is_some(),
        output,
        after: after.collect(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_the_client_compute_the_same() -> Result<(), Box<dyn Error>> {
    let (theirs, ours) = (run(true).await?, run(false).await?);
    assert!(theirs.is_the_servers && !ours.is_the_servers);
    for name in ["loss:sum", "custom/ratio:mean", "custom/margin:sum"] {
        let of = |run: &Run| run.output.metrics.get(name).copied();
        let (theirs, ours) = (of(&theirs).ok_or(name)?, of(&ours).ok_or(name)?);
        assert!((theirs - ours).abs() < 1e-4, "{name}: {theirs} {ours}");
    }
    assert!(!ours.after.is_empty());
    for (theirs, ours) in theirs.after.iter().zip(&ours.after) {
        assert!((theirs - ours).abs() < 1e-4, "{theirs} {ours}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_loss_once_and_for_itself() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let handle = service.create_custom_loss(everything()).await?;
    let again = service.create_custom_loss(everything()).await.err();
    let again = again.ok_or("a loss was taken twice")?.to_string();
    assert!(again.contains("reuse its handle"), "{again}");

    let other = ServiceClient::builder().leaf(engine.service()).build()?;
    let training = other
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(4))
        .await?;
    let foreign = training.forward_backward_with(data(), &handle).await.err();
    let foreign = foreign.ok_or("a foreign loss was taken")?.to_string();
    assert!(
        foreign.contains("create it in this session as well"),
        "{foreign}"
    );
    Ok(())
}
