//! `tinker train dpo`: preferences.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tinker_data::{LengthLimit, Renderer, Row};
use tinker_train::{
    Dpo, Evaluate, Order, Pair, PairLogprobs, Pairs, RunFolder, Snapshot, TokenCounts,
    pair_logprobs, preference_accuracy,
};

use super::args::positive;
use super::common::CommonArgs;
use super::continued::Continued;
use super::rate;
use super::recipe_run::{Recipe as RunRecipe, begin, length_limit, open, prepare};
use super::rows::{Rows, check_length, refuse};
use super::run_folder::REFERENCE;
use crate::connect::Connection;
use crate::context::Context;
use crate::exit::Usage;

/// Train on preferences: of two answers to a prompt, the better one becomes more likely.
///
/// Direct preference optimization. Each row has `prompt`, `chosen` and `rejected`, or the two as conversations.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Each row of the data is one of:
  {\"prompt\": \"...\", \"chosen\": \"...\", \"rejected\": \"...\"}
  {\"chosen\": [{\"role\": \"user\", \"content\": \"...\"}, ...], \"rejected\": [...]}

Examples:
  tinker train dpo examples/data/preferences.jsonl
  tinker train dpo pairs.jsonl --beta 0.3 --steps 200 --save-every 50
  tinker train dpo recipe.toml --set beta=0.3
  tinker train dpo pairs.jsonl --dry-run --show-resolved > recipe.toml
  tinker train resume runs/pairs-20260101-120000")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Strength of the pull to the starting weights.
    #[arg(long, default_value_t = 0.1, value_parser = positive, help_heading = "Training")]
    beta: f64,
    /// Peak learning rate [default: 0.001 for the built-in model, 0.00001 for others].
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    learning_rate: Option<f64>,
    /// Pairs per step.
    #[arg(
        long,
        value_name = "N",
        default_value = "32",
        help_heading = "Training"
    )]
    batch_size: NonZeroUsize,
    /// Number of steps.
    #[arg(
        long,
        value_name = "N",
        default_value = "60",
        help_heading = "Training"
    )]
    steps: NonZeroUsize,
}

/// The settings in `config.json`.
#[derive(Debug, Clone, Copy, Serialize)]
struct Settings {
    beta: f64,
    learning_rate: f64,
    batch_size: usize,
    steps: usize,
}

/// The content of [`REFERENCE`].
#[derive(Debug, Serialize, Deserialize)]
struct Reference {
    /// Of the pairs that are trained on, with their numbers.
    train: Vec<(usize, [f64; 2])>,
    held_out: Vec<[f64; 2]>,
}

pub(super) async fn run(
    mut args: Args,
    continued: Option<Continued>,
    context: &Context,
) -> anyhow::Result<()> {
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
    let pair = |row: &Row| pair(row, &renderer, limit);
    let tokens = rows.check(context.printer, |row| Ok(pair(row)?.tokens()))?;
    let held_out: Vec<Pair> = rows.held_out.iter().map(pair).collect::<Result<_, _>>()?;
    let rate = rate::of_recipe(&prepared.model, 1e-5);
    let settings = Settings {
        beta: args.beta,
        learning_rate: args.learning_rate.unwrap_or(rate.value),
        batch_size: args.batch_size.get().min(rows.train.len().max(1)),
        steps: args.steps.get(),
    };
    let recipe = RunRecipe {
        name: "dpo",
        plan: format!(
            "{} steps of {} pairs, beta {}, learning rate {}",
            settings.steps, settings.batch_size, settings.beta, settings.learning_rate
        ),
        settings,
        steps: settings.steps,
        batch_size: settings.batch_size,
        learning_rate: settings.learning_rate,
        rate_origin: rate.why,
        tokens: token_counts(&settings, common, (tokens, rows.train.len()), &held_out),
    };
    let from = (common, rows, context);
    let Some((run, training, folder)) = begin(from, prepared, recipe, continued, connection)?
    else {
        return Ok(());
    };
    let train = Pairs::of_rows(Arc::clone(&rows.train), renderer);
    let held_out = Pairs::from(held_out);
    let order = Order::new(train.len(), settings.batch_size, common.seed);
    let used = order.used(settings.steps);
    let all: Vec<usize> = (0..held_out.len()).collect();
    let (reference, of_held_out) = if let Some(recorded) = recorded(&folder, &used, all.len())? {
        recorded
    } else {
        // Nothing is trained yet: the reference is the model as it starts.
        let sampler = training.save_weights_and_get_sampling_client().await?;
        let found = (
            pair_logprobs(&sampler, &train, &used).await?,
            pair_logprobs(&sampler, &held_out, &all).await?,
        );
        let plain = |pair: &PairLogprobs| [pair.chosen, pair.rejected];
        let numbered = used.iter().zip(&found.0);
        let file = Reference {
            train: numbered.map(|(at, pair)| (*at, plain(pair))).collect(),
            held_out: found.1.iter().map(plain).collect(),
        };
        folder.write_json(REFERENCE, &file)?;
        found
    };
    let before = BTreeMap::from([(
        "held_out_accuracy".to_owned(),
        preference_accuracy(&of_held_out, &of_held_out),
    )]);
    let recipe = Dpo::new(
        train,
        used.into_iter().zip(reference),
        settings.batch_size,
        common.seed,
    )?
    .with_beta(settings.beta);
    let trainer = run.trainer(connection, evaluation(held_out, of_held_out, context))?;
    Box::pin(run.train(&recipe, trainer, training, connection, folder, before)).await
}

/// Largest numbers of tokens of a run, but for those of batches, which are those of the mean pair.
fn token_counts(
    settings: &Settings,
    common: &CommonArgs,
    (all, pairs): (usize, usize),
    held_out: &[Pair],
) -> TokenCounts {
    let trained = settings.steps * settings.batch_size * all / pairs.max(1);
    let held_out = held_out.iter().map(Pair::tokens).sum::<usize>();
    let on_the_way = common.eval_every.map_or(0, |every| settings.steps / every);
    // The reference of each pair that is trained on, once; a pass without gradients for each step; and the evaluations.
    let prefilled = trained.min(all) + trained + (2 + on_the_way) * held_out;
    TokenCounts::new(prefilled as u64, 0, trained as u64)
}

/// The pair in a row.
fn pair(row: &Row, renderer: &Renderer, limit: LengthLimit) -> anyhow::Result<Pair> {
    let pair = Pair::encode(renderer, &row.example);
    let pair = pair.ok_or_else(|| {
        refuse(
            row,
            "is no preference; give `prompt`, `chosen` and `rejected`",
        )
    })?;
    let pair = pair.map_err(|error| refuse(row, &error.to_string()))?;
    check_length(row, pair.longest(), limit)?;
    Ok(pair)
}

/// The log probabilities that an earlier process recorded. They are those of the starting weights, which a run with steps no
/// longer has.
fn recorded(
    folder: &RunFolder,
    used: &[usize],
    held_out: usize,
) -> anyhow::Result<Option<(Vec<PairLogprobs>, Vec<PairLogprobs>)>> {
    if folder.is_new() {
        return Ok(None);
    }
    let path = folder.path().join(REFERENCE);
    let pair = |[chosen, rejected]: [f64; 2]| PairLogprobs { chosen, rejected };
    let whole = std::fs::read(&path).ok().and_then(|text| {
        let file: Reference = serde_json::from_slice(&text).ok()?;
        let numbers = file.train.iter().map(|(at, _)| at);
        let is_whole = numbers.eq(used) && file.held_out.len() == held_out;
        is_whole.then_some(file)
    });
    if let Some(file) = whole {
        let train = file.train.into_iter().map(|(_, logprobs)| pair(logprobs));
        let held_out = file.held_out.into_iter().map(pair);
        return Ok(Some((train.collect(), held_out.collect())));
    }
    if folder.done() > folder.begun() {
        let message = format!(
            "{} does not hold the log probabilities of these pairs under the starting weights; start a new run",
            path.display()
        );
        return Err(Usage(message).into());
    }
    Ok(None)
}

fn evaluation(pairs: Pairs, reference: Vec<PairLogprobs>, context: &Context) -> Evaluate {
    let all: Vec<usize> = (0..pairs.len()).collect();
    let (shared, printer) = (Arc::new((pairs, reference, all)), context.printer);
    Arc::new(move |snapshot: Snapshot| {
        let shared = Arc::clone(&shared);
        async move {
            let (pairs, reference, all) = &*shared;
            if pairs.is_empty() {
                return Ok(BTreeMap::new());
            }
            let policy = pair_logprobs(&snapshot.sampler, pairs, all).await?;
            let accuracy = preference_accuracy(&policy, reference);
            let line = format!(
                "step {}: preference accuracy {accuracy:.3} on held-out pairs",
                snapshot.step
            );
            printer.print_labelled("", &line);
            Ok(BTreeMap::from([("held_out_accuracy".to_owned(), accuracy)]))
        }
        .boxed()
    })
}
