//! Sessions with their models, samplers and losses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tinker_types::{LossId, ModelId, SamplingSessionId, SessionId};

use super::model::Model;
use super::recent::Recent;
use super::sampler::Sampler;
use crate::graph::CustomLoss;

/// Most removed ids that are remembered, so that errors can distinguish them from unknown ids.
const REMEMBERED: usize = 4096;

/// Sessions, models, samplers and losses. `T` is a queued operation of a model.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    /// Time of the last sign of life of each session.
    sessions: HashMap<SessionId, Instant>,
    ended: Recent<SessionId>,
    models: HashMap<ModelId, Model<T>>,
    unloaded: Recent<ModelId>,
    samplers: HashMap<SamplingSessionId, (u64, Sampler)>,
    forgotten: Recent<SamplingSessionId>,
    losses: HashMap<LossId, (usize, Arc<CustomLoss>)>,
    uses: u64,
}

/// Why an id was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It never existed, or existed in another process.
    Unknown,
    /// Its session has ended.
    Ended,
    /// It was removed to make room.
    Forgotten,
    /// It was unloaded on request.
    Unloaded,
}

impl<T> Registry<T> {
    pub(crate) fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            ended: Recent::new(REMEMBERED),
            models: HashMap::new(),
            unloaded: Recent::new(REMEMBERED),
            samplers: HashMap::new(),
            forgotten: Recent::new(REMEMBERED),
            losses: HashMap::new(),
            uses: 0,
        }
    }

    pub(crate) fn open(&mut self, session: SessionId, now: Instant) {
        self.sessions.insert(session, now);
    }

    /// Records a sign of life.
    pub(crate) fn touch(&mut self, session: &SessionId, now: Instant) -> Result<(), Absent> {
        match self.sessions.get_mut(session) {
            Some(seen) => *seen = now,
            None if self.ended.contains(session) => return Err(Absent::Ended),
            None => return Err(Absent::Unknown),
        }
        Ok(())
    }

    /// Ends a session. Its samplers are removed at once, its models if they are idle, else with their last operation.
    /// Returns the removed models.
    pub(crate) fn end(&mut self, session: &SessionId) -> Vec<Model<T>> {
        self.sessions.remove(session);
        self.ended.insert(session.clone());
        self.samplers
            .retain(|_, (_, sampler)| sampler.session != *session);
        self.losses.retain(|id, _| id.session() != *session);
        let mut idle = Vec::new();
        for (id, model) in self
            .models
            .iter_mut()
            .filter(|(_, model)| model.session == *session)
        {
            model.is_ending = true;
            if !model.sequence.is_busy() {
                idle.push(id.clone());
            }
        }
        idle.iter()
            .filter_map(|id| self.models.remove(id))
            .collect()
    }

    /// Sessions that were silent for longer than `timeout` and have no running operations.
    pub(crate) fn silent(&self, now: Instant, timeout: Duration) -> Vec<SessionId> {
        let is_silent = |seen: &Instant| now.saturating_duration_since(*seen) > timeout;
        let silent = self
            .sessions
            .iter()
            .filter(|(_, seen)| is_silent(seen))
            .map(|(id, _)| id);
        silent
            .filter(|id| {
                !self
                    .models
                    .values()
                    .any(|model| model.session == **id && model.sequence.is_busy())
            })
            .cloned()
            .collect()
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Number of models in training. Models whose session has ended are not counted: the queue bounds them.
    pub(crate) fn model_count(&self) -> usize {
        let models = self.models.values();
        models.filter(|model| !model.is_ending).count()
    }

    pub(crate) fn add_model(&mut self, id: ModelId, model: Model<T>) {
        self.models.insert(id, model);
    }

    /// A model in any state of its session, for running work.
    pub(crate) fn model_at_work(&mut self, id: &ModelId) -> Option<&mut Model<T>> {
        self.models.get_mut(id)
    }

    /// A model for a request, which is a sign of life.
    pub(crate) fn model(&mut self, id: &ModelId, now: Instant) -> Result<&mut Model<T>, Absent> {
        if self.unloaded.contains(id) {
            return Err(Absent::Unloaded);
        }
        let session = match self.models.get(id) {
            Some(model) => model.session.clone(),
            None => return Err(self.absence(&id.session())),
        };
        self.touch(&session, now)?;
        self.models.get_mut(id).ok_or(Absent::Unknown)
    }

    pub(crate) fn remove_model(&mut self, id: &ModelId) -> Option<Model<T>> {
        self.models.remove(id)
    }

    /// Unloads a model: now if it is idle, which returns it, else with its last operation.
    pub(crate) fn unload(&mut self, id: &ModelId) -> Option<Model<T>> {
        let model = self.models.get_mut(id)?;
        model.is_ending = true;
        let is_idle = !model.sequence.is_busy();
        self.unloaded.insert(id.clone());
        if is_idle {
            self.models.remove(id)
        } else {
            None
        }
    }

    /// Numbers a new copy of a sampler, from 1.
    pub(crate) fn join(&mut self, id: &SamplingSessionId, now: Instant) -> Result<u64, Absent> {
        self.sampler(id, now)?;
        let (_, sampler) = self.samplers.get_mut(id).ok_or(Absent::Unknown)?;
        sampler.copies += 1;
        Ok(sampler.copies)
    }

    pub(crate) fn has_sampler(&self, id: &SamplingSessionId) -> bool {
        self.samplers.contains_key(id) || self.forgotten.contains(id)
    }

    /// Adds a sampler. If there are more than `most`, the least recently used one is removed.
    pub(crate) fn add_sampler(&mut self, id: SamplingSessionId, sampler: Sampler, most: usize) {
        self.uses += 1;
        self.samplers.insert(id, (self.uses, sampler));
        if self.samplers.len() > most
            && let Some(oldest) = self
                .samplers
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(id, _)| id.clone())
        {
            self.samplers.remove(&oldest);
            self.forgotten.insert(oldest);
        }
    }

    /// A sampler for a request, which is a use and a sign of life.
    pub(crate) fn sampler(
        &mut self,
        id: &SamplingSessionId,
        now: Instant,
    ) -> Result<Sampler, Absent> {
        self.uses += 1;
        let sampler = match self.samplers.get_mut(id) {
            Some((used, sampler)) => {
                *used = self.uses;
                sampler.clone()
            }
            None if self.forgotten.contains(id) => return Err(Absent::Forgotten),
            None => return Err(self.absence(&id.session())),
        };
        self.touch(&sampler.session, now)?;
        Ok(sampler)
    }

    /// An uploaded loss.
    pub(crate) fn loss(&self, id: &LossId) -> Option<Arc<CustomLoss>> {
        self.losses.get(id).map(|(_, loss)| Arc::clone(loss))
    }

    /// Number of losses of the session of `id`, and bytes of the losses of all sessions.
    pub(crate) fn count_losses(&self, id: &LossId) -> (usize, usize) {
        let session = id.session();
        let own = |id: &&LossId| id.session() == session;
        let bytes = self.losses.values().map(|(bytes, _)| bytes).sum();
        (self.losses.keys().filter(own).count(), bytes)
    }

    /// Adds an uploaded loss. `bytes` is the size of its request.
    pub(crate) fn add_loss(&mut self, id: LossId, bytes: usize, loss: Arc<CustomLoss>) {
        self.losses.insert(id, (bytes, loss));
    }

    fn absence(&self, session: &SessionId) -> Absent {
        if self.ended.contains(session) {
            Absent::Ended
        } else {
            Absent::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::state::BaseId;
    use crate::state::Weights;
    use tinker_engine::backend::{AdapterId, AdapterSpec};

    fn model(session: &str) -> Model<()> {
        let spec = AdapterSpec {
            rank: 1,
            seed: 0,
            attention: true,
            mlp: true,
            unembed: true,
        };
        Model::new(session.into(), BaseId(0), spec)
    }

    fn sampler(session: &str) -> Sampler {
        let weights = Weights::Fixed(None);
        Sampler::new(session.into(), BaseId(0), weights, None)
    }

    #[test]
    fn an_ended_session_takes_its_models_with_it_once_they_are_idle() {
        let now = clock::now();
        let mut registry = Registry::new();
        registry.open("s".into(), now);
        registry.add_model("s:train:0".into(), model("s"));
        let mut idle = model("s");
        idle.adapter = Some(AdapterId(7));
        idle.sequence.finish();
        registry.add_model("s:train:1".into(), idle);
        let gone: Vec<_> = registry
            .end(&"s".into())
            .into_iter()
            .map(|model| model.adapter)
            .collect();
        assert_eq!(gone, [Some(AdapterId(7))]);
        assert_eq!(
            registry.model(&"s:train:1".into(), now).unwrap_err(),
            Absent::Ended
        );
        assert_eq!(
            registry.model(&"s:train:0".into(), now).unwrap_err(),
            Absent::Ended
        );
        assert!(
            registry
                .model_at_work(&"s:train:0".into())
                .unwrap()
                .is_ending
        );
        assert_eq!(
            registry.model(&"t:train:0".into(), now).unwrap_err(),
            Absent::Unknown
        );
        assert_eq!(registry.touch(&"s".into(), now), Err(Absent::Ended));
    }

    #[test]
    fn silence_ends_a_session_unless_something_runs() {
        let now = clock::now();
        let later = now + Duration::from_secs(100);
        let mut registry = Registry::new();
        for session in ["busy", "silent", "alive"] {
            registry.open(session.into(), now);
        }
        registry.add_model("busy:train:0".into(), model("busy"));
        registry.touch(&"alive".into(), later).unwrap();
        assert_eq!(
            registry.silent(later, Duration::from_mins(1)),
            ["silent".into()]
        );
    }

    #[test]
    fn the_sampler_that_rested_longest_is_let_go() {
        let now = clock::now();
        let mut registry = Registry::<()>::new();
        registry.open("s".into(), now);
        registry.add_sampler("s:sample:0".into(), sampler("s"), 2);
        registry.add_sampler("s:sample:1".into(), sampler("s"), 2);
        registry.sampler(&"s:sample:0".into(), now).unwrap();
        registry.add_sampler("s:sample:2".into(), sampler("s"), 2);
        assert_eq!(
            registry.sampler(&"s:sample:1".into(), now).unwrap_err(),
            Absent::Forgotten
        );
        assert!(registry.sampler(&"s:sample:0".into(), now).is_ok());
    }
}
