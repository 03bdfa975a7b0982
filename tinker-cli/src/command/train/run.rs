//! Preparation of a run: data, connection and plan.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use tinker_data::EncodedQuestions;
use tinker_train::{RunFolder, Supervised};

use super::args::Args;
use super::continued::Continued;
use super::encoded::encoded;
use super::estimate::Estimate;
use super::job::{Exam, Job};
use super::plan::{DryRun, Plan};
use super::preview::preview;
use super::rate;
use super::record::Config;
use super::run_folder::{self, RECIPE, SAMPLES, folder_error};
use super::source::Source;
use super::start::{Start, base_model, load_start};
use super::view::LastSample;
use crate::connect::{Connection, Destination, WITHOUT_MESSAGES};
use crate::context::Context;
use crate::data_errors;
use crate::encoding;
use crate::format;
use crate::interrupt::Interrupt;

/// Trains a model, and prints what it learned. A continued run brings its folder.
pub(super) async fn run(
    mut args: Args,
    continued: Option<Continued>,
    context: &Context,
) -> anyhow::Result<()> {
    args.resume = args.run.start(args.resume.take())?;
    let start = args.resume.as_deref().map(Start::parse).transpose()?;
    let model = start.as_ref().map(Start::to_text);
    let model = model.or_else(|| args.model.clone());
    let mut destination = Destination::resolve(&args.destination, model.as_deref(), context)?;
    if args.run.dry_run && start.is_none() {
        destination = destination.without_checkpoints();
    }
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| run_folder::default_path(args.first_file()));
    // The disk of the run folder has room for copies of the data; a dry run writes nothing there.
    let spool = run_folder::nearest(&output).filter(|_| !args.run.dry_run);
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
        (start, continued),
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
    (start, continued): (Option<Start>, Option<Continued>),
    connection: &mut Connection,
) -> anyhow::Result<()> {
    let resume = match start {
        Some(start) => Some(start.find(&connection.service, context.printer).await?),
        None => None,
    };
    // The base model of a checkpoint is known once it is loaded; loading trains nothing.
    let loaded = match &resume {
        Some(path) => Some(load_start(connection, path, args.run.weights_only).await?),
        None => None,
    };
    let model = match &loaded {
        Some(training) => base_model(training.info()),
        None => connection.base_model(args.model.as_deref())?,
    };
    if let Some(continued) = &continued {
        let held_out = source.held_out_sha256();
        continued.check(&model, &source.sha256, held_out, context)?;
    }
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
    let rate = rate::supervised(&model, connection.model_folder(&model));
    let mut plan = Plan::new(args, model, resume, encoded.len(), &rate);
    if questions.questions.is_empty() {
        plan.eval_every = None;
    }
    let mut given = args.run.given.clone();
    plan.complete(&mut given, &rate);
    args.run.complete(&mut given, connection);
    let prices = args.run.prices(&plan.model)?;
    let budget = args.run.budget(prices.as_ref())?;
    if args.run.dry_run {
        let counts = encoded.counts();
        let tokens = plan.token_counts(counts, &questions);
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
            sampling_tokens: tokens.sampled as usize,
            run_folder: output.display().to_string(),
            checkpoint: &args.name,
            plan: &plan,
            estimate: Estimate::new(
                tokens,
                prices.as_ref(),
                plan.steps - plan.first_step,
                context,
            ),
            recipe: args.run.show_resolved.then_some(&given),
        };
        return given.print_check(&dry_run, args.run.show_resolved, context);
    }
    context.printer.print_labelled("plan", &plan.describe());
    if let Some(note) = plan.too_short(args) {
        context.printer.print_note(&note);
    }

    let config = Config::new(
        args,
        &given,
        connection.describe(),
        source,
        &plan,
        encoded.counts(),
        &questions,
    );
    let (folder, before) = if let Some(continued) = continued {
        let before = answers_before(&continued.folder, questions.questions.len());
        (continued.folder, before)
    } else {
        let start = plan.resume.clone();
        let recipe = given.to_kept_toml();
        let others = [(RECIPE, recipe.as_str())];
        let folder = RunFolder::create_at(output, &config, &others, plan.first_step, start);
        (folder.map_err(folder_error)?, None)
    };
    let notice = "stopping after the step in flight; Ctrl-C again exits at once";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let recipe = Supervised::new(encoded, plan.batch_size, plan.seed);
    let job = Job {
        args,
        context,
        source,
        plan,
        budget,
        recipe,
        exam: Arc::new(Exam {
            renderer,
            questions,
            printer: context.printer,
            shown: LastSample::default(),
        }),
        interrupt,
    };
    Box::pin(job.run(connection, loaded, folder, before)).await
}

/// The answers before training that an earlier process recorded, if they are those to all of the questions.
fn answers_before(folder: &RunFolder, questions: usize) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Row {
        before: Answer,
    }
    #[derive(Deserialize)]
    struct Answer {
        text: String,
    }
    let text = std::fs::read(folder.path().join(SAMPLES)).ok()?;
    let rows: Vec<Row> = serde_json::from_slice(&text).ok()?;
    let answers = rows.into_iter().map(|row| row.before.text);
    Some(answers.collect()).filter(|answers: &Vec<String>| answers.len() == questions)
}
