//! The connection to a server: what was negotiated, and what depends on it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tinker_transport::{Billing, Call, Class, Credential, Exchange, Transport, TransportBuilder};
use tinker_types::{
    ClientConfig, ClientConfigRequest, DynamicConfig, DynamicConfigRequest, Endpoint, SendTelemetry,
};

use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::flow::{budget::ByteBudget, limits::with_server_limits};
use crate::session::source::{TransportSource, with_credential};
use crate::session::{cancel::CancelQueue, flags::Flags};
use crate::telemetry::Telemetry;
use crate::wire::api::{Api, found};
use crate::wire::manner::Manner;
use crate::wire::request::{Form, repeatable};

const DYNAMIC_TIMEOUT: Duration = Duration::from_secs(10);
const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// The server's flags, and the transport, budgets and queues set up by them.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) api: Api,
    pub(crate) flags: Arc<Flags>,
    /// Budget for the bytes of large results being fetched.
    pub(crate) answers: ByteBudget,
    /// Budget for the bytes of training passes being encoded and sent.
    pub(crate) passes: ByteBudget,
    /// The encoding in which the server accepts training requests, once it is known. Current servers accept protobuf, so
    /// it is tried first. For a server that refuses it and accepts JSON, JSON is used for the life of the client.
    pub(crate) encoding: OnceLock<Form>,
    /// The server is known not to stream tokens.
    pub(crate) lacks_streaming: AtomicBool,
    pub(crate) cancels: CancelQueue,
    pub(crate) unreachable_after: Duration,
    /// The credential of requests; `None` with a finished transport.
    pub(crate) credential: Option<Arc<dyn Credential>>,
}

impl Connection {
    /// Fetches the flags with the configured credential, then sets up what they ask for.
    pub(crate) async fn open(
        config: &Config,
        source: &TransportSource,
        telemetry: Option<&Telemetry>,
    ) -> Result<Self, Error> {
        let first = match source {
            TransportSource::Stack { raw, .. } => raw,
            TransportSource::Finished(transport) => transport,
        };
        let manner = Manner::of(config)?;
        let first = Api::new(first.clone(), config.answer_limit, manner.clone());
        let fixed = fixed_flags(&first).await?;
        let (transport, credential) = transport(config, source, &fixed)?;
        let api = Api::new(transport, config.answer_limit, manner);
        if let Some(telemetry) = telemetry {
            let api = api.clone();
            telemetry.start(move |batch| send_telemetry(api.clone(), batch));
        }
        let api = api.with_telemetry(telemetry.cloned());
        let flags = Flags::new(fixed, dynamic_flags(&api).await?);
        Ok(Self {
            answers: ByteBudget::new(flags.fixed().inflight_response_bytes_semaphore_size),
            passes: ByteBudget::new(flags.fixed().fwdbwd_dispatch_bytes_semaphore_size),
            encoding: OnceLock::new(),
            lacks_streaming: AtomicBool::new(false),
            cancels: CancelQueue::start(api.clone(), Arc::clone(&flags)),
            unreachable_after: config.unreachable_after,
            credential,
            api,
            flags,
        })
    }
}

/// Fetches the fixed flags. A server without them gets the defaults.
async fn fixed_flags(api: &Api) -> Result<ClientConfig, Error> {
    let call = repeatable::<ClientConfigRequest>(Class::Session).with_billing(Billing::Raise);
    let request = ClientConfigRequest::new(api.manner().sdk_version());
    let flags = found(api.call(&request, call).await)?;
    Ok(flags.unwrap_or_else(|| {
        tracing::info!("the server has no client/config; using default limits");
        ClientConfig::default()
    }))
}

/// Fetches the dynamic flags; `None` from a server without them.
pub(crate) async fn dynamic_flags(api: &Api) -> Result<Option<DynamicConfig>, Error> {
    let call = repeatable::<DynamicConfigRequest>(Class::Session).with_timeout(DYNAMIC_TIMEOUT);
    let request = DynamicConfigRequest::new(api.manner().sdk_version());
    found(api.call(&request, call).await)
}

/// Sends a batch of telemetry once. A failure is logged only.
async fn send_telemetry(api: Api, batch: SendTelemetry) {
    let call = Call::new(SendTelemetry::NAME, Class::Telemetry).with_timeout(TELEMETRY_TIMEOUT);
    if let Err(error) = api.call_void(&batch, call).await {
        tracing::debug!(%error, events = batch.events.len(), "telemetry was not delivered");
    }
}

/// The transport for all calls after the first one, and its credential.
fn transport(
    config: &Config,
    source: &TransportSource,
    flags: &ClientConfig,
) -> Result<(Transport, Option<Arc<dyn Credential>>), Error> {
    let (builder, raw) = match source {
        TransportSource::Stack { builder, raw } => (TransportBuilder::clone(builder), raw),
        TransportSource::Finished(transport) => return Ok((transport.clone(), None)),
    };
    let builder = builder.configure(|stack| with_server_limits(stack, flags));
    if !flags.pjwt_auth_enabled {
        return Ok((builder.build()?, config.credential()?));
    }
    let (credential, raw) = if flags.credential_default_source == "credential_cmd" {
        let credential = config.enforced_credential()?;
        let raw = with_credential(builder.clone(), Arc::clone(&credential)).build()?;
        (credential, raw)
    } else {
        let what = "the server exchanges the credential for a token, but none is configured; set TINKER_API_KEY";
        let credential = config.credential()?.ok_or_else(|| ConfigError::new(what))?;
        (credential, raw.clone())
    };
    let exchange: Arc<dyn Credential> =
        Arc::new(Exchange::new(raw).with_fingerprint_of(&*credential));
    let transport = with_credential(builder, Arc::clone(&exchange)).build()?;
    Ok((transport, Some(exchange)))
}
