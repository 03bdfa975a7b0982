//! Running calls, and the clients that make them.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;
use tinker_client::transport::{self, Class};
use tinker_client::{
    Error, ForwardBackwardOutput, LossHandle, SamplerHandle, SamplingClient, SamplingSource,
    ServiceClient, TrainingClient,
};
use tinker_types::{CopyWeights, Endpoint, SamplerSaveKind};

use super::call::{Call, Work};
use super::custom_loss;
use super::notation;
use super::outcome::Outcome;

/// The clients of a replay.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) service: ServiceClient,
    /// Source of the REST and the admin client, which are separate clients in the official SDK.
    pub(crate) apart: ServiceClient,
    pub(crate) models: BTreeMap<String, TrainingClient>,
    pub(crate) samplers: BTreeMap<String, SamplingClient>,
    pub(crate) losses: BTreeMap<String, LossHandle>,
}

/// A running call; it continues without being polled until it is dropped.
pub(crate) type Running = BoxFuture<'static, Outcome>;

/// Starts a call.
pub(crate) async fn start(call: Call, clients: &Clients) -> Result<Running, String> {
    let service = &clients.service;
    Ok(match call {
        Call::Open => sampler(service, SamplingSource::BaseModel("m".to_owned())),
        Call::NewSampler(source) => sampler(service, source),
        Call::CopySampler(id) => {
            let original = clients.samplers.get(&id);
            let original = original.ok_or_else(|| format!("there is no sampler {id}"))?;
            let text = original.handle().await.map_err(|error| error.to_string())?;
            let handle = text.to_string().parse::<SamplerHandle>();
            let copy = handle.map_err(Error::from);
            let copy = copy.and_then(|handle| service.sampling_client_from_handle(handle));
            done(copy.map(Outcome::Sampler))
        }
        Call::NewLoss(loss) => finish(service.create_custom_loss(loss), Outcome::Loss),
        Call::CheckAccess => {
            let result = service.check_access().await;
            done(result.map(|()| Outcome::Nothing))
        }
        Call::NewModel { base, options } => {
            model(service.create_lora_training_client(base, options))
        }
        Call::LoadModel {
            options,
            with_optimizer: false,
        } => model(service.create_training_client_from_state(options)),
        Call::LoadModel {
            options,
            with_optimizer: true,
        } => model(service.create_training_client_from_state_with_optimizer(options)),
        Call::Capabilities => {
            // Calls that are plain futures and finish at once.
            let result = service.server_capabilities().await;
            let value = result.map(|capabilities| Outcome::Value {
                class: "GetServerCapabilitiesResponse",
                value: json!(capabilities),
            });
            done(value)
        }
        Call::Close { reason, detail } => {
            open(service).await?;
            let result = match detail {
                Some(detail) => service.close_with_detail(reason, detail).await,
                None => service.close(reason).await,
            };
            done(result.map(|()| Outcome::Nothing))
        }
        Call::Rest(call) => done(call.make(&clients.apart).await),
        Call::Admin(call) => done(call.make(&clients.apart.account()).await),
        Call::CopyOfService(copy) => {
            let request = copy.request().map_err(|error| error.to_string())?;
            // The checkpoint client names itself in this request; the recording names the service client.
            let call = transport::Call::new(CopyWeights::NAME, Class::Rest)
                .with_caller("ServiceClient.copy_weights");
            let copied = service.call(&request).with_call(call).await;
            done(copied.map(|copied| Outcome::Text(copied.tinker_path.to_string())))
        }
        Call::Train { model, work } => match clients.models.get(&model) {
            Some(client) => train(client, work, clients)?,
            None => return Err(format!("there is no model {model}; was it made?")),
        },
        Call::Sample {
            sampler,
            prompt,
            options,
            logprobs_only,
            ..
        } => {
            let client = clients.samplers.get(&sampler);
            let client = client.ok_or_else(|| format!("there is no sampler {sampler}"))?;
            if logprobs_only && options.prompt_logprobs_last_n.is_none() {
                let pending = client.compute_logprobs(prompt);
                return Ok(finish(pending, |values| {
                    Outcome::Logprobs(notation::logprobs(&values))
                }));
            }
            finish(client.sample(prompt, options), move |response| {
                if logprobs_only {
                    let values = response.prompt_logprobs.unwrap_or_default();
                    return Outcome::Logprobs(notation::logprobs(&values));
                }
                Outcome::Value {
                    class: "SampleResponse",
                    value: notation::sample(&response),
                }
            })
        }
    })
}

/// Opens the session for calls that need one.
async fn open(service: &ServiceClient) -> Result<(), String> {
    let opened = service.create_sampling_client("m").await;
    opened.map(|_| ()).map_err(|error| error.to_string())
}

fn sampler(service: &ServiceClient, source: SamplingSource) -> Running {
    finish(service.create_sampling_client(source), Outcome::Sampler)
}

fn model(pending: tinker_client::Pending<TrainingClient>) -> Running {
    finish(pending, Outcome::Model)
}

fn train(client: &TrainingClient, work: Work, clients: &Clients) -> Result<Running, String> {
    let saved = |path: String, class| Outcome::Value {
        class,
        value: json!({"path": path}),
    };
    Ok(match work {
        Work::PassWith { loss, data } => {
            let handle = clients.losses.get(&loss);
            let handle = handle.ok_or_else(|| format!("there is no loss {loss}"))?;
            finish(client.forward_backward_with(data, handle), |output| {
                passed(&output)
            })
        }
        Work::Pass(pass) => {
            let (forward_only, loss) = (pass.forward_only, pass.loss.clone());
            let data = pass.data();
            let pending = if forward_only {
                client.forward(data, loss)
            } else {
                client.forward_backward(data, loss)
            };
            finish(pending, |output| passed(&output))
        }
        Work::Custom { pass, fails } => {
            let mut data = pass.data();
            // Not made by the caller: they replace weights that were not recorded.
            for datum in &mut data {
                datum.loss_fn_inputs.remove("weights");
            }
            let pending = client.forward_backward_custom(data, move |data, logprobs| {
                custom_loss::compute(data, logprobs, fails)
            });
            finish(pending, |output| passed(&output))
        }
        Work::Optim(params) => finish(client.optim_step(params), |output| Outcome::Value {
            class: "OptimStepResponse",
            value: notation::step(&output),
        }),
        Work::SaveState(options) => finish(client.save_state(options), move |state| {
            saved(state.path.to_string(), "SaveWeightsResponse")
        }),
        Work::SaveForSampler(options) => {
            finish(client.save_weights_for_sampler(options), move |path| {
                saved(path.to_string(), "SaveWeightsForSamplerResponse")
            })
        }
        Work::SaveExternal(options) => {
            finish(client.save_weights_external(options), move |files| {
                saved(files.path.to_string(), "SaveWeightsExternalResponse")
            })
        }
        Work::SaveAndSample(kind) => {
            let pending = match kind {
                SamplerSaveKind::Snapshot => client.save_weights_and_get_sampling_client(),
                SamplerSaveKind::Inflight => client.save_weights_and_get_inflight_sampling_client(),
            };
            finish(pending, Outcome::Sampler)
        }
    })
}

fn passed(output: &ForwardBackwardOutput) -> Outcome {
    Outcome::Value {
        class: "ForwardBackwardOutput",
        value: notation::pass(output),
    }
}

fn finish<T: Send + 'static>(
    pending: tinker_client::Pending<T>,
    outcome: impl FnOnce(T) -> Outcome + Send + 'static,
) -> Running {
    pending
        .map(|result| result.map_or_else(Outcome::Failed, outcome))
        .boxed()
}

fn done(result: Result<Outcome, Error>) -> Running {
    std::future::ready(result.unwrap_or_else(Outcome::Failed)).boxed()
}
