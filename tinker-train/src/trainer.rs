//! The loop of all recipes: steps are submitted before the results of earlier ones arrive, so that the server never waits.

mod ahead;
mod ending;

use std::collections::VecDeque;
use std::fmt;

use tinker_client::{CheckpointClient, Pending, SaveOptions, TrainingClient};
use tokio::time::Instant;

use crate::budget::TokenCounts;
use crate::ended::Ended;
use crate::error::{Diverged, TrainError};
use crate::event::TrainEvent;
use crate::flight::{Flight, Landed};
use crate::hook::{Evaluate, Refusals, Snapshot};
use crate::recipe::{Position, Recipe};
use crate::row::StepRow;
use crate::run::folder::RunFolder;
use crate::run::journal::Entry;
use crate::settings::{Settings, checkpoint_name};
use crate::stop::StopFlag;
use crate::verdict::Verdict;
use ahead::{Ahead, FirstBatch, during};

/// The training loop: settings and hooks.
#[derive(Clone)]
#[non_exhaustive]
pub struct Trainer {
    /// Settings.
    pub settings: Settings,
    /// Evaluation every [`Settings::eval_every`] steps.
    pub evaluate: Option<Evaluate>,
    /// Stops the run.
    pub stop: StopFlag,
    /// Detects a restart of the server.
    pub refusals: Option<Refusals>,
    /// Removes checkpoints that are not kept.
    pub checkpoints: Option<CheckpointClient>,
    /// Start of the seconds in the rows. Default: the call of [`Trainer::run`].
    pub started: Option<Instant>,
}

/// One call of [`Trainer::run`].
struct Loop<'a> {
    trainer: &'a Trainer,
    training: &'a TrainingClient,
    recipe: &'a dyn Recipe,
    folder: &'a mut RunFolder,
    report: &'a mut (dyn FnMut(TrainEvent) + Send),
    in_flight: VecDeque<Flight>,
    /// Number of the next step, from 0.
    next: usize,
    started: Instant,
    /// Seconds before the start.
    seconds: f64,
    verdict: Verdict,
    /// Tokens of the steps done.
    counts: TokenCounts,
    /// Seconds of the steps done.
    elapsed: f64,
    /// The next batch, for a recipe that samples.
    ahead: Option<Ahead<'a>>,
    refusals: u64,
}

impl Trainer {
    /// A loop without hooks.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            evaluate: None,
            stop: StopFlag::default(),
            refusals: None,
            checkpoints: None,
            started: None,
        }
    }

    /// Runs the steps that the folder does not have yet, and saves the result. `training` holds the weights after
    /// [`RunFolder::done`] steps. `report` receives the events, between steps.
    ///
    /// # Errors
    /// A failed step, evaluation or last save, a loss that is not finite, settings that cannot work, or a run folder that
    /// cannot be written. A failed checkpoint on the way is a note. After an error, [`RunFolder::rewind`] and a client
    /// from its checkpoint continue the run.
    pub async fn run(
        &self,
        training: &TrainingClient,
        recipe: &dyn Recipe,
        folder: &mut RunFolder,
        report: &mut (dyn FnMut(TrainEvent) + Send),
    ) -> Result<Ended, TrainError> {
        self.settings.check()?;
        let (mut verdict, rows) = (Verdict::default(), folder.rows()?);
        let mut counts = TokenCounts::default();
        for row in &rows {
            counts += TokenCounts::of(row);
            // Its notes were reported before.
            let _reported = verdict.add(row, &self.settings);
        }
        let step = folder.done();
        let model = training.model_id().to_string();
        folder.note(Entry::Model { step, model })?;
        let mut steps = Loop {
            trainer: self,
            training,
            recipe,
            next: step,
            folder,
            report,
            in_flight: VecDeque::new(),
            started: self.started.unwrap_or_else(Instant::now),
            seconds: match self.started {
                Some(_) => 0.0,
                None => rows.last().map_or(0.0, |row| row.seconds),
            },
            verdict,
            counts,
            elapsed: rows.last().map_or(0.0, |row| row.seconds),
            ahead: None,
            refusals: self.refusals.as_ref().map_or(0, |refusals| refusals()),
        };
        if recipe.samples() && step < self.settings.steps {
            let newest = training.save_weights_and_get_sampling_client();
            let position = (step * self.settings.accumulate, step);
            steps.ahead = Some(Ahead::after(recipe, position, newest));
        }
        loop {
            match Box::pin(steps.next()).await {
                Ok(Some(landed)) => steps.finish(landed).await?,
                Ok(None) => break,
                Err(error @ (TrainError::Refused(_) | TrainError::Hook { .. })) => {
                    // The weights are sound, only the next batch could not be made. With steps in flight they are newer than
                    // the rows.
                    if steps.in_flight.is_empty()
                        && let Ok(Some(path)) = steps.stop(steps.folder.done()).await
                    {
                        let step = steps.folder.done();
                        (steps.report)(TrainEvent::Saved { step, path });
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        steps.end().await
    }
}

impl Loop<'_> {
    fn stops(&self) -> bool {
        self.trainer.stop.is_requested() || self.verdict.stops || self.is_out_of_budget()
    }

    fn is_out_of_budget(&self) -> bool {
        let budget = self.trainer.settings.budget.as_ref();
        budget.is_some_and(|budget| budget.is_used_up(&self.counts, self.elapsed))
    }

    /// Waits for the next finished step. `None` when all steps are done, or those in flight at a stop.
    async fn next(&mut self) -> Result<Option<Landed>, TrainError> {
        let settings = &self.trainer.settings;
        let most = if self.recipe.samples() {
            1
        } else {
            settings.in_flight
        };
        while self.in_flight.len() < most && self.next < settings.steps && !self.stops() {
            let first = match self.ahead.take() {
                None => None,
                Some(ahead) => match self.first_batch(ahead).await? {
                    None => break,
                    first => first,
                },
            };
            self.submit(first).await?;
        }
        let Some(flight) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        let report = &mut *self.report;
        let mut waiting = |step, what| report(TrainEvent::Waiting { step, what });
        let mut landed = Box::pin(during(&mut self.ahead, flight.land(&mut waiting))).await?;
        landed.row.seconds = self.seconds + self.started.elapsed().as_secs_f64();
        Ok(Some(landed))
    }

    /// The first batch of the next step with its sampler. `None` if a stop is requested meanwhile.
    async fn first_batch(&mut self, ahead: Ahead<'_>) -> Result<Option<FirstBatch>, TrainError> {
        let (report, step) = (&mut *self.report, self.next + 1);
        let mut waiting = |what| report(TrainEvent::Waiting { step, what });
        tokio::select! {
            biased;
            made = ahead.take(&mut waiting) => made.map(Some),
            () = self.trainer.stop.requested() => Ok(None),
        }
    }

    async fn submit(&mut self, first: Option<FirstBatch>) -> Result<(), TrainError> {
        let (settings, training) = (&self.trainer.settings, self.training);
        let step = self.next;
        let done = step + 1;
        self.folder.note(Entry::Submitted { step: done })?;
        let mut flight = Flight::new(StepRow::new(done));
        flight.row.learning_rate = settings.schedule.rate(step, settings.steps);
        let (sampler, mut first) = first.unzip();
        for at in 0..settings.accumulate {
            let mut batch = if let Some(first) = first.take() {
                first
            } else {
                let position = Position {
                    batch: step * settings.accumulate + at,
                    step,
                    sampler: sampler.as_ref(),
                };
                self.recipe.batch(position).await?
            };
            for note in batch.notes.drain(..) {
                (self.report)(TrainEvent::Note(note));
            }
            if let Some(sample) = batch.sample.take() {
                (self.report)(TrainEvent::Sampled { step: done, sample });
            }
            flight.add(training, batch);
        }
        if !flight.passes.is_empty() {
            let mut adam = settings.adam;
            adam.learning_rate = flight.row.learning_rate;
            flight.update = Some(training.optim_step(adam));
        }
        if done < settings.steps {
            let position = (done * settings.accumulate, done);
            self.ahead = match sampler {
                // Before checkpoints, as samples wait for it.
                Some(_) if flight.update.is_some() => {
                    let newest = training.save_weights_and_get_sampling_client();
                    Some(Ahead::after(self.recipe, position, newest))
                }
                // The weights are still those of this sampler.
                Some(sampler) => Some(Ahead::with(self.recipe, position, sampler)),
                None => None,
            };
        }
        // The last step is always evaluated and saved, by the caller and at the end.
        let is_due = |every: Option<usize>| {
            every.is_some_and(|every| done.is_multiple_of(every)) && done < settings.steps
        };
        let evaluated = is_due(settings.eval_every) && self.trainer.evaluate.is_some();
        flight.snapshot = evaluated.then(|| training.save_weights_and_get_sampling_client());
        if is_due(settings.save_every) || evaluated && settings.best.is_some() {
            flight.saved = Some(self.save(done)?);
        }
        self.next = done;
        self.in_flight.push_back(flight);
        Ok(())
    }

    fn save(&mut self, done: usize) -> Result<Pending<tinker_client::SavedWeights>, TrainError> {
        let name = checkpoint_name(done);
        self.folder.note(Entry::Saving {
            step: done,
            name: name.clone(),
        })?;
        let mut options = SaveOptions::new(name);
        options.ttl = self.trainer.settings.life;
        Ok(self.training.save_state(options))
    }

    /// Records a finished step.
    async fn finish(&mut self, landed: Landed) -> Result<(), TrainError> {
        self.check_server()?;
        let mut row = landed.row;
        let step = row.number;
        if let Some(loss) = row.loss.filter(|loss| !loss.is_finite()) {
            let saved = self.folder.saved().map(|saved| saved.path.to_string());
            return Err(Diverged { step, loss, saved }.into());
        }
        let saved = match landed.saved {
            None => None,
            Some(Ok(saved)) => Some(saved.path),
            Some(Err(error)) => {
                let shown: &dyn std::error::Error = &error;
                tracing::info!(error = shown, "a checkpoint could not be saved");
                (self.report)(TrainEvent::Note(format!(
                    "the checkpoint after step {step} could not be saved: {error}"
                )));
                None
            }
        };
        row.checkpoint = saved.as_ref().map(ToString::to_string);
        if let (Some(sampler), Some(evaluate)) = (landed.snapshot, &self.trainer.evaluate) {
            let evaluation = evaluate(Snapshot { step, sampler });
            let metrics = during(&mut self.ahead, evaluation).await;
            let failed = |source| TrainError::Hook {
                what: format!("the evaluation after step {step} failed"),
                source,
            };
            let metrics = metrics.map_err(failed)?.into_iter();
            row.metrics
                .extend(metrics.filter(|(_, value)| value.is_finite()));
        }
        self.folder.add_row(&row)?;
        self.counts += TokenCounts::of(&row);
        self.elapsed = row.seconds;
        if let Some(path) = saved {
            self.folder.add_saved(step, path.clone())?;
            (self.report)(TrainEvent::Saved { step, path });
        }
        if let Some(note) = self.verdict.add(&row, &self.trainer.settings) {
            (self.report)(TrainEvent::Note(note));
        }
        let has_saved = row.checkpoint.is_some();
        (self.report)(TrainEvent::Step(row));
        if has_saved {
            self.prune().await?;
        }
        Ok(())
    }

    /// An error if connections were refused and there is a checkpoint to go back to; without one, a note.
    fn check_server(&mut self) -> Result<(), TrainError> {
        let refusals = self.trainer.refusals.as_ref();
        let refusals = refusals.map_or(0, |refusals| refusals());
        if refusals == self.refusals {
            return Ok(());
        }
        self.refusals = refusals;
        if self.folder.saved().is_some() {
            return Err(TrainError::Restarted);
        }
        let note = "the server refused connections in between; if it has restarted, steps may be missing, as no checkpoint \
                    was saved to go back to (--save-every N saves some)";
        (self.report)(TrainEvent::Note(note.to_owned()));
        Ok(())
    }

    /// Removes checkpoints that are not kept. The newer ones are recorded.
    async fn prune(&mut self) -> Result<(), TrainError> {
        let settings = &self.trainer.settings;
        let (Some(keep), Some(client)) = (settings.keep, &self.trainer.checkpoints) else {
            return Ok(());
        };
        let begun = self.folder.begun();
        let best = self.verdict.best.map(|(_, step)| step);
        let own = self.folder.checkpoints().iter();
        let own: Vec<_> = own.filter(|saved| saved.step > begun).cloned().collect();
        let old = own.len().saturating_sub(keep);
        for saved in own.into_iter().take(old) {
            if best == Some(saved.step) {
                continue;
            }
            let path = saved.path.clone();
            self.folder.note(Entry::Pruned { path })?;
            let deleted = during(&mut self.ahead, client.delete(&saved.path)).await;
            if let Err(error) = deleted {
                let note = format!(
                    "the old checkpoint {} could not be removed: {error}",
                    saved.path
                );
                (self.report)(TrainEvent::Note(note));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
