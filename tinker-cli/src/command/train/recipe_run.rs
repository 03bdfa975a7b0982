//! A run of `train dpo` or `train rl`, from the settings to the summary.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::TrainingClient;
use tinker_data::LengthLimit;
use tinker_train::{Budget, Ended, Evaluate, Order, RunFolder, TokenCounts, Trainer};
use tinker_types::CheckpointPath;

use super::adapter::Adapter;
use super::check::Check;
use super::common::CommonArgs;
use super::continued::Continued;
use super::cost::PriceList;
use super::estimate::Estimate;
use super::given::Given;
use super::job::out_of_budget;
use super::recipe_summary::Summary;
use super::record::Record;
use super::rows::Rows;
use super::run_folder::{self, PLOT, RECIPE, SUMMARY, folder_error};
use super::runner::Runner;
use super::start::{base_model, load_start};
use super::suggest;
use super::summary::{Status, Suggestion, curve};
use super::view::LastSample;
use crate::clock;
use crate::connect::{Connection, Destination, WITHOUT_MESSAGES};
use crate::context::Context;
use crate::exit::Interrupted;
use crate::format::shell_word;
use crate::interrupt::Interrupt;
use crate::plot;

/// Settings of a run: `config.json`.
#[derive(Debug, Serialize)]
struct Config<'a, S> {
    recipe: &'static str,
    started: String,
    tinker_version: &'static str,
    #[serde(rename = "place")]
    destination: &'a str,
    data: String,
    data_sha256: &'a str,
    held_out_sha256: Option<&'a str>,
    examples: usize,
    held_out: usize,
    checkpoint_name: &'a str,
    /// Version of the order of the examples.
    order: u32,
    /// Words of the command with these settings.
    command: Vec<String>,
    model: &'a str,
    resume: Option<&'a CheckpointPath>,
    #[serde(flatten)]
    adapter: Option<Adapter>,
    seed: u64,
    #[serde(flatten)]
    settings: S,
}

/// Reads the data and opens the connection.
pub(super) async fn open(
    args: &mut CommonArgs,
    context: &Context,
) -> anyhow::Result<(Rows, Connection)> {
    args.resume = args.run.start(args.resume.take())?;
    let start = args.start()?.map(|start| start.to_text());
    let model = start.as_deref().or(args.model.as_deref());
    let mut destination = Destination::resolve(&args.destination, model, context)?;
    if args.run.dry_run && start.is_none() {
        destination = destination.without_checkpoints();
    }
    let rows = Rows::read(
        args,
        run_folder::nearest(&args.output())
            .filter(|_| !args.run.dry_run)
            .as_deref(),
        context,
    )?;
    let template = args.destination.template();
    template.refuse_inert(rows.has_messages, WITHOUT_MESSAGES)?;
    Ok((rows, Connection::open(destination, context.printer).await?))
}

/// The limit on the length of a row: the context of the model, where it is known.
pub(super) fn length_limit(connection: &Connection, model: &str) -> LengthLimit {
    let context = connection.context_length(model);
    context.map_or(LengthLimit::Unknown, LengthLimit::Refuse)
}

/// A prepared run.
pub(super) struct Prepared {
    /// The model to train; `None` for a check with a fresh adapter.
    training: Option<TrainingClient>,
    pub(super) model: String,
    start: Option<CheckpointPath>,
}

/// Creates the model to train, or loads the checkpoint to start from.
pub(super) async fn prepare(
    args: &CommonArgs,
    rows: &Rows,
    continued: Option<&Continued>,
    connection: &Connection,
    context: &Context,
) -> anyhow::Result<Prepared> {
    let start = match args.start()? {
        Some(start) => Some(start.find(&connection.service, context.printer).await?),
        None => None,
    };
    let (training, model) = if let Some(path) = &start {
        let training = load_start(connection, path, args.run.weights_only).await?;
        let model = base_model(training.info());
        (Some(training), model)
    } else {
        let model = connection.base_model(args.model.as_deref())?;
        let lora = args.adapter.adapter().lora_config(args.seed);
        let service = &connection.service;
        let training = if args.run.dry_run {
            None
        } else {
            Some(service.create_lora_training_client(&model, lora).await?)
        };
        (training, model)
    };
    if let Some(continued) = continued {
        let held_out = rows.held_out_sha256.as_deref();
        continued.check(&model, &rows.sha256, held_out, context)?;
    }
    Ok(Prepared {
        training,
        model,
        start,
    })
}

/// The part of a run that its recipe determines.
pub(super) struct Recipe<S> {
    pub(super) name: &'static str,
    /// One line for people.
    pub(super) plan: String,
    /// Settings in `config.json`.
    pub(super) settings: S,
    pub(super) steps: usize,
    pub(super) batch_size: usize,
    pub(super) learning_rate: f64,
    /// Origin of a learning rate that was not given.
    pub(super) rate_origin: String,
    /// Largest numbers of tokens.
    pub(super) tokens: TokenCounts,
}

/// A run with its recipe.
pub(super) struct RecipeRun<'a, S> {
    recipe: Recipe<S>,
    args: &'a CommonArgs,
    context: &'a Context,
    rows: &'a Rows,
    pub(super) model: String,
    start: Option<CheckpointPath>,
    given: Given,
    prices: Option<PriceList>,
    budget: Option<Budget>,
}

/// The run, the model to train and the run folder.
pub(super) type Begun<'a, S> = (RecipeRun<'a, S>, TrainingClient, RunFolder);

/// Completes the settings of a run, and creates its folder. `None` for a check, whose result is printed.
pub(super) fn begin<'a, S: Serialize + Copy>(
    (args, rows, context): (&'a CommonArgs, &'a Rows, &'a Context),
    prepared: Prepared,
    recipe: Recipe<S>,
    continued: Option<Continued>,
    connection: &Connection,
) -> anyhow::Result<Option<Begun<'a, S>>> {
    let mut given = args.complete(&prepared.model, prepared.start.as_ref(), connection);
    given.derive("learning_rate", &recipe.learning_rate, &recipe.rate_origin);
    given.derive("batch_size", &recipe.batch_size, "at most the data");
    let prices = args.run.prices(&prepared.model)?;
    let budget = args.run.budget(prices.as_ref())?;
    let run = RecipeRun {
        recipe,
        args,
        context,
        rows,
        model: prepared.model,
        start: prepared.start,
        given,
        prices,
        budget,
    };
    let Some(training) = prepared.training.filter(|_| !args.run.dry_run) else {
        run.check(connection)?;
        return Ok(None);
    };
    context.printer.print_labelled("plan", &run.recipe.plan);
    let folder = run.folder(connection, continued)?;
    Ok(Some((run, training, folder)))
}

impl<S: Serialize + Copy> RecipeRun<'_, S> {
    /// The loop. From here on Ctrl-C stops in an orderly way.
    pub(super) fn trainer(
        &self,
        connection: &Connection,
        evaluate: Evaluate,
    ) -> anyhow::Result<Trainer> {
        let Recipe {
            steps,
            learning_rate,
            ..
        } = self.recipe;
        let mut settings = self.args.settings(steps, learning_rate, self.budget);
        settings.life = self.args.run.life(connection);
        let mut trainer = Trainer::new(settings);
        let notice = "stopping after the step in flight; Ctrl-C again exits at once";
        trainer.stop = Interrupt::listen(self.context.printer, notice)?.flag();
        trainer.refusals = connection.refusals();
        trainer.evaluate = Some(evaluate);
        Ok(trainer)
    }

    /// The run folder: that of the continued run, or a new one.
    fn folder(
        &self,
        connection: &Connection,
        continued: Option<Continued>,
    ) -> anyhow::Result<RunFolder> {
        if let Some(continued) = continued {
            return Ok(continued.folder);
        }
        let config = Config {
            recipe: self.recipe.name,
            started: clock::now(),
            tinker_version: env!("CARGO_PKG_VERSION"),
            destination: connection.describe(),
            data: self.args.first_file().display().to_string(),
            data_sha256: &self.rows.sha256,
            held_out_sha256: self.rows.held_out_sha256.as_deref(),
            examples: self.rows.train.len(),
            held_out: self.rows.held_out.len(),
            checkpoint_name: &self.args.name,
            order: Order::VERSION,
            command: self.given.to_words(),
            model: &self.model,
            resume: self.start.as_ref(),
            adapter: self.start.is_none().then(|| self.args.adapter.adapter()),
            seed: self.args.seed,
            settings: self.recipe.settings,
        };
        let recipe = self.given.to_kept_toml();
        let others = [(RECIPE, recipe.as_str())];
        let (output, start) = (self.args.output(), self.start.clone());
        RunFolder::create_at(&output, &config, &others, 0, start).map_err(folder_error)
    }

    /// Prints what the run would do.
    fn check(&self, connection: &Connection) -> anyhow::Result<()> {
        let shows_recipe = self.args.run.show_resolved;
        let check = Check {
            recipe: self.recipe.name,
            model: &self.model,
            destination: connection.describe(),
            plan: &self.recipe.plan,
            data_sha256: &self.rows.sha256,
            examples: self.rows.train.len(),
            held_out: self.rows.held_out.len(),
            run_folder: self.args.output().display().to_string(),
            settings: self.recipe.settings,
            estimate: Estimate::new(
                self.recipe.tokens,
                self.prices.as_ref(),
                self.recipe.steps,
                self.context,
            ),
            resolved: shows_recipe.then_some(&self.given),
        };
        self.given.print_check(&check, shows_recipe, self.context)
    }

    /// Trains, and prints the result. `after` evaluates the saved weights.
    pub(super) async fn train(
        &self,
        recipe: &dyn tinker_train::Recipe,
        trainer: Trainer,
        training: TrainingClient,
        connection: &mut Connection,
        mut folder: RunFolder,
        before: BTreeMap<String, f64>,
    ) -> anyhow::Result<()> {
        let printer = self.context.printer;
        printer.print_labelled("before", &show(&before));
        let mut record = Record {
            metrics: folder.rows()?,
            ..Record::default()
        };
        record.go_back(folder.done());
        let evaluate = trainer.evaluate.clone();
        let all_steps = trainer.settings.steps;
        if self.args.run.tensorboard {
            folder.write_events()?;
        }
        let mut runner = Runner {
            context: self.context,
            recipe,
            trainer,
            sample: LastSample::default(),
            weights_only: self.start.clone().filter(|_| self.args.run.weights_only),
        };
        let ended = runner
            .run(connection, training, &mut folder, &mut record)
            .await?;
        let Ended {
            reason,
            steps,
            checkpoint,
            sampler,
            ..
        } = ended;
        let Some(checkpoint) = checkpoint else {
            run_folder::discard(folder);
            printer.print_line("nothing was trained");
            return Err(Interrupted.into());
        };
        let mut after = None;
        if let (Some(sampler), Some(evaluate)) = (&sampler, evaluate) {
            let trained = record.pace.describe_whole(record.metrics.len());
            printer.print_labelled("trained", &trained);
            let client = connection.service.create_sampling_client(sampler).await?;
            let measured = evaluate(tinker_train::Snapshot::new(steps, client)).await;
            let failed = || {
                format!("the training is done and saved as {checkpoint}, but its evaluation failed")
            };
            after = Some(
                measured
                    .map_err(|error| anyhow::anyhow!(error))
                    .with_context(failed)?,
            );
        }
        let status = Status::from(reason);
        let is_over = status == Status::OutOfBudget;
        if is_over {
            printer.print_note(&out_of_budget(steps, all_steps));
        }
        let next = if status == Status::Finished {
            let mut words = vec!["sample".to_owned(), "--model".to_owned()];
            words.extend(sampler.as_ref().map(ToString::to_string));
            words.extend(self.args.destination.to_words());
            words.push("Hello".to_owned());
            let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
            Suggestion {
                purpose: "try it",
                command: format!("{} {}", self.context.program, words.join(" ")),
            }
        } else {
            suggest::resume(&self.context.program, &folder, is_over.then_some("MORE"))
        };
        let summary = Summary {
            recipe: self.recipe.name,
            status,
            model: self.model.clone(),
            data: self.args.first_file().display().to_string(),
            steps,
            tokens: record.pace.tokens(),
            seconds: record.pace.seconds(),
            before,
            after,
            checkpoint: checkpoint.to_string(),
            sampler: sampler.map(|sampler| sampler.to_string()),
            run_folder: folder.path().display().to_string(),
            next: vec![next],
        };
        folder.write(PLOT, &plot::svg(&curve(&record.metrics)))?;
        folder.write_json(SUMMARY, &summary)?;
        self.context.report.print(&summary)?;
        if status == Status::Interrupted {
            Err(Interrupted.into())
        } else {
            Ok(())
        }
    }
}

fn show(metrics: &BTreeMap<String, f64>) -> String {
    let shown = metrics
        .iter()
        .map(|(name, value)| format!("{} {value:.3}", name.replace('_', " ")));
    shown.collect::<Vec<_>>().join(", ")
}
