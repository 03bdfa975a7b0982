//! The end of a run: the last checkpoint.

use tinker_client::CheckpointPath;

use super::Loop;
use crate::ended::{EndReason, Ended};
use crate::error::TrainError;
use crate::run::journal::Entry;

impl Loop<'_> {
    /// Saves the result.
    pub(super) async fn end(mut self) -> Result<Ended, TrainError> {
        // Its samples are not needed.
        self.ahead = None;
        let settings = &self.trainer.settings;
        let done = self.folder.done();
        let stopped = if done >= settings.steps {
            None
        } else if self.trainer.stop.is_requested() {
            Some(EndReason::Stopped)
        } else {
            self.is_out_of_budget().then_some(EndReason::OutOfBudget)
        };
        let best = self.verdict.best.and_then(|(_, step)| {
            let saved = self.folder.checkpoints().iter();
            let mut saved = saved.filter(|saved| saved.step == step);
            saved.next().map(|saved| (step, saved.path.clone()))
        });
        let mut ended = Ended {
            reason: stopped.unwrap_or(EndReason::Finished),
            steps: done,
            checkpoint: None,
            sampler: None,
            best,
        };
        if stopped.is_some() {
            ended.checkpoint = self.stop(done).await?;
            self.check_server()?;
            return Ok(ended);
        }
        let name = settings.name.as_str();
        self.folder.note(Entry::Saving {
            step: done,
            name: name.to_owned(),
        })?;
        let (state, weights) = (
            self.training.save_state(name),
            self.training.save_weights_for_sampler(name),
        );
        let failed = |error| TrainError::client("cannot save the checkpoint", error);
        let checkpoint = state.await.map_err(failed)?.path;
        let failed = |error| TrainError::client("cannot save the sampling weights", error);
        let sampler = weights.await.map_err(failed)?;
        self.check_server()?;
        self.folder.add_saved(done, checkpoint.clone())?;
        self.folder.note(Entry::Finished {
            step: done,
            checkpoint: checkpoint.clone(),
            sampler: sampler.clone(),
        })?;
        if done < settings.steps {
            ended.reason = EndReason::NoImprovement;
        }
        (ended.checkpoint, ended.sampler) = (Some(checkpoint), Some(sampler));
        Ok(ended)
    }

    /// Saves the result of a stopped run, unless it has no steps or is saved already.
    pub(super) async fn stop(&mut self, done: usize) -> Result<Option<CheckpointPath>, TrainError> {
        if done == self.folder.begun() {
            return Ok(None);
        }
        if let Some(saved) = self.folder.saved().filter(|saved| saved.step == done) {
            return Ok(Some(saved.path.clone()));
        }
        let failed =
            |error| TrainError::client("cannot save the checkpoint of the interrupted run", error);
        let path = self.save(done)?.await.map_err(failed)?.path;
        self.folder.add_saved(done, path.clone())?;
        Ok(Some(path))
    }
}
