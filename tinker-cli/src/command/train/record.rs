//! Records of a run: its settings and its result.

use serde::Serialize;
use tinker_data::{EncodedCounts, EncodedQuestions, Question};
use tinker_train::{Order, RunFolder, Score, StepRow, is_exact};

use super::args::Args;
use super::given::Given;
use super::pace::Pace;
use super::plan::Plan;
use super::run_folder;
use super::source::Source;
use super::summary::{GivenAnswer, Outcome, Sample, Status, Suggestion, Summary, curve};
use crate::clock;
use crate::plot;

/// Number of steps at each end whose mean is reported as the first and the last loss.
const ENDS: usize = 10;

/// Settings of a run: `config.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Config<'a> {
    started: String,
    tinker_version: &'static str,
    #[serde(rename = "place")]
    destination: &'a str,
    data: String,
    data_sha256: &'a str,
    examples: usize,
    examples_left_out: usize,
    held_out: String,
    /// `None` if the prompts are a share of the data.
    held_out_sha256: Option<&'a str>,
    held_out_prompts: usize,
    checkpoint_name: &'a str,
    /// Version of the order of the examples.
    order: u32,
    /// Words of the command with these settings, without start, steps and destination.
    command: Vec<String>,
    #[serde(flatten)]
    plan: &'a Plan,
}

impl<'a> Config<'a> {
    /// Collects the settings of a run that is about to start.
    pub(crate) fn new(
        args: &'a Args,
        given: &Given,
        destination: &'a str,
        source: &'a Source,
        plan: &'a Plan,
        encoded: &EncodedCounts,
        questions: &EncodedQuestions,
    ) -> Self {
        Self {
            started: clock::now(),
            tinker_version: env!("CARGO_PKG_VERSION"),
            destination,
            data: source.path().display().to_string(),
            data_sha256: &source.sha256,
            examples: encoded.sequences,
            examples_left_out: encoded.left_out,
            held_out: source.eval_path().display().to_string(),
            held_out_sha256: source.held_out_sha256(),
            held_out_prompts: questions.questions.len(),
            checkpoint_name: &args.name,
            order: Order::VERSION,
            command: given.to_words(),
            plan,
        }
    }
}

/// Intermediate results of a run.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
    pub(crate) metrics: Vec<StepRow>,
    pub(crate) pace: Pace,
    pub(crate) checkpoint: String,
    pub(crate) sampler: Option<String>,
    pub(crate) next: Vec<Suggestion>,
}

impl Record {
    /// Drops the rows behind a step, which are done again.
    pub(crate) fn go_back(&mut self, step: usize) {
        self.metrics.retain(|row| row.number <= step);
        self.pace = Pace::default();
        for step in &self.metrics {
            self.pace.add(step);
        }
    }

    /// Summarises the run.
    pub(crate) fn outcome(
        self,
        plan: &Plan,
        source: &Source,
        questions: &[Question],
        folder: &RunFolder,
        status: Status,
    ) -> Outcome {
        let score =
            |answers: &[String]| (!answers.is_empty()).then(|| Score::of(questions, answers));
        let ends = ENDS.min(self.metrics.len());
        let last = &self.metrics[self.metrics.len() - ends..];
        let summary = Summary {
            status,
            model: plan.model.clone(),
            data: source.path().display().to_string(),
            held_out: source.eval_path().display().to_string(),
            steps: folder.done(),
            tokens: self.pace.tokens(),
            seconds: self.pace.seconds(),
            first_loss: mean_loss(&self.metrics[..ends]),
            last_loss: mean_loss(last),
            before: score(&self.before),
            after: score(&self.after),
            checkpoint: self.checkpoint,
            sampler: self.sampler,
            run_folder: folder.path().display().to_string(),
            files: run_folder::FILES.to_vec(),
            next: self.next,
        };
        let samples = samples(questions, &self.before, &self.after);
        Outcome {
            summary,
            samples,
            metrics: self.metrics,
        }
    }
}

impl Outcome {
    /// Writes the result to the run folder.
    pub(crate) fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        folder.write_json(run_folder::SAMPLES, &self.samples)?;
        folder.write(run_folder::PLOT, &plot::svg(&curve(&self.metrics)))?;
        folder.write_json(run_folder::SUMMARY, &self.summary)?;
        Ok(())
    }
}

/// The questions with the answers before and after training.
pub(crate) fn samples(questions: &[Question], before: &[String], after: &[String]) -> Vec<Sample> {
    let given = |question: &Question, answers: &[String], at: usize| {
        let text = answers.get(at)?.clone();
        Some(GivenAnswer {
            exact: is_exact(&question.expected, &text),
            text,
        })
    };
    let row = |(at, question): (usize, &Question)| {
        Some(Sample {
            line: question.line,
            prompt: question.prompt.text().to_owned(),
            expected: question.expected.clone(),
            before: given(question, before, at)?,
            after: given(question, after, at),
        })
    };
    questions.iter().enumerate().filter_map(row).collect()
}

fn mean_loss(steps: &[StepRow]) -> Option<f64> {
    let losses: Vec<f64> = steps.iter().filter_map(|step| step.loss).collect();
    let sum: f64 = losses.iter().sum();
    (!losses.is_empty()).then(|| sum / losses.len() as f64)
}
