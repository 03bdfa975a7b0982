//! Preparation of a run: data, connection and plan.

use std::path::Path;

use tinker_data::EncodedQuestions;
use tinker_types::{CheckpointKind, CheckpointPath, ModelInfo};

use super::args::Args;
use super::encoded::encoded;
use super::job::Job;
use super::plan::{DryRun, Plan};
use super::preview::preview;
use super::record::Config;
use super::run_folder::RunFolder;
use super::source::Source;
use crate::connect::{Connection, Destination, WITHOUT_MESSAGES};
use crate::context::Context;
use crate::data_errors;
use crate::encoding;
use crate::exit::Usage;
use crate::format;
use crate::interrupt::Interrupt;

/// Trains a model, and prints what it learned.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let resume = args
        .resume
        .as_deref()
        .map(training_checkpoint)
        .transpose()?;
    let model = args.resume.as_deref().or(args.model.as_deref());
    let mut destination = Destination::resolve(&args.destination, model, context)?;
    if args.dry_run && resume.is_none() {
        destination = destination.without_checkpoints();
    }
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| RunFolder::default_path(args.first_file()));
    // The disk of the run folder has room for copies of the data; a dry run writes nothing there.
    let spool = RunFolder::nearest(&output).filter(|_| !args.dry_run);
    let source = Source::read(&args, spool.as_deref(), context);
    data_errors::print_if_json(&source, context.report)?;
    let source = source?;
    args.destination
        .template()
        .refuse_inert(source.has_messages, WITHOUT_MESSAGES)?;
    let mut connection = Connection::open(destination, context.printer).await?;
    let result = Box::pin(train(
        &args,
        context,
        &source,
        &output,
        resume,
        &mut connection,
    ))
    .await;
    connection.close(&result).await;
    data_errors::print_if_json(&result, context.report)?;
    result
}

async fn train(
    args: &Args,
    context: &Context,
    source: &Source,
    output: &Path,
    resume: Option<CheckpointPath>,
    connection: &mut Connection,
) -> anyhow::Result<()> {
    // The base model of a checkpoint is known once it is loaded; loading trains nothing.
    let loaded = match &resume {
        // Uploaded weights come without the state of an optimizer.
        Some(path) => {
            let service = &connection.service;
            let loading = if path.kind() == CheckpointKind::External {
                service.create_training_client_from_state(path)
            } else {
                service.create_training_client_from_state_with_optimizer(path)
            };
            match loading.await {
                Ok(loaded) => Some(loaded),
                Err(error) => {
                    return Err(connection.explain_missing(&path.to_string(), error).await);
                }
            }
        }
        None => None,
    };
    let model = match &loaded {
        Some(training) => base_model(training.info()),
        None => connection.base_model(args.model.as_deref())?,
    };
    let renderer = connection.renderer(&model).await?;
    let renderer = renderer
        .with_learn(args.encode.learn.into())
        .with_empty_answers(args.read.allow_empty);
    let limit = args.encode.limit(connection.context_length(&model))?;
    let encoded = encoded(args, source, &renderer, limit, context)?;
    let held_out = &source.split.held_out;
    let questions = EncodedQuestions::new(&renderer, held_out, limit)?;
    for note in encoding::notes(encoded.counts(), &renderer) {
        context.printer.print_note(&note);
    }
    if questions.left_out > 0 {
        let left_out = format::count(questions.left_out, "held-out prompt");
        context
            .printer
            .print_note(&format!("{left_out} longer than the limit left out"));
    }
    preview(&source.split.train, encoded.counts(), &renderer, context);
    let mut plan = Plan::new(args, model, resume, encoded.len());
    if questions.questions.is_empty() {
        plan.eval_every = None;
    }
    if args.dry_run {
        let counts = encoded.counts();
        let dry_run = DryRun {
            destination: connection.describe(),
            data: source.path().display().to_string(),
            data_sha256: source.sha256.clone(),
            examples: counts.sequences,
            examples_left_out: counts.left_out,
            example_tokens: counts.tokens,
            longest_example_tokens: counts.longest,
            held_out_prompts: questions.questions.len(),
            training_tokens: plan.tokens(counts),
            sampling_tokens: 2 * questions.max_tokens(),
            run_folder: output.display().to_string(),
            checkpoint: &args.name,
            plan: &plan,
        };
        return context.report.print(&dry_run);
    }
    context.printer.print_labelled("plan", &plan.describe());

    let folder = RunFolder::create(
        output,
        &Config::new(
            args,
            connection.describe(),
            source,
            &plan,
            encoded.counts(),
            &questions,
        ),
    )?;
    let notice = "stopping after the step in flight; Ctrl-C again exits at once";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let job = Job {
        args,
        context,
        source,
        plan,
        renderer,
        encoded,
        questions,
        interrupt,
    };
    Box::pin(job.run(connection, loaded, folder)).await
}

/// The name of a model's base model; empty if the server does not report it.
fn base_model(info: &ModelInfo) -> String {
    info.model_name
        .clone()
        .or_else(|| info.model_data.model_name.clone())
        .unwrap_or_default()
}

/// Parses the path of a checkpoint that training can continue from: a training checkpoint or uploaded weights.
fn training_checkpoint(text: &str) -> Result<CheckpointPath, Usage> {
    let path: CheckpointPath = text
        .parse()
        .map_err(|error| Usage(format!("--resume: {error}")))?;
    if path.kind() != CheckpointKind::Sampler {
        return Ok(path);
    }
    Err(Usage(format!(
        "--resume: {path} holds sampling weights; training continues from tinker://RUN/weights/NAME"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_training_checkpoints_can_be_resumed() {
        assert!(training_checkpoint("tinker://r/weights/final").is_ok());
        assert!(training_checkpoint("tinker://r/external_weights/final").is_ok());
        let refused = training_checkpoint("tinker://r/sampler_weights/final").unwrap_err();
        assert!(refused.to_string().contains("holds sampling weights"));
        assert!(
            training_checkpoint("final")
                .unwrap_err()
                .to_string()
                .starts_with("--resume: ")
        );
    }
}
