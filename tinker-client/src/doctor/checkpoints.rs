//! Checkpoints: save, load, list, expiry, copy, archive, delete.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::{Datum, Loss};

use super::adapter::difference;
use super::finding::{Finding, told};
use super::subject::{Subject, feature};
use crate::rest::copy_options::CopyOptions;

/// Name of the saved checkpoints.
pub(super) const NAME: &str = "doctor";
/// Time until a forgotten checkpoint expires: the shortest that the hosted service takes.
const TTL: Duration = Duration::from_hours(1);
/// Largest difference of a log probability after loading.
const ROUNDING: f32 = 0.05;

pub(super) fn save(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(training) = subject.training.clone() else {
            return Finding::skipped("needs adapter");
        };
        match training.save_state(NAME).await {
            Ok(saved) => {
                let found = saved.path.id();
                subject.state = Some(saved.path);
                Finding::passed(found, "a run can be saved and continued")
            }
            Err(error) => {
                Finding::limited(told(&error), "a run cannot be saved, and so not continued")
                    .with_advice("finish runs in one go")
            }
        }
    }
    .boxed()
}

pub(super) fn load(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let (Some(path), Some(after)) = (subject.state.clone(), subject.after.clone()) else {
            return Finding::skipped("needs save and forward");
        };
        let loaded = subject
            .service
            .create_training_client_from_state_with_optimizer(&path)
            .await;
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                return Finding::limited(
                    told(&error),
                    "a run cannot be continued in another process",
                )
                .with_advice("finish runs in one go; the server may limit the number of adapters");
            }
        };
        let (prompt, completion) = subject.tokens.split_at(subject.tokens.len() / 2);
        let data = vec![Datum::supervised(prompt, completion)];
        match loaded.forward(data, Loss::cross_entropy()).await {
            Ok(output) => {
                let moved = difference(output.logprobs(0).unwrap_or_default(), &after);
                if moved <= ROUNDING {
                    Finding::passed(
                        "same log probabilities after loading",
                        "runs can be continued",
                    )
                } else {
                    let found =
                        format!("log probabilities differ by up to {moved:.3} after loading");
                    Finding::failed(found, "a continued run does not continue the same weights")
                        .with_advice("do not resume on this server; report it")
                }
            }
            Err(error) => Finding::limited(told(&error), "a loaded run cannot be evaluated"),
        }
    }
    .boxed()
}

pub(super) fn list(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(path) = subject.state.clone() else {
            return Finding::skipped("needs save");
        };
        match subject.service.checkpoints().list_by_run(path.run()).await {
            // Some servers leave the kind out of the id.
            Ok(listed)
                if listed
                    .iter()
                    .any(|found| found.tinker_path.id() == path.id()) =>
            {
                Finding::passed(
                    format!("{} of the run", listed.len()),
                    "checkpoints are listed",
                )
            }
            Ok(listed) => Finding::limited(
                format!("{} of the run, without the saved one", listed.len()),
                "the list of checkpoints is not complete",
            )
            .with_advice("keep the paths that saves return"),
            Err(error) => Finding::limited(told(&error), "checkpoints cannot be listed")
                .with_advice("keep the paths that saves return"),
        }
    }
    .boxed()
}

pub(super) fn expiry(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(path) = subject.state.clone() else {
            return Finding::skipped("needs save");
        };
        let set = subject
            .service
            .checkpoints()
            .set_ttl(&path, Some(TTL))
            .await;
        feature(
            &set,
            "checkpoints can expire by themselves",
            "checkpoints stay until they are deleted",
        )
    }
    .boxed()
}

pub(super) fn copy(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(path) = subject.state.clone() else {
            return Finding::skipped("needs save");
        };
        let config = subject.service.state().config();
        let project = config.project_id.clone();
        if project.is_none() && config.is_official() {
            return Finding::skipped("needs a project: TINKER_PROJECT_ID");
        }
        let options = CopyOptions::new(path)
            .with_project_id(project.unwrap_or_else(|| NAME.to_owned()))
            .with_ttl(TTL);
        let copied = subject.service.checkpoints().copy(options).await;
        let finding = feature(
            &copied,
            "checkpoints can be copied",
            "checkpoints cannot be copied",
        );
        subject.copy = copied.ok();
        finding
    }
    .boxed()
}

pub(super) fn archive(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(path) = subject
            .sampler_path
            .clone()
            .or_else(|| subject.state.clone())
        else {
            return Finding::skipped("needs save");
        };
        let url = subject.service.checkpoints().archive_url(&path).await;
        feature(
            &url,
            "weights can be downloaded",
            "weights cannot be downloaded as an archive",
        )
    }
    .boxed()
}

pub(super) fn delete(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let saved = [
            subject.copy.take(),
            subject.state.take(),
            subject.sampler_path.take(),
        ];
        let mut refused = None;
        let mut deleted = 0;
        for path in saved.into_iter().flatten() {
            match subject.service.checkpoints().delete(&path).await {
                Ok(()) => deleted += 1,
                Err(error) => refused = Some(format!("{path} stays: {}", told(&error))),
            }
        }
        match refused {
            Some(why) => Finding::limited(why, "checkpoints cannot be deleted")
                .with_advice("remove the checkpoints of this examination on the server"),
            None if deleted == 0 => Finding::skipped("nothing was saved"),
            None => Finding::passed(
                format!("{deleted} checkpoints"),
                "nothing of this examination stays",
            ),
        }
    }
    .boxed()
}
