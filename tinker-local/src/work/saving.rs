//! Saving weights.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tinker_types::{
    CheckpointKind, CheckpointPath, ModelId, RequestId, SamplerSaveKind, SamplingSessionId,
    SaveWeights, SaveWeightsExternal, SaveWeightsForSampler, SavedExternal, SavedForSampler,
    SavedWeights,
};

use super::operations::{Operations, Run};
use super::submission::Submission;
use crate::refusal::Refusal;
use crate::state::{Payload, Sampler, Weights};
use crate::store::{NewCheckpoint, Record, check_name};
use crate::usage::Kind;

/// Longest lifetime of a checkpoint: ten years.
const MOST_LIFETIME: u64 = 10 * 366 * 24 * 3600;

impl Operations {
    /// Queues saving a checkpoint to train on from.
    pub(crate) fn save_weights(
        self: &Arc<Self>,
        submission: Submission<'_>,
        request: SaveWeights,
    ) -> Result<RequestId, Refusal> {
        self.submit(submission, || {
            self.check_notes(submission.bytes)?;
            let kind = CheckpointKind::Training;
            let mut checkpoint =
                self.new_checkpoint(&request.model_id, kind, &request.path, request.ttl_seconds)?;
            checkpoint.overwrite = request.overwrite;
            checkpoint.user_metadata = request.user_metadata.unwrap_or_default();
            Ok(save(checkpoint))
        })
    }

    /// Queues saving weights to sample from: as a checkpoint if the request names one, else as a sampler.
    pub(crate) fn save_weights_for_sampler(
        self: &Arc<Self>,
        submission: Submission<'_>,
        request: SaveWeightsForSampler,
    ) -> Result<RequestId, Refusal> {
        self.submit(submission, || {
            self.check_notes(submission.bytes)?;
            let model = &request.model_id;
            match (&request.path, request.sampling_session_seq_id) {
                (Some(name), _) => {
                    let kind = CheckpointKind::Sampler;
                    let mut checkpoint =
                        self.new_checkpoint(model, kind, name, request.ttl_seconds)?;
                    checkpoint.user_metadata = request.user_metadata.unwrap_or_default();
                    Ok(save(checkpoint))
                }
                (None, Some(number)) => {
                    let id = self.new_sampler_id(model, number)?;
                    Ok(sampler(id, request.kind == SamplerSaveKind::Inflight))
                }
                (None, None) => Err(Refusal::invalid(
                    "path: give a name, or sampling_session_seq_id for a sampler without one",
                )),
            }
        })
    }

    /// Queues saving weights as files for other programs.
    pub(crate) fn save_weights_external(
        self: &Arc<Self>,
        submission: Submission<'_>,
        request: &SaveWeightsExternal,
    ) -> Result<RequestId, Refusal> {
        self.submit(submission, || {
            self.check_notes(submission.bytes)?;
            if request.age_encryption_recipients.is_some() {
                return Err(Refusal::invalid(
                    "age_encryption_recipients: is not offered here, files of a local engine are written as they are; \
                     leave it out and encrypt them after the download, for example with `age -r RECIPIENT FILE`",
                ));
            }
            let kind = CheckpointKind::External;
            let checkpoint =
                self.new_checkpoint(&request.model_id, kind, &request.path, request.ttl_seconds)?;
            Ok(save(checkpoint))
        })
    }

    /// Refuses a request whose notes are too large to be kept.
    pub(crate) fn check_notes(&self, have: usize) -> Result<(), Refusal> {
        let most = self.limits.note_bytes;
        if have > most {
            let detail = format!(
                "the body has {have} bytes, {most} is the most for requests with notes; shorten user_metadata"
            );
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok(())
    }

    fn new_checkpoint(
        &self,
        model: &ModelId,
        kind: CheckpointKind,
        name: &str,
        ttl_seconds: Option<u64>,
    ) -> Result<NewCheckpoint, Refusal> {
        check_name(name)?;
        let path = CheckpointPath::try_new(model.clone(), kind, name)?;
        let lifetime = lifetime(ttl_seconds)?;
        let info = self.info_of(model)?;
        let owner = self.tenant_of(&model.session())?.owner();
        Ok(NewCheckpoint {
            path,
            base_model: info.name.clone(),
            base_folder: info.folder.clone(),
            base_fingerprint: info.fingerprint.clone(),
            overwrite: false,
            lifetime,
            user_metadata: BTreeMap::new(),
            uploaded: false,
            owner,
        })
    }

    /// The id of the sampler that an unnamed save makes.
    fn new_sampler_id(&self, model: &ModelId, number: u64) -> Result<SamplingSessionId, Refusal> {
        let mut registry = self.registry();
        let session = registry
            .model_at_work(model)
            .map(|model| model.session.clone());
        let id = SamplingSessionId::of_session(&session.unwrap_or_else(|| "".into()), number);
        if registry.has_sampler(&id) {
            return Err(Refusal::invalid(format!(
                "sampling_session_seq_id: {number} is taken in this session; use a new number"
            )));
        }
        Ok(id)
    }
}

/// Checks a lifetime in seconds.
pub(crate) fn lifetime(ttl_seconds: Option<u64>) -> Result<Option<Duration>, Refusal> {
    if let Some(seconds) = ttl_seconds.filter(|seconds| !(1..=MOST_LIFETIME).contains(seconds)) {
        return Err(Refusal::invalid(format!(
            "ttl_seconds: is {seconds}; give 1 to {MOST_LIFETIME}, or leave it out"
        )));
    }
    Ok(ttl_seconds.map(Duration::from_secs))
}

/// Writes a checkpoint. The model is free as soon as the weights are copied: training goes on while the disk works.
fn save(checkpoint: NewCheckpoint) -> Run {
    Box::new(move |context| {
        let archive = context.operations.archive.clone();
        let usage = Arc::clone(&context.operations.usage);
        let origin = context.operations.catalog().origin(&context.model);
        context.run(move |backend, adapter, lock, promise| {
            let state = match backend.export(adapter, checkpoint.with_optimizer()) {
                Ok(state) => state,
                Err(failed) => return promise.fail(failed),
            };
            let waiting = archive.add_backlog(state.bytes());
            let (until_saved, until_here) = if archive.is_behind() {
                (Some(lock), None)
            } else {
                (None, Some(lock))
            };
            // Handed over before the model is free, so that a load queued behind it finds the checkpoint.
            archive.run(move |store| {
                let _lock = until_saved;
                let outcome = store.save(&checkpoint, &state);
                drop((state, waiting));
                match outcome {
                    Ok(path) => {
                        if let Some(origin) = &origin {
                            store.try_keep_origin(origin);
                        }
                        usage.add(&path.run().session(), Kind::Checkpoint, 1);
                        let size = store.find(&path).ok().map(Record::size);
                        promise.settle(Ok(saved(path, size)));
                    }
                    Err(failed) => promise.fail(failed),
                }
            });
            drop(until_here);
        });
    })
}

fn saved(path: CheckpointPath, size: Option<u64>) -> Payload {
    match path.kind() {
        CheckpointKind::Training => Payload::json(&SavedWeights::new(path)),
        CheckpointKind::Sampler => Payload::json(&SavedForSampler::at(path)),
        // No other kind is saved.
        CheckpointKind::External | CheckpointKind::Other => {
            Payload::json(&SavedExternal::new(path, size))
        }
    }
}

/// Makes a sampler of the current weights. With `follow` it shares them with the model's other samplers of this kind,
/// all of which sample from the newest.
fn sampler(id: SamplingSessionId, follow: bool) -> Run {
    Box::new(move |context| {
        let (model, base) = (context.model.clone(), context.base);
        let shelf = Arc::clone(&context.operations.shelf);
        context.run(move |backend, adapter, lock, promise| {
            let weights = match backend.snapshot(adapter) {
                Ok(snapshot) => Some(shelf.keep(snapshot)),
                Err(failed) => return promise.fail(failed),
            };
            lock.with_operations(|operations| {
                let mut registry = operations.registry();
                // The session may have ended meanwhile; then no client is left to sample.
                let Some(of) = registry.model_at_work(&model) else {
                    return;
                };
                let session = of.session.clone();
                let weights = if follow {
                    Weights::following(&mut of.inflight, weights)
                } else {
                    Weights::Fixed(weights)
                };
                let sampler = Sampler::new(session, base, weights, None);
                registry.add_sampler(id.clone(), sampler, operations.limits.samplers);
                drop(registry);
                operations.catalog().add_sampler(id.clone());
            });
            promise.settle(Ok(Payload::json(&SavedForSampler::sampler(id))));
        });
    })
}
