//! `tinker train rl`: reinforcement learning with a reward that can be checked.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::Serialize;
use tinker_client::{Loss, LossFn, SamplingSource};
use tinker_data::{Example, LengthLimit, Renderer, Row};
use tinker_train::{
    Checker, Evaluate, Problem, Problems, Program, Reward, Rl, Snapshot, TokenCounts,
};

use super::args::positive;
use super::common::CommonArgs;
use super::continued::Continued;
use super::rate;
use super::recipe_run::{Recipe as RunRecipe, begin, length_limit, open, prepare};
use super::rows::{Rows, check_length, refuse};
use super::run_folder::BASELINE;
use crate::connect::Connection;
use crate::context::Context;
use crate::exit::Usage;

/// Peak learning rate with models other than the built-in one.
const RATE: f64 = 4e-5;

/// Train on rewards: answers are sampled, and those with a higher reward become more likely.
///
/// Each step samples a group of answers to each of its prompts. An answer counts by its reward minus the mean of its group;
/// groups of equal reward teach nothing and are left out. A model that never finds a rewarded answer does not learn: train
/// it on a few examples first, and start with --resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Each row of the data has a prompt and, for most rewards, the right answer:
  {\"prompt\": \"...\", \"answer\": \"...\"}
Other columns are given to a reward program.

Rewards (--reward):
  exact, contains, regex:PATTERN, number, number:TOLERANCE, json:FIELD, choice
A reward program (--reward-program) is started for each step. It reads one JSON object a line (prompt, answer, expected,
metadata) until the end of its input, and prints one number a line.

Examples:
  tinker train rl examples/data/first-word.jsonl --max-tokens 24
  tinker train rl math.jsonl --reward number --group-size 16 --kl 0.01
  tinker train rl math.jsonl --dry-run --prices prices.json
  tinker train rl recipe.toml --budget 5usd --prices prices.json
  tinker train rl code.jsonl --reward-program ./run-tests.py --reward-time-limit 120")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Comparison of an answer with the right one.
    #[arg(
        long,
        value_name = "REWARD",
        default_value = "exact",
        help_heading = "Reward"
    )]
    reward: Checker,
    /// Line for the shell that starts a reward program.
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with = "reward",
        help_heading = "Reward"
    )]
    reward_program: Option<String>,
    /// Seconds that the program may take for a step. It is tried three times.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "60",
        help_heading = "Reward"
    )]
    reward_time_limit: NonZeroU64,
    /// Loss.
    #[arg(long, value_enum, default_value_t, help_heading = "Training")]
    loss: LossArg,
    /// Weight of the penalty on the divergence from the base model [default: none].
    #[arg(long, value_name = "WEIGHT", value_parser = positive, help_heading = "Training")]
    kl: Option<f64>,
    /// Peak learning rate [default: 0.001 for the built-in model, 0.00004 for others].
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    learning_rate: Option<f64>,
    /// Prompts per step.
    #[arg(
        long,
        value_name = "N",
        default_value = "16",
        help_heading = "Training"
    )]
    batch_size: NonZeroUsize,
    /// Answers to each prompt.
    #[arg(long, value_name = "N", default_value = "8", help_heading = "Training")]
    group_size: NonZeroUsize,
    /// Number of steps.
    #[arg(
        long,
        value_name = "N",
        default_value = "40",
        help_heading = "Training"
    )]
    steps: NonZeroUsize,
    /// Largest number of tokens of an answer.
    #[arg(
        long,
        value_name = "N",
        default_value = "64",
        help_heading = "Training"
    )]
    max_tokens: NonZeroU32,
    /// Temperature of the answers.
    #[arg(long, default_value_t = 1.0, value_parser = positive, help_heading = "Training")]
    temperature: f64,
}

/// Losses with a public definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum LossArg {
    /// Policy gradient with importance weights.
    #[default]
    #[value(name = "importance_sampling")]
    ImportanceSampling,
    /// Clipped ratio.
    Ppo,
    /// Clipped ratio as a constant weight.
    Cispo,
    /// Clipped ratio of whole answers.
    Gspo,
}

impl LossArg {
    fn loss(self) -> Loss {
        match self {
            Self::ImportanceSampling => Loss::importance_sampling(),
            Self::Ppo => Loss::ppo(),
            Self::Cispo => Loss::cispo(),
            Self::Gspo => Loss::new(LossFn::Gspo),
        }
    }
}

/// The settings in `config.json`.
#[derive(Debug, Clone, Copy, Serialize)]
struct Settings {
    loss: LossArg,
    kl: Option<f64>,
    learning_rate: f64,
    batch_size: usize,
    group_size: usize,
    steps: usize,
    max_tokens: u32,
    temperature: f64,
}

pub(super) async fn run(
    mut args: Args,
    continued: Option<Continued>,
    context: &Context,
) -> anyhow::Result<()> {
    if args.group_size.get() < 2 {
        return Err(Usage(
            "--group-size is at least 2: an answer counts by the difference to the others"
                .to_owned(),
        )
        .into());
    }
    let (rows, mut connection) = open(&mut args.common, context).await?;
    let result = Box::pin(train(&args, &rows, continued, &mut connection, context)).await;
    connection.close(&result).await;
    result
}

async fn train(
    args: &Args,
    rows: &Rows,
    continued: Option<Continued>,
    connection: &mut Connection,
    context: &Context,
) -> anyhow::Result<()> {
    let common = &args.common;
    let prepared = prepare(common, rows, continued.as_ref(), connection, context).await?;
    let renderer = connection.renderer(&prepared.model).await?;
    let limit = length_limit(connection, &prepared.model);
    let problem = |row: &Row| args.problem(row, &renderer, limit);
    let tokens = rows.check(context.printer, |row| Ok(problem(row)?.input.length()?))?;
    let held_out: Vec<Problem> = rows
        .held_out
        .iter()
        .map(problem)
        .collect::<Result<_, _>>()?;
    let settings = args.settings(rows.train.len(), &prepared.model);
    let recipe = RunRecipe {
        name: "rl",
        plan: format!(
            "{} steps of {} prompts with {} answers, learning rate {}",
            settings.steps, settings.batch_size, settings.group_size, settings.learning_rate
        ),
        settings,
        steps: settings.steps,
        batch_size: settings.batch_size,
        learning_rate: settings.learning_rate,
        rate_origin: rate::of_recipe(&prepared.model, RATE).why,
        tokens: token_counts(&settings, common, (tokens, rows.train.len()), &held_out),
    };
    let from = (common, rows, context);
    let Some((run, training, folder)) = begin(from, prepared, recipe, continued, connection)?
    else {
        return Ok(());
    };
    let mut recipe = Rl::new(
        Problems::of_rows(Arc::clone(&rows.train), renderer.clone()),
        renderer,
        args.reward(),
        settings.batch_size,
        common.seed,
    )?;
    recipe.loss = settings.loss.loss();
    recipe.group_size = settings.group_size;
    recipe.max_tokens = settings.max_tokens;
    recipe.temperature = settings.temperature;
    if let Some(weight) = settings.kl {
        let base = SamplingSource::BaseModel(run.model.clone());
        let reference = connection.service.create_sampling_client(base).await?;
        recipe.reference = Some((reference, weight));
    }
    let recipe = Arc::new(recipe);
    let evaluate = evaluation(Arc::clone(&recipe), held_out, context);
    let before = if !folder.is_new()
        && let Ok(text) = std::fs::read(folder.path().join(BASELINE))
    {
        serde_json::from_slice(&text)?
    } else {
        let sampler = training.save_weights_and_get_sampling_client().await?;
        let before = evaluate(Snapshot::new(0, sampler)).await;
        let before = before.map_err(|error| anyhow::anyhow!(error))?;
        folder.write_json(BASELINE, &before)?;
        before
    };
    let trainer = run.trainer(connection, evaluate)?;
    Box::pin(run.train(&*recipe, trainer, training, connection, folder, before)).await
}

/// Largest numbers of tokens of a run: every answer is as long as it may be.
fn token_counts(
    settings: &Settings,
    common: &CommonArgs,
    (all, problems): (usize, usize),
    held_out: &[Problem],
) -> TokenCounts {
    let prompts = settings.steps * settings.batch_size;
    let read = prompts * all / problems.max(1);
    let sampled = prompts * settings.group_size * settings.max_tokens as usize;
    let trained = read * settings.group_size + sampled;
    let lengths = held_out
        .iter()
        .filter_map(|problem| problem.input.length().ok());
    let asked = lengths.sum::<usize>();
    let evaluations = 2 + common.eval_every.map_or(0, |every| settings.steps / every);
    // The reference reads what is trained.
    let prefilled = read + settings.kl.map_or(0, |_| trained) + evaluations * asked;
    let sampled = sampled + evaluations * held_out.len() * settings.max_tokens as usize;
    TokenCounts::new(prefilled as u64, sampled as u64, trained as u64)
}

impl Args {
    fn settings(&self, problems: usize, model: &str) -> Settings {
        let rate = rate::of_recipe(model, RATE).value;
        Settings {
            loss: self.loss,
            kl: self.kl,
            learning_rate: self.learning_rate.unwrap_or(rate),
            batch_size: self.batch_size.get().min(problems.max(1)),
            group_size: self.group_size.get(),
            steps: self.steps.get(),
            max_tokens: self.max_tokens.get(),
            temperature: self.temperature,
        }
    }

    fn reward(&self) -> Reward {
        match &self.reward_program {
            None => Reward::Checker(self.reward.clone()),
            Some(line) => {
                let limit = Duration::from_secs(self.reward_time_limit.get());
                Reward::Program(Program::of_line(line).with_time_limit(limit))
            }
        }
    }

    /// The problem in a row.
    fn problem(
        &self,
        row: &Row,
        renderer: &Renderer,
        limit: LengthLimit,
    ) -> anyhow::Result<Problem> {
        let needs_answer = self.reward_program.is_none() && self.reward.needs_answer();
        if needs_answer && matches!(row.example, Example::Problem { answer: None, .. }) {
            let reason = format!("has no `answer`, which the reward `{}` needs", self.reward);
            return Err(refuse(row, &reason));
        }
        let problem = Problem::of_row(renderer, row)
            .ok_or_else(|| refuse(row, "has no prompt; give `prompt` and `answer`"))?;
        let problem = problem.map_err(|error| refuse(row, &error.to_string()))?;
        let tokens = problem.input.length()? + self.max_tokens.get() as usize;
        check_length(row, tokens, limit)?;
        Ok(problem)
    }
}

fn evaluation(recipe: Arc<Rl>, problems: Vec<Problem>, context: &Context) -> Evaluate {
    let (problems, printer) = (Arc::new(problems), context.printer);
    Arc::new(move |snapshot: Snapshot| {
        let (recipe, problems) = (Arc::clone(&recipe), Arc::clone(&problems));
        async move {
            if problems.is_empty() {
                return Ok(BTreeMap::new());
            }
            let reward = recipe.evaluate(&snapshot.sampler, &problems).await?;
            let line = format!(
                "step {}: reward {reward:.3} on held-out problems",
                snapshot.step
            );
            printer.print_labelled("", &line);
            Ok(BTreeMap::from([("held_out_reward".to_owned(), reward)]))
        }
        .boxed()
    })
}
