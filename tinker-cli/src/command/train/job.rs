//! One training run, from the first evaluation to the summary.

use anyhow::Context as _;
use tinker_client::{LoraConfig, SamplingClient, TrainingClient};
use tinker_data::{EncodedQuestions, Renderer, Sequences};
use tinker_types::CheckpointPath;
use tokio::time::Instant;

use super::evaluate::{Score, answers};
use super::plan::{DEFAULT_RANK, Plan};
use super::record::Record;
use super::recovery::{self, Recoveries, Recovery};
use super::run_folder::RunFolder;
use super::source::Source;
use super::steps::{Start, Steps, checkpoint_name};
use super::watch::Watch;
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
    pub(crate) renderer: Renderer,
    pub(crate) encoded: Sequences,
    pub(crate) questions: EncodedQuestions,
    pub(crate) interrupt: Interrupt,
}

impl Job<'_> {
    /// Evaluates, trains, saves, evaluates again, and prints the result.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        loaded: Option<TrainingClient>,
        mut folder: RunFolder,
    ) -> anyhow::Result<()> {
        let (mut training, before) = match Box::pin(self.start(connection, loaded)).await {
            Ok(started) => started,
            Err(error) => {
                folder.discard();
                self.context.printer.print_line("nothing was trained");
                return Err(error);
            }
        };
        let resume = self.plan.resume.as_ref();
        let mut record = Record {
            before,
            done: self.plan.first_step,
            saved: resume.map(|path| (self.plan.first_step, path.to_string())),
            ..Record::default()
        };
        let mut recoveries = Recoveries::default();
        let started = Instant::now();
        while let Err(error) =
            Box::pin(self.train(connection, &training, started, &mut folder, &mut record)).await
        {
            training = self
                .recover(error, &mut recoveries, connection, &mut folder, &mut record)
                .await?;
        }
        if record.metrics.is_empty() && self.interrupt.is_requested() {
            folder.discard();
            self.context.printer.print_line("nothing was trained");
            return Err(Interrupted.into());
        }
        let interrupted = if record.done < self.plan.steps {
            true
        } else {
            Box::pin(self.finish(connection, &mut record)).await?
        };
        let outcome = record.outcome(
            &self.plan,
            self.source,
            &self.questions.questions,
            &folder,
            interrupted,
        );
        outcome.write(&folder)?;
        self.context.report.print(&outcome)?;
        if interrupted {
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
    ) -> anyhow::Result<(TrainingClient, Vec<String>)> {
        let training = match (loaded, self.plan.rank) {
            (Some(loaded), _) => loaded,
            (None, rank) => {
                let lora = LoraConfig::new(rank.unwrap_or(DEFAULT_RANK)).with_seed(self.plan.seed);
                connection
                    .service
                    .create_lora_training_client(&self.plan.model, lora)
                    .await?
            }
        };
        if self.questions.questions.is_empty() {
            return Ok((training, Vec::new()));
        }
        // A fresh adapter has no effect yet, so this evaluates the base model; a loaded one is evaluated as it was saved.
        let sampler = training.save_weights_and_get_sampling_client().await?;
        let before = self.evaluate(&sampler, "before").await?;
        Ok((training, before))
    }

    /// Samples answers to the held-out questions, and prints the score.
    async fn evaluate(
        &self,
        sampler: &SamplingClient,
        label: &'static str,
    ) -> anyhow::Result<Vec<String>> {
        if self.questions.questions.is_empty() {
            return Ok(Vec::new());
        }
        let printer = self.context.printer;
        let given = answers(
            sampler,
            &self.renderer,
            &self.questions.requests,
            printer,
            label,
            &self.interrupt,
        )
        .await?;
        let score = Score::of(&self.questions.questions, &given);
        printer.print_labelled(label, &score.describe());
        Ok(given)
    }

    /// Runs the steps that are not done, fewer than planned after an interrupt, and saves the result.
    async fn train(
        &self,
        connection: &Connection,
        training: &TrainingClient,
        started: Instant,
        folder: &mut RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<()> {
        let plan = &self.plan;
        let mut done = record.done;
        let mut watch = Watch::new(connection, self.context.printer);
        let mut steps = Steps::new(
            training,
            &self.encoded,
            plan,
            Start {
                step: done,
                time: started,
            },
            self.interrupt.clone(),
        );
        let mut progress = Progress::start(self.context.printer, "train", plan.steps);
        let mut message = String::new();
        while let Some((mut step, extras)) = steps
            .next(|waits_for| progress.update(done, format!("{message}  {waits_for}").trim_start()))
            .await?
        {
            watch.check(record)?;
            record.pace.add(&step);
            (message, done) = (record.pace.describe(plan.steps - step.number), step.number);
            progress.update(done, &message);
            if let Some(error) = extras.unsaved {
                let error: &dyn std::error::Error = &error;
                tracing::info!(error, "a checkpoint could not be saved");
                let note = format!("the checkpoint after step {done} could not be saved: {error}");
                self.context.printer.print_note(&note);
            }
            if let Some(path) = &step.checkpoint {
                self.context.printer.print_labelled("saved", path);
                record.saved = Some((done, path.clone()));
            }
            if let Some(score) = self.score(extras.sampler).await? {
                let line = format!("step {}: {}", step.number, score.describe());
                self.context.printer.print_labelled("", &line);
                step.exact_match = Some(score.rate);
            }
            folder.append(&step)?;
            record.metrics.push(step);
            record.done = done;
        }
        drop(progress);
        if record.metrics.is_empty() && self.interrupt.is_requested() {
            return Ok(());
        }
        if record.done < plan.steps {
            self.stop(training, record).await?;
        } else {
            self.save(training, folder, record).await?;
        }
        Ok(watch.check(record)?)
    }

    /// Continues a run that the server lost from its last checkpoint. Other errors are returned.
    async fn recover(
        &self,
        error: anyhow::Error,
        recoveries: &mut Recoveries,
        connection: &mut Connection,
        folder: &mut RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<TrainingClient> {
        let Some(Recovery { step, path }) = recoveries.after(&error, record) else {
            let is_unsaved = record.saved.is_none() && recovery::is_lost(&error);
            let advice =
                "the server lost the run, and no checkpoint was saved; --save-every N saves some";
            return Err(if is_unsaved {
                error.context(advice)
            } else {
                error
            });
        };
        if self.interrupt.is_requested() || !connection.renew()? {
            return Err(error);
        }
        let note = format!("the server lost the run ({error:#}); continuing from {path}");
        self.context.printer.print_note(&note);
        record.go_back(step - self.plan.first_step);
        record.done = step;
        folder.rewrite(&record.metrics)?;
        let path: CheckpointPath = path.parse().context("cannot continue the run")?;
        let loaded = connection
            .service
            .create_training_client_from_state_with_optimizer(&path);
        loaded.await.context("cannot continue the run")
    }

    /// Evaluates during training, unless the user has requested a stop.
    async fn score(&self, sampler: Option<SamplingClient>) -> anyhow::Result<Option<Score>> {
        let Some(sampler) = sampler else {
            return Ok(None);
        };
        let quiet = Printer {
            quiet: true,
            ..self.context.printer
        };
        let answers = answers(
            &sampler,
            &self.renderer,
            &self.questions.requests,
            quiet,
            "",
            &self.interrupt,
        );
        match answers.await {
            Ok(given) => Ok(Some(Score::of(&self.questions.questions, &given))),
            Err(error) if error.is::<Interrupted>() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves the result of a complete run, before anything else can fail.
    async fn save(
        &self,
        training: &TrainingClient,
        folder: &RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<()> {
        let printer = self.context.printer;
        printer.print_labelled("trained", &record.pace.describe_whole(record.metrics.len()));
        let name = self.args.name.as_str();
        let (state, weights) = (
            training.save_state(name),
            training.save_weights_for_sampler(name),
        );
        record.checkpoint = state
            .await
            .context("cannot save the checkpoint")?
            .path
            .to_string();
        let sampler_path = weights.await.context("cannot save the sampling weights")?;
        let program = &self.context.program;
        let first = self.source.split.train.rows().next();
        let first = first.and_then(|row| row.ok()?.question());
        let questions = match &self.questions.questions[..] {
            [] => first.as_slice(),
            held_out => held_out,
        };
        let sampler = sampler_path.to_string();
        record.sampler = Some(sampler.clone());
        let next = suggest::sample(program, self.args, &sampler, questions, folder)?;
        record.next.push(next);
        Ok(())
    }

    /// Evaluates the saved result of a complete run. True if the user interrupted the evaluation.
    async fn finish(&self, connection: &Connection, record: &mut Record) -> anyhow::Result<bool> {
        let sampler_path = record.sampler.as_deref().unwrap_or_default();
        let evaluated = match connection
            .service
            .create_sampling_client(sampler_path)
            .await
        {
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
        Ok(stopped)
    }

    /// Saves the result of an interrupted run.
    async fn stop(&self, training: &TrainingClient, record: &mut Record) -> anyhow::Result<()> {
        record.checkpoint = match &record.saved {
            Some((step, path)) if *step == record.done => path.clone(),
            _ => training
                .save_state(checkpoint_name(record.done))
                .await
                .context("cannot save the checkpoint of the interrupted run")?
                .path
                .to_string(),
        };
        let program = &self.context.program;
        let next = suggest::resume(
            program,
            self.args,
            &self.plan,
            &record.checkpoint,
            record.done,
        );
        record.next.push(next);
        Ok(())
    }
}
