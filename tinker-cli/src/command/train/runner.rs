//! The steps of a run on a connection: progress on stderr, and continuation after a loss of the server.

use tinker_client::{ServiceClient, TrainingClient};
use tinker_train::{
    Ended, Recipe, Recoveries, RunFolder, SavedStep, TrainError, TrainEvent, Trainer,
};
use tinker_types::{CheckpointKind, CheckpointPath};

use super::record::Record;
use super::view::{LastSample, View};
use crate::connect::Connection;
use crate::context::Context;
use crate::progress::Progress;

/// A recipe, and the loop that runs it.
pub(super) struct Runner<'a> {
    pub(super) context: &'a Context,
    pub(super) recipe: &'a dyn Recipe,
    pub(super) trainer: Trainer,
    /// The last sample, for the live view.
    pub(super) sample: LastSample,
    /// The checkpoint that the run starts from, if only its weights are taken.
    pub(super) weights_only: Option<CheckpointPath>,
}

impl Runner<'_> {
    /// Runs the steps that are not done, and saves the result. A run that the server lost continues from its last
    /// checkpoint.
    pub(super) async fn run(
        &mut self,
        connection: &mut Connection,
        mut training: TrainingClient,
        folder: &mut RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<Ended> {
        let mut recoveries = Recoveries::default();
        loop {
            self.trainer.checkpoints = Some(connection.service.checkpoints());
            let error = match Box::pin(self.steps(&training, folder, record)).await {
                Ok(ended) => return Ok(ended),
                Err(error) => error,
            };
            training = self
                .recover(error, &mut recoveries, connection, folder, record)
                .await?;
        }
    }

    async fn steps(
        &self,
        training: &TrainingClient,
        folder: &mut RunFolder,
        record: &mut Record,
    ) -> Result<Ended, TrainError> {
        let (printer, steps) = (self.context.printer, self.trainer.settings.steps);
        let mut progress = Progress::start(printer, "train", steps);
        let (mut message, mut done) = (String::new(), folder.done());
        let mut view = View::new(printer.style, &record.metrics, self.sample.clone());
        let mut report = |event| match event {
            TrainEvent::Waiting { what, .. } => {
                if progress.is_live() {
                    view.wait(what);
                    progress.update(done, &format!("{message}{}", view.shown()));
                } else {
                    progress.update(done, format!("{message}  {what}").trim_start());
                }
            }
            TrainEvent::Sampled { sample, .. } => {
                let reward = format!("reward {:.2}", sample.reward);
                self.sample.set(&sample.prompt, &sample.answer, &reward);
            }
            TrainEvent::Step(row) => {
                record.pace.add(&row);
                done = row.number;
                message = record.pace.describe(steps - done);
                if progress.is_live() {
                    view.add(&row);
                    progress.update(done, &format!("{message}{}", view.shown()));
                } else {
                    progress.update(done, &message);
                }
                record.metrics.push(row);
            }
            TrainEvent::Saved { path, .. } => printer.print_labelled("saved", &path.to_string()),
            TrainEvent::Note(note) => printer.print_note(&note),
            _ => {}
        };
        self.trainer
            .run(training, self.recipe, folder, &mut report)
            .await
    }

    /// Continues a run that the server lost from its last checkpoint; if it is lost again while the checkpoint is loaded, another
    /// time. Other errors are returned.
    async fn recover(
        &self,
        mut error: TrainError,
        recoveries: &mut Recoveries,
        connection: &mut Connection,
        folder: &mut RunFolder,
        record: &mut Record,
    ) -> anyhow::Result<TrainingClient> {
        loop {
            if folder.saved().is_none() && error.is_lost() {
                let advice = "the server lost the run, and no checkpoint was saved; --save-every N saves some";
                return Err(anyhow::Error::from(error).context(advice));
            }
            let allowed = recoveries.allows(&error, folder.done());
            if !allowed || self.trainer.stop.is_requested() || !connection.renew()? {
                return Err(error.into());
            }
            let Some(SavedStep { step, path, .. }) = folder.rewind()? else {
                return Err(error.into());
            };
            let lost = anyhow::Error::from(error);
            let note = format!("the server lost the run ({lost:#}); continuing from {path}");
            self.context.printer.print_note(&note);
            record.go_back(step);
            let weights_only = self.weights_only.as_ref() == Some(&path);
            match load(&connection.service, &path, weights_only).await {
                Ok(training) => return Ok(training),
                Err(source) => {
                    let what = "cannot continue the run".to_owned();
                    error = TrainError::Client { what, source };
                }
            }
        }
    }
}

/// Loads a checkpoint to train on, whole or its weights. Uploaded weights come without the state of an optimizer.
pub(super) async fn load(
    service: &ServiceClient,
    path: &CheckpointPath,
    weights_only: bool,
) -> Result<TrainingClient, tinker_client::Error> {
    if weights_only || path.kind() == CheckpointKind::External {
        service.create_training_client_from_state(path).await
    } else {
        service
            .create_training_client_from_state_with_optimizer(path)
            .await
    }
}
