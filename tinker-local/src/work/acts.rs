//! What each operation does when its turn comes.

use std::sync::Arc;

use tinker_types::proto::encode_output;
use tinker_types::{
    CheckpointKind, CheckpointPath, ModelId, OptimStepOutput, SamplingSessionId, SavedExternal,
    SavedForSampler, SavedWeights, WeightsLoaded,
};

use super::Lane;
use super::operation::{Act, Begin};
use crate::audit::Entry;
use crate::backend::{AdamStep, AdapterId, AdapterState, Backend, BackendError, SampleWeights};
use crate::convert::Pass;
use crate::note::session_of;
use crate::state::{Failure, Payload, Sampler, Weights};
use crate::store::{NewCheckpoint, Record, StoreError};
use crate::usage::Kind;

/// A training pass.
pub(crate) fn train(pass: Pass) -> Act {
    Box::new(
        move |Begin {
                  shared,
                  model,
                  base,
                  adapter,
                  turn,
                  fulfil,
              }| {
            let usage = Arc::clone(&shared.usage);
            shared.worker(base).run(Lane::Turns, move |backend| {
                // Bound here, so that a panic drops it and the model counts as broken.
                let _turn = turn;
                fulfil.mark_running();
                let tokens = pass.tokens();
                let output = pass.run(backend, adapter);
                if output.is_ok() {
                    usage.add(&session_of(model.as_str()), Kind::Training, tokens);
                }
                fulfil.settle(
                    output
                        .map(|output| Payload::Output(encode_output(&output)))
                        .map_err(Failure::from),
                );
            });
        },
    )
}

/// An optimizer step.
pub(crate) fn step(constants: AdamStep) -> Act {
    Box::new(
        move |Begin {
                  shared,
                  base,
                  adapter,
                  turn,
                  fulfil,
                  ..
              }| {
            shared.worker(base).run(Lane::Turns, move |backend| {
                let _turn = turn;
                fulfil.mark_running();
                let output = backend.step(adapter, &constants).map(|metrics| {
                    let mut output = OptimStepOutput::default();
                    // JSON has no NaN: a metric that is none can't be told.
                    output.metrics = Some(
                        metrics
                            .into_iter()
                            .filter(|(_, value)| value.is_finite())
                            .collect(),
                    );
                    Payload::json(&output)
                });
                fulfil.settle(output.map_err(Failure::from));
            });
        },
    )
}

/// Writes a checkpoint, to train on from or to sample from. The turn ends when the weights are copied: training goes
/// on while the disk works.
pub(crate) fn save(checkpoint: NewCheckpoint) -> Act {
    Box::new(
        move |Begin {
                  shared,
                  model,
                  base,
                  adapter,
                  turn,
                  fulfil,
              }| {
            let archive = shared.archive.clone();
            let usage = Arc::clone(&shared.usage);
            let origin = shared.catalog().origin(&model);
            shared.worker(base).run(Lane::Turns, move |backend| {
                fulfil.mark_running();
                let state = match backend.export(adapter, checkpoint.with_optimizer()) {
                    Ok(state) => state,
                    Err(failed) => return fulfil.fail(failed),
                };
                let waiting = archive.weigh(state.bytes());
                let (until_saved, until_here) = if archive.is_behind() {
                    (Some(turn), None)
                } else {
                    (None, Some(turn))
                };
                // Handed over before the turn ends, so that a load queued behind it finds the checkpoint.
                archive.run(move |store| {
                    let _turn = until_saved;
                    let outcome = store.save(&checkpoint, &state);
                    drop((state, waiting));
                    match outcome {
                        Ok(path) => {
                            if let Some(origin) = &origin {
                                store.try_keep_origin(origin);
                            }
                            usage.add(&session_of(model.as_str()), Kind::Checkpoint, 1);
                            let size = store.find(&path).ok().map(Record::size);
                            fulfil.settle(Ok(saved(path, size)));
                        }
                        Err(failed) => fulfil.fail(failed),
                    }
                });
                drop(until_here);
            });
        },
    )
}

fn saved(path: CheckpointPath, size: Option<u64>) -> Payload {
    match path.kind() {
        CheckpointKind::Training => Payload::json(&SavedWeights::new(path)),
        CheckpointKind::Sampler => Payload::json(&SavedForSampler::at(path)),
        CheckpointKind::External => Payload::json(&SavedExternal::new(path, size)),
    }
}

/// Makes a sampler of the weights as they are now. With `follow` it shares them with the model's other samplers of
/// this kind, all of which sample from the newest.
pub(crate) fn sampler(id: SamplingSessionId, follow: bool) -> Act {
    Box::new(
        move |Begin {
                  shared,
                  model,
                  base,
                  adapter,
                  turn,
                  fulfil,
              }| {
            shared.worker(base).run(Lane::Turns, move |backend| {
                fulfil.mark_running();
                let weights = match backend.freeze(adapter) {
                    Ok(frozen) => SampleWeights::Frozen(frozen),
                    Err(failed) => return fulfil.fail(failed),
                };
                turn.with_shared(|shared| {
                    let mut registry = shared.registry();
                    // The session may have ended meanwhile; then nobody is left to sample.
                    let Some(of) = registry.model_at_work(&model) else {
                        return;
                    };
                    let session = of.session.clone();
                    let weights = if follow {
                        Weights::following(&mut of.inflight, weights)
                    } else {
                        Weights::Fixed(weights)
                    };
                    let sampler = Sampler {
                        session,
                        base,
                        weights,
                        path: None,
                        copies: 0,
                    };
                    registry.add_sampler(id.clone(), sampler, shared.limits.samplers);
                    drop(registry);
                    shared.catalog().add_sampler(id.clone());
                });
                fulfil.settle(Ok(Payload::json(&SavedForSampler::sampler(id))));
            });
        },
    )
}

/// Loads a checkpoint into the model in place of its adapter.
pub(crate) fn load(path: CheckpointPath, with_optimizer: bool) -> Act {
    Box::new(
        move |Begin {
                  shared,
                  model,
                  base,
                  turn,
                  fulfil,
                  ..
              }| {
            let (worker, base_model) =
                (shared.worker(base).clone(), shared.info(base).name.clone());
            shared.archive.run(move |store| {
                fulfil.mark_running();
                let state = match store
                    .load(&path, with_optimizer)
                    .and_then(|(record, state)| {
                        record.check_base_model(&base_model)?;
                        Ok(state)
                    }) {
                    Ok(state) => state,
                    Err(failed) => return fulfil.fail(failed),
                };
                worker.run(Lane::Turns, move |backend| {
                    let outcome =
                        import(backend, &state, &path, &model).map(|(adapter, payload)| {
                            turn.set_adapter(adapter);
                            turn.with_shared(|shared| {
                                if let Some(model) = shared.registry().model_at_work(&model) {
                                    model.spec = state.spec.clone();
                                }
                                let rank = state.spec.rank;
                                shared
                                    .catalog()
                                    .change_run(&model, |run| run.lora_rank = rank);
                                let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
                                shared.audit.note(entry.for_purpose("training"));
                            });
                            payload
                        });
                    fulfil.settle(outcome.map_err(Failure::from));
                });
            });
        },
    )
}

/// Makes an adapter from a checkpoint and says so.
pub(crate) fn import(
    backend: &mut dyn Backend,
    state: &AdapterState,
    path: &CheckpointPath,
    model: &ModelId,
) -> Result<(AdapterId, Payload), BackendError> {
    let adapter = backend.import(state)?;
    Ok((
        adapter,
        Payload::json(&WeightsLoaded::new(path.to_string(), model.clone())),
    ))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_users_fault() {
            Self::user(error.report())
        } else {
            Self::server(error.report())
        }
    }
}
