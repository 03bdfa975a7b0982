//! Training of a throw-away adapter.

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::{AdamParams, Datum, ForwardBackwardOutput, LoraConfig, Loss};
use tokio::time::Instant;

use super::finding::{Finding, told};
use super::subject::Subject;
use crate::config::dialect::{ForwardOnly, Wire};
use crate::error::Error;
use crate::session::connection::Connection;
use crate::wire::request::Form;

const RANK: u32 = 8;
/// Learning rate of the step.
const RATE: f64 = 1e-3;
/// Largest difference of a log probability that is taken for rounding.
const ROUNDING: f32 = 2e-3;

pub(super) fn create(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(model) = subject.model.clone() else {
            subject.blocked_by = Some("a model");
            return Finding::failed("no model is known", "nothing can be trained")
                .with_advice("name the model with --model");
        };
        let lora = LoraConfig::new(RANK).with_seed(1);
        match subject
            .service
            .create_lora_training_client(model, lora)
            .await
        {
            Ok(training) => {
                let given = training.info().lora_rank;
                subject.training = Some(training);
                match given {
                    Some(rank) if rank != RANK => {
                        let found = format!("rank {rank} instead of {RANK}");
                        Finding::noted(found, "the server sets the rank by itself")
                    }
                    _ => Finding::passed(format!("rank {RANK}"), "adapters can be trained"),
                }
            }
            Err(error) => subject
                .stop("adapter", &error, "nothing can be trained")
                .with_advice("look at the server's log; another session may hold all adapters"),
        }
    }
    .boxed()
}

/// The example: the first half is the prompt.
fn example(subject: &Subject) -> Vec<Datum> {
    let (prompt, completion) = subject.tokens.split_at(subject.tokens.len() / 2);
    vec![Datum::supervised(prompt, completion)]
}

/// Log probabilities of a sequence under the adapter in training, `[tokens - 1]`.
pub(super) async fn score(subject: &Subject, tokens: &[u32]) -> Result<Vec<f32>, Error> {
    let training = subject.training.as_ref();
    let training = training.ok_or_else(|| crate::error::ConfigError::new("no adapter"))?;
    let (prompt, completion) = tokens.split_at(tokens.len() / 2);
    let data = vec![Datum::supervised(prompt, completion)];
    let output = training.forward(data, Loss::cross_entropy()).await?;
    let missing =
        || crate::error::DecodeError::new("forward", "the pass returned no log probabilities");
    Ok(output.logprobs(0).ok_or_else(missing)?.to_vec())
}

pub(super) fn forward(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let tokens = subject.tokens.clone();
        let logprobs = match score(subject, &tokens).await {
            Ok(logprobs) => logprobs,
            Err(error) => {
                return Finding::limited(told(&error), "passes without gradients do not work")
                    .with_advice("evaluate with samples; set forward_only in the profile if the server has another form");
            }
        };
        let length = logprobs.len();
        if length != tokens.len() - 1 || logprobs.iter().any(|value| !value.is_finite() || *value > 0.01) {
            let found = format!("{length} values for {} targets, or values that are no log probabilities", tokens.len() - 1);
            return Finding::failed(found, "losses and evaluations are wrong")
                .with_advice("do not train on this server; report it");
        }
        subject.before = Some(logprobs);
        Finding::passed(format!("{length} log probabilities"), "passes without gradients work")
    }
    .boxed()
}

pub(super) fn forward_only(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let (Some(training), Some(before)) = (subject.training.clone(), subject.before.clone()) else {
            return Finding::skipped("needs forward");
        };
        let tokens = subject.tokens.clone();
        let again = async {
            score(subject, &tokens).await?;
            score(subject, &tokens).await?;
            // Without gradients, a step without decay changes nothing.
            training.optim_step(AdamParams::new(0.01)).await?;
            score(subject, &tokens).await
        };
        match again.await {
            Ok(after) if difference(&before, &after) <= ROUNDING => {
                Finding::passed("weights unchanged by a step after two passes", "an evaluation does not train")
            }
            Ok(after) => {
                subject.before = Some(after.clone());
                let moved = difference(&before, &after);
                let found = format!("log probabilities moved by up to {moved:.3}");
                Finding::failed(found, "every evaluation adds gradients: the model is trained on held-out data")
                    .with_advice("set forward_only = \"url\" or \"tested\" in the profile, or do not use forward on this server")
            }
            // A step without gradients may be refused, which is safe as well.
            Err(error) if error.is_user_error() => {
                Finding::noted(told(&error), "a step without gradients is refused, so an evaluation does not train")
            }
            Err(error) => Finding::limited(told(&error), "not known whether an evaluation trains"),
        }
    }
    .boxed()
}

/// Largest difference between two lists.
pub(super) fn difference(left: &[f32], right: &[f32]) -> f32 {
    let pairs = left.iter().zip(right);
    let differences = pairs.map(|(left, right)| (left - right).abs());
    if left.len() == right.len() {
        differences.fold(0.0, f32::max)
    } else {
        f32::INFINITY
    }
}

pub(super) fn step(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(training) = subject.training.clone() else {
            return Finding::skipped("needs adapter");
        };
        let began = Instant::now();
        let mut losses = Vec::new();
        for _ in 0..3 {
            let pass = training.forward_backward(example(subject), Loss::cross_entropy());
            let step = training.optim_step(AdamParams::new(RATE));
            let output = match pass.await {
                Ok(output) => output,
                Err(error) => {
                    return subject.stop("training step", &error, "nothing can be trained");
                }
            };
            if let Err(error) = step.await {
                return subject.stop("training step", &error, "gradients cannot be applied");
            }
            losses.push(loss_of(&output, subject));
        }
        subject.step_time = Some(began.elapsed() / 3);
        let tokens = subject.tokens.clone();
        subject.after = score(subject, &tokens).await.ok();
        let (first, last) = (losses[0], losses[2]);
        let found = format!("loss {first:.3} to {last:.3} in 3 steps");
        if last < first {
            Finding::passed(found, "training works")
        } else {
            Finding::failed(found, "training does not reduce the loss")
                .with_advice("do not train on this server before this is explained")
        }
    }
    .boxed()
}

/// Mean loss over the completion: from the log probabilities, which every server returns.
fn loss_of(output: &ForwardBackwardOutput, subject: &Subject) -> f64 {
    let learned = subject.tokens.len() - subject.tokens.len() / 2;
    let logprobs = output.logprobs(0).unwrap_or_default();
    let learned_part = logprobs.iter().rev().take(learned);
    let sum: f64 = learned_part.map(|value| -f64::from(*value)).sum();
    sum / learned as f64
}

pub(super) fn loss(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(training) = subject.training.clone() else {
            return Finding::skipped("needs adapter");
        };
        let learned = (subject.tokens.len() - subject.tokens.len() / 2) as f64;
        let output = match training
            .forward_backward(example(subject), Loss::cross_entropy())
            .await
        {
            Ok(output) => output,
            Err(error) => return Finding::skipped(told(&error)),
        };
        let computed = loss_of(&output, subject) * learned;
        match output.loss_sum() {
            Some(reported) if (reported - computed).abs() <= 0.02 * computed.abs().max(1.0) => {
                Finding::passed(
                    format!("{reported:.3}, as computed from the log probabilities"),
                    "losses are comparable between servers",
                )
            }
            Some(reported) => Finding::limited(
                format!("{reported:.3} is reported, {computed:.3} computed"),
                "the server's loss has another scale",
            )
            .with_advice("compare losses of this server only with each other"),
            None => Finding::noted(
                "not reported",
                "computed from the log probabilities instead",
            ),
        }
    }
    .boxed()
}

pub(super) fn wire(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(connection) = subject.service.state().opened_connection() else {
            return Finding::skipped("needs key");
        };
        let form = match connection.wire {
            Wire::Json => Some(Form::Json),
            Wire::Protobuf => Some(Form::Protobuf),
            Wire::Auto => connection.learned.form(),
        };
        let Some(form) = form else {
            return Finding::noted("not known", "no training pass was accepted yet");
        };
        let found = format!(
            "training passes in {}, passes without gradients {}, other calls in JSON",
            form.name(),
            forward_form(connection, form)
        );
        Finding::passed(found, "the form of each call was agreed on")
    }
    .boxed()
}

/// The form of passes without gradients, in words.
fn forward_form(connection: &Connection, form: Form) -> String {
    let facts = connection.learned.facts();
    let tested = facts
        .forward_only_age
        .map(|age| match age.as_secs() / 3600 {
            0 => ", tested now".to_owned(),
            hours => format!(", tested {hours} h ago"),
        });
    let tested = tested.unwrap_or_default();
    match (connection.forward_only, facts.forward_only) {
        (ForwardOnly::Flag, _) => "by flag".to_owned(),
        (ForwardOnly::Url, _) => "by URL".to_owned(),
        (_, Some(ForwardOnly::Url)) => format!("by URL{tested}"),
        (_, Some(_)) => format!("by flag{tested}"),
        _ if facts.forward_only_age.is_some() => "not possible".to_owned(),
        _ if form == Form::Json => "by URL".to_owned(),
        _ if connection.is_trusted => "by flag".to_owned(),
        _ => "not known".to_owned(),
    }
}
