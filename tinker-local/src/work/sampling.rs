//! Samplers and samples.

use std::sync::Arc;

use tinker_engine::backend::BackendError;
use tinker_types::wire::stream::StreamTokens;
use tinker_types::{
    CreateSamplingSession, RequestId, RequestType, SampleRequest, SamplingSessionId,
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::Span;

use super::loading::adapter_path;
use super::message::Sampling;
use super::operations::Operations;
use super::reply::Reply;
use super::watch::Watch;
use crate::audit::Entry;
use crate::refusal::Refusal;
use crate::state::{Sampler, Weights};
use crate::{clock, convert};

impl Operations {
    /// Makes a sampler of a base model or a checkpoint.
    pub(crate) async fn create_sampler(
        &self,
        request: CreateSamplingSession,
    ) -> Result<SamplingSessionId, Refusal> {
        let session = request.session_id;
        self.touch(&session)?;
        let id = SamplingSessionId::of_session(&session, request.sampling_session_seq_id);
        if self.registry().has_sampler(&id) {
            return Ok(id);
        }
        let asked = request.base_model.as_deref();
        let asked = asked.map(|name| self.base(name)).transpose()?;
        let (base, weights, path) = match (&request.model_path, asked) {
            (Some(path), _) => {
                let path = adapter_path("model_path", path)?;
                let (_, base) = self.loadable(&path, asked, &session).await?;
                let from = path.clone();
                let state = self.archive.ask(move |store| store.load(&from, false));
                let (_, state) = state.await?;
                let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
                self.audit.note(entry.for_purpose("sampling"));
                let shelf = Arc::clone(&self.shelf);
                let restored = self.worker(base).ask(move |backend| {
                    let weights = backend.restore(&state)?;
                    Ok::<_, BackendError>(shelf.keep(weights))
                });
                (base, Some(restored.await??), Some(path))
            }
            (None, Some(base)) => (base, None, None),
            (None, None) => {
                return Err(Refusal::invalid(
                    "base_model: is missing; give it or model_path",
                ));
            }
        };
        let sampler = Sampler::new(session.clone(), base, Weights::Fixed(weights), path);
        let mut registry = self.registry();
        // The session may have ended while the checkpoint was read.
        registry
            .touch(&session, clock::now())
            .map_err(|absent| Refusal::absent("session", session.as_str(), absent))?;
        registry.add_sampler(id.clone(), sampler, self.limits.samplers);
        drop(registry);
        self.catalog().add_sampler(id.clone());
        Ok(id)
    }

    /// A sampler for a request.
    pub(crate) fn sampler(&self, id: &SamplingSessionId) -> Result<Sampler, Refusal> {
        let sampler = self.registry().sampler(id, clock::now());
        sampler.map_err(|absent| Refusal::absent("sampler", id.as_str(), absent))
    }

    /// Queues a sample. `bytes` is the size of the request; `watch` gets the tokens as they are drawn. Returns the
    /// promise and whether it is new.
    pub(crate) fn sample(
        &self,
        request: &SampleRequest,
        bytes: usize,
        watch: Option<UnboundedSender<StreamTokens>>,
    ) -> Result<(RequestId, bool), Refusal> {
        let sampler = &request.sampling_session_id;
        let found = self.sampler(sampler)?;
        // The id follows from the sampler and the number, so that a repeated submission gets the same promise.
        let id = RequestId::of_sampler(sampler, request.seq_id);
        let (job, report) = convert::sample_job(request, self.info(found.base), &self.limits)?;
        let accepted = self
            .promises
            .accept(id.clone(), RequestType::Sample, bytes, false)?;
        let is_new = accepted.is_some();
        if let Some(promise) = accepted {
            let reply = Reply {
                report,
                usage: Arc::clone(&self.usage),
                session: found.session,
                prompt: job.prompt.len(),
                promise,
                watch: watch.map(|pieces| Watch::new(pieces, job.num_samples)),
                span: Span::current(),
            };
            self.worker(found.base).sample(Sampling {
                job,
                weights: found.weights,
                reply,
            });
        }
        Ok((id, is_new))
    }
}
