//! What a client has once the server has told it how to behave.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::StatusCode;
use tinker_transport::{
    Billing, Call, Class, Credential, Exchange, Replay, Transport, TransportBuilder,
    TransportConfig,
};
use tinker_types::{
    ClientConfig, ClientConfigRequest, DynamicConfig, DynamicConfigRequest, Endpoint, SendTelemetry,
};

use crate::api::Api;
use crate::budget::Budget;
use crate::cancel::CancelQueue;
use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::flags::Flags;
use crate::format::Format;
use crate::identity::PROTOCOL_VERSION;
use crate::telemetry::Telemetry;

const DYNAMIC_TIMEOUT: Duration = Duration::from_secs(10);
const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The default stack, and one built from it that carries the credential as it is.
    Stack {
        builder: Box<TransportBuilder>,
        raw: Transport,
    },
    /// A transport that is the caller's business altogether.
    Finished(Transport),
}

/// The server's flags, and what is set up by them.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) api: Api,
    pub(crate) flags: Arc<Flags>,
    /// Bytes of large results being fetched.
    pub(crate) answers: Budget,
    /// Bytes of training passes being encoded and sent.
    pub(crate) passes: Budget,
    pub(crate) format: Format,
    /// The server is known to tell no tokens while they are drawn.
    pub(crate) streams_nothing: AtomicBool,
    pub(crate) cancels: CancelQueue,
    pub(crate) unreachable_after: Duration,
    /// What requests carry; `None` where the transport is the caller's business.
    pub(crate) credential: Option<Arc<dyn Credential>>,
}

impl Link {
    /// Asks the server for its flags, with the credential as it is, then sets up what they ask for.
    pub(crate) async fn open(
        config: &Config,
        source: &Source,
        telemetry: Option<&Telemetry>,
    ) -> Result<Self, Error> {
        let first = match source {
            Source::Stack { raw, .. } => raw,
            Source::Finished(transport) => transport,
        };
        let fixed = fixed_flags(&Api::new(first.clone(), config.answer_limit)).await?;
        let (transport, credential) = transport(config, source, &fixed)?;
        let api = Api::new(transport, config.answer_limit);
        if let Some(telemetry) = telemetry {
            let api = api.clone();
            telemetry.start(move |batch| send_telemetry(api.clone(), batch));
        }
        let api = api.with_telemetry(telemetry.cloned());
        let flags = Flags::new(fixed, dynamic_flags(&api).await?);
        Ok(Self {
            answers: Budget::new(flags.fixed().inflight_response_bytes_semaphore_size),
            passes: Budget::new(flags.fixed().fwdbwd_dispatch_bytes_semaphore_size),
            format: Format::default(),
            streams_nothing: AtomicBool::new(false),
            cancels: CancelQueue::start(api.clone(), Arc::clone(&flags)),
            unreachable_after: config.unreachable_after,
            credential,
            api,
            flags,
        })
    }
}

/// Flags for the life of a client. A server without them works with the usual ones.
async fn fixed_flags(api: &Api) -> Result<ClientConfig, Error> {
    let call = Call::new(ClientConfigRequest::NAME, Class::Session)
        .with_replay(Replay::Safe)
        .with_billing(Billing::Raise);
    match api
        .call(&ClientConfigRequest::new(PROTOCOL_VERSION), call)
        .await
    {
        Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => {
            tracing::info!(
                "the server has no client/config; its limits are taken for the usual ones"
            );
            Ok(ClientConfig::default())
        }
        result => result,
    }
}

/// Flags that may change; `None` from a server without them.
pub(crate) async fn dynamic_flags(api: &Api) -> Result<Option<DynamicConfig>, Error> {
    let call = Call::new(DynamicConfigRequest::NAME, Class::Session)
        .with_replay(Replay::Safe)
        .with_timeout(DYNAMIC_TIMEOUT);
    match api
        .call(&DynamicConfigRequest::new(PROTOCOL_VERSION), call)
        .await
    {
        Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => Ok(None),
        result => result.map(Some),
    }
}

/// The class is never repeated: a report is not worth it.
async fn send_telemetry(api: Api, batch: SendTelemetry) {
    let call = Call::new(SendTelemetry::NAME, Class::Telemetry).with_timeout(TELEMETRY_TIMEOUT);
    if let Err(error) = api.call_void(&batch, call).await {
        tracing::debug!(%error, events = batch.events.len(), "telemetry was not delivered");
    }
}

/// The transport for everything after the first call, and the credential it carries.
fn transport(
    config: &Config,
    source: &Source,
    flags: &ClientConfig,
) -> Result<(Transport, Option<Arc<dyn Credential>>), Error> {
    let (builder, raw) = match source {
        Source::Stack { builder, raw } => (TransportBuilder::clone(builder), raw),
        Source::Finished(transport) => return Ok((transport.clone(), None)),
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
        let what = "the server wants a credential to exchange for a token; set TINKER_API_KEY";
        let credential = config.credential()?.ok_or_else(|| ConfigError::new(what))?;
        (credential, raw.clone())
    };
    let exchange: Arc<dyn Credential> =
        Arc::new(Exchange::new(raw).with_fingerprint_of(&*credential));
    let transport = with_credential(builder, Arc::clone(&exchange)).build()?;
    Ok((transport, Some(exchange)))
}

pub(crate) fn with_credential(
    builder: TransportBuilder,
    credential: Arc<dyn Credential>,
) -> TransportBuilder {
    builder.configure(|mut stack| {
        stack.credential = Some(credential);
        stack
    })
}

/// A limit other than the server's usual one is meant: it holds instead of ours.
fn with_server_limits(mut stack: TransportConfig, flags: &ClientConfig) -> TransportConfig {
    let usual = ClientConfig::default();
    let pause = flags.billing_exception_max_pause_duration_sec;
    if pause != usual.billing_exception_max_pause_duration_sec {
        stack.pause_limit = Duration::from_secs(pause);
    }
    let mut set = |class, bytes: u64, usual: u64| {
        if bytes != usual {
            stack.limits.get_mut(class).bytes = Some(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    };
    set(
        Class::Sample,
        flags.sample_dispatch_bytes_semaphore_size,
        usual.sample_dispatch_bytes_semaphore_size,
    );
    set(
        Class::Train,
        flags.fwdbwd_dispatch_bytes_semaphore_size,
        usual.fwdbwd_dispatch_bytes_semaphore_size,
    );
    stack
}
