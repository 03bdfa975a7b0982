//! One supervised run, from the first evaluation to the summary.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tinker_client::{SamplingClient, TrainingClient};
use tinker_data::{EncodedQuestions, Renderer};
use tinker_train::{
    Answers, Budget, EndReason, Ended, Evaluate, RunFolder, Score, Settings, Snapshot, Supervised,
    Trainer,
};
use tokio::time::Instant;

use super::plan::Plan;
use super::record::{Record, samples};
use super::run_folder::{SAMPLES, discard};
use super::runner::Runner;
use super::source::Source;
use super::summary::Status;
use super::view::LastSample;
use super::{Args, suggest};
use crate::connect::Connection;
use crate::context::Context;
use crate::exit::Interrupted;
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::progress::Progress;

/// The common state of one run.
pub(crate) struct Job<'a> {
    pub(crate) args: &'a Args,
    pub(crate) context: &'a Context,
    pub(crate) source: &'a Source,
    pub(crate) plan: Plan,
    pub(crate) budget: Option<Budget>,
    pub(crate) recipe: Supervised,
    pub(crate) exam: Arc<Exam>,
    pub(crate) interrupt: Interrupt,
}

/// The held-out questions, and how they are asked.
pub(crate) struct Exam {
    pub(crate) renderer: Renderer,
    pub(crate) questions: EncodedQuestions,
    pub(crate) printer: Printer,
    /// The last answer to the first question.
    pub(crate) shown: LastSample,
}

impl Exam {
    fn show(&self, answers: &[String]) {
        if let (Some(question), Some(answer)) = (self.questions.questions.first(), answers.first())
        {
            self.shown.set(question.prompt.text(), answer, "");
        }
    }
}

impl Job<'_> {
    /// Evaluates, trains, saves, evaluates again, and prints the result. `before` are the answers before training, if the
    /// run is continued.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        loaded: Option<TrainingClient>,
        mut folder: RunFolder,
        before: Option<Vec<String>>,
    ) -> anyhow::Result<()> {
        let is_continued = before.is_some();
        let (training, before) = match Box::pin(self.start(connection, loaded, before)).await {
            Ok(started) => started,
            Err(error) => {
                if folder.done() == folder.begun() {
                    discard(folder);
                    self.context.printer.print_line("nothing was trained");
                }
                return Err(error);
            }
        };
        if !is_continued {
            folder.write_json(
                SAMPLES,
                &samples(&self.exam.questions.questions, &before, &[]),
            )?;
        }
        let mut record = Record {
            before,
            metrics: folder.rows()?,
            ..Record::default()
        };
        record.go_back(folder.done());
        if self.args.run.tensorboard {
            folder.write_events()?;
        }
        let mut runner = Runner {
            context: self.context,
            recipe: &self.recipe,
            trainer: self.trainer(connection, &record),
            sample: self.exam.shown.clone(),
            weights_only: self
                .plan
                .resume
                .clone()
                .filter(|_| self.args.run.weights_only),
        };
        let ended = runner
            .run(connection, training, &mut folder, &mut record)
            .await?;
        if ended.checkpoint.is_none() {
            discard(folder);
            self.context.printer.print_line("nothing was trained");
            return Err(Interrupted.into());
        }
        let status = self.end(connection, ended, &folder, &mut record).await?;
        let questions = &self.exam.questions.questions;
        let outcome = record.outcome(&self.plan, self.source, questions, &folder, status);
        outcome.write(&folder)?;
        self.context.report.print(&outcome)?;
        if status == Status::Interrupted {
            Err(Interrupted.into())
        } else {
            Ok(())
        }
    }

    /// Creates the model to train, and evaluates it before training.
    async fn start(
        &self,
        connection: &Connection,
        loaded: Option<TrainingClient>,
        before: Option<Vec<String>>,
    ) -> anyhow::Result<(TrainingClient, Vec<String>)> {
        let training = match (loaded, &self.plan.adapter) {
            (Some(loaded), _) => loaded,
            (None, adapter) => {
                let adapter = adapter
                    .as_ref()
                    .context("neither a checkpoint nor a new adapter")?;
                let lora = adapter.lora_config(self.plan.seed);
                connection
                    .service
                    .create_lora_training_client(&self.plan.model, lora)
                    .await?
            }
        };
        if let Some(before) = before {
            return Ok((training, before));
        }
        if self.exam.questions.questions.is_empty() {
            return Ok((training, Vec::new()));
        }
        // A fresh adapter has no effect yet, so this evaluates the base model; a loaded one is evaluated as it was saved.
        let sampler = training.save_weights_and_get_sampling_client().await?;
        let before = self.evaluate(&sampler, "before").await?;
        Ok((training, before))
    }

    fn trainer(&self, connection: &Connection, record: &Record) -> Trainer {
        let plan = &self.plan;
        let mut settings = Settings::new(plan.steps, plan.learning_rate);
        settings.eval_every = plan.eval_every;
        settings.save_every = plan.save_every;
        settings.life = self.args.run.life(connection);
        settings.name.clone_from(&self.args.name);
        settings.budget = self.budget;
        let mut trainer = Trainer::new(settings);
        trainer.evaluate = plan.eval_every.map(|_| self.evaluation());
        trainer.stop = self.interrupt.flag();
        trainer.refusals = connection.refusals();
        // Kept over continuations in this process; a later process counts on from the last row.
        trainer.started = record.metrics.is_empty().then(Instant::now);
        trainer
    }

    /// The evaluation on the way. It measures nothing once the user has requested a stop.
    fn evaluation(&self) -> Evaluate {
        let (exam, interrupt) = (Arc::clone(&self.exam), self.interrupt.clone());
        Arc::new(move |snapshot: Snapshot| {
            let (exam, interrupt) = (Arc::clone(&exam), interrupt.clone());
            async move {
                let asked = &exam.questions;
                let answers = Answers::new(&exam.renderer);
                let mut quiet = |_| ();
                let given = tokio::select! {
                    given = answers.sample(&snapshot.sampler, &asked.requests, &mut quiet) => given?,
                    () = interrupt.requested() => return Ok(BTreeMap::new()),
                };
                exam.show(&given);
                let score = Score::of(&asked.questions, &given);
                let line = format!("step {}: {}", snapshot.step, score.describe());
                exam.printer.print_labelled("", &line);
                Ok(BTreeMap::from([("exact_match".to_owned(), score.rate)]))
            }
            .boxed()
        })
    }

    /// Samples answers to the held-out questions, and prints the score.
    async fn evaluate(
        &self,
        sampler: &SamplingClient,
        label: &'static str,
    ) -> anyhow::Result<Vec<String>> {
        let asked = &self.exam.questions;
        if asked.questions.is_empty() {
            return Ok(Vec::new());
        }
        let printer = self.context.printer;
        let mut progress = Progress::start(printer, label, asked.requests.len());
        let mut update = |done| progress.update(done, "");
        let answers = Answers::new(&self.exam.renderer);
        let given = tokio::select! {
            given = answers.sample(sampler, &asked.requests, &mut update) => given?,
            () = self.interrupt.requested() => return Err(Interrupted.into()),
        };
        drop(progress);
        self.exam.show(&given);
        let score = Score::of(&asked.questions, &given);
        printer.print_labelled(label, &score.describe());
        Ok(given)
    }

    /// Adds the result to the record, with the evaluation of a complete run. The run counts as interrupted if the user
    /// interrupted its evaluation.
    async fn end(
        &self,
        connection: &Connection,
        ended: Ended,
        folder: &RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<Status> {
        let program = &self.context.program;
        record.checkpoint = ended
            .checkpoint
            .map(|path| path.to_string())
            .unwrap_or_default();
        let (EndReason::Finished | EndReason::NoImprovement, Some(sampler)) =
            (ended.reason, ended.sampler)
        else {
            let status = Status::from(ended.reason);
            let is_over = status == Status::OutOfBudget;
            if is_over {
                self.context
                    .printer
                    .print_note(&out_of_budget(ended.steps, self.plan.steps));
            }
            record
                .next
                .push(suggest::resume(program, folder, is_over.then_some("MORE")));
            return Ok(status);
        };
        let trained = record.pace.describe_whole(record.metrics.len());
        self.context.printer.print_labelled("trained", &trained);
        let sampler = sampler.to_string();
        record.sampler = Some(sampler.clone());
        let first = self.source.split.train.rows().next();
        let first = first.and_then(|row| row.ok()?.question());
        let questions = match &self.exam.questions.questions[..] {
            [] => first.as_slice(),
            held_out => held_out,
        };
        let next = suggest::sample(program, self.args, &sampler, questions, folder)?;
        record.next.push(next);
        let evaluated = match connection.service.create_sampling_client(&*sampler).await {
            Ok(sampler) => self.evaluate(&sampler, "after").await,
            Err(error) => Err(error.into()),
        };
        let stopped = evaluated
            .as_ref()
            .is_err_and(anyhow::Error::is::<Interrupted>);
        if !stopped {
            record.after = evaluated.with_context(|| {
                let checkpoint = &record.checkpoint;
                format!("the training is done and saved as {checkpoint}, but its evaluation failed")
            })?;
        }
        Ok(if stopped {
            Status::Interrupted
        } else {
            Status::Finished
        })
    }
}

/// The note on a run that is out of budget.
pub(super) fn out_of_budget(done: usize, steps: usize) -> String {
    format!("the budget is used up after step {done} of {steps}; the run is saved")
}
