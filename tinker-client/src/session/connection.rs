//! The connection to a server: what was negotiated, and what depends on it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::SERVER;
use sha2::{Digest as _, Sha256};
use tinker_transport::policy::Never;
use tinker_transport::{
    Billing, Call, Class, Credential, Exchange, Transport, TransportBuilder, without_user,
};
use tinker_types::wire::header;
use tinker_types::{
    ClientConfig, DynamicConfig, Endpoint, GetClientConfig, GetDynamicConfig, SendTelemetry,
};

use crate::config::Config;
use crate::config::dialect::{ForwardOnly, Wire};
use crate::config::poll_waits::PollWaits;
use crate::error::{ConfigError, Error};
use crate::flow::{budget::ByteBudget, limits::with_server_limits};
use crate::observe::sink::EventSink;
use crate::session::source::{TransportSource, with_credential};
use crate::session::{cancel::CancelQueue, flags::Flags, learned::Learned, memory::Memory};
use crate::wire::api::{Answer, Api, found};
use crate::wire::manner::Manner;
use crate::wire::request::repeatable;

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
    /// Findings about the server.
    pub(crate) learned: Arc<Learned>,
    /// Findings of earlier runs; `None` if none are kept, or if versions of the server cannot be told apart.
    pub(crate) memory: Option<Memory>,
    /// The server in messages.
    pub(crate) name: String,
    /// The configured form of passes.
    pub(crate) wire: Wire,
    /// zstd level of passes, for servers that ask for compression.
    pub(crate) compression_level: i32,
    /// The configured form of passes without gradients.
    pub(crate) forward_only: ForwardOnly,
    /// The server is the hosted service, the local server or a service in this process, and not tested.
    pub(crate) is_trusted: bool,
    /// The server is the local server, by the header `Server`.
    pub(crate) is_local: bool,
    /// The server has reported a loss, or the lack of one was logged.
    pub(crate) has_reported_loss: AtomicBool,
    /// The server is known not to stream tokens.
    pub(crate) lacks_streaming: AtomicBool,
    pub(crate) cancels: CancelQueue,
    pub(crate) unreachable_after: Duration,
    pub(crate) poll_waits: PollWaits,
    /// The credential of requests; `None` with a finished transport.
    pub(crate) credential: Option<Arc<dyn Credential>>,
}

/// Whether requests are repeated after failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// By the policy of their class.
    ByPolicy,
    /// Each is sent once.
    Never,
}

impl Repeats {
    pub(crate) fn call(self, call: Call) -> Call {
        match self {
            Self::ByPolicy => call,
            Self::Never => call.with_policy(Never),
        }
    }
}

impl Connection {
    /// Fetches the flags with the configured credential, then sets up what they ask for.
    pub(crate) async fn open(
        config: &Config,
        source: &TransportSource,
        events: &EventSink,
        repeats: Repeats,
    ) -> Result<Self, Error> {
        let first = match source {
            TransportSource::Stack { raw, .. } => raw,
            TransportSource::Finished(transport) => transport,
        };
        let manner = Manner::of(config)?;
        let first =
            Api::new(first.clone(), config.answer_limit, manner.clone()).with_reach(events.reach());
        let (fixed, is_local, identity) = fixed_flags(&first, repeats).await?;
        let url = source.has_url().then_some(config.base_url.as_str());
        let memory = match (&config.facts_file, url, identity) {
            (Some(path), Some(url), Some(identity)) => {
                Some(Memory::new(path.clone(), &without_user(url), identity))
            }
            _ => None,
        };
        let (transport, credential) = transport(config, source, &fixed)?;
        let api = Api::new(transport, config.answer_limit, manner).with_reach(events.reach());
        let telemetry = events.telemetry();
        if let Some(telemetry) = telemetry {
            let api = api.clone();
            telemetry.start(move |batch| send_telemetry(api.clone(), batch));
        }
        let api = api.with_telemetry(telemetry.cloned());
        let flags = Flags::new(fixed, dynamic_flags(&api, repeats).await?);
        Ok(Self {
            answers: ByteBudget::new(flags.fixed().inflight_response_bytes_semaphore_size),
            passes: ByteBudget::new(flags.fixed().fwdbwd_dispatch_bytes_semaphore_size),
            learned: Learned::of(url),
            memory,
            name: config.shown_base_url(),
            wire: config.dialect.wire,
            compression_level: config.compression_level,
            forward_only: config.dialect.forward_only,
            is_trusted: config.is_official() || source.is_in_process() || is_local,
            is_local,
            has_reported_loss: AtomicBool::new(false),
            lacks_streaming: AtomicBool::new(false),
            cancels: CancelQueue::start(api.clone(), Arc::clone(&flags)),
            unreachable_after: config.unreachable_after,
            poll_waits: config.poll_waits,
            credential,
            api,
            flags,
        })
    }
}

/// Fetches the fixed flags, and finds out whether the server is the local server of this project, and what tells its
/// version: the flags and the name it gives itself. A server without flags gets the defaults, and no version.
async fn fixed_flags(
    api: &Api,
    repeats: Repeats,
) -> Result<(ClientConfig, bool, Option<String>), Error> {
    let call = repeatable::<GetClientConfig>(Class::Session).with_billing(Billing::Raise);
    let call = repeats.call(call);
    let request = GetClientConfig::new(api.manner().sdk_version());
    let request = api.manner().request(&request, call)?;
    let read = |answer: Answer| {
        let server = answer.headers.get(SERVER);
        let name = server.map_or(&b""[..], |server| server.as_bytes());
        let is_local = name.starts_with(header::LOCAL_SERVER.as_bytes());
        let mut digest = Sha256::new_with_prefix(name);
        digest.update(&answer.body);
        let digest = digest.finalize();
        let identity = BASE64_STANDARD.encode(digest);
        Ok((answer.into_message()?, is_local, Some(identity)))
    };
    let flags = found(api.exchange(request, read).await)?;
    Ok(flags.unwrap_or_else(|| {
        tracing::info!("the server has no client/config; using default limits");
        (ClientConfig::default(), false, None)
    }))
}

/// Fetches the dynamic flags; `None` from a server without them.
pub(crate) async fn dynamic_flags(
    api: &Api,
    repeats: Repeats,
) -> Result<Option<DynamicConfig>, Error> {
    let call = repeatable::<GetDynamicConfig>(Class::Session).with_timeout(DYNAMIC_TIMEOUT);
    let call = repeats.call(call);
    let request = GetDynamicConfig::new(api.manner().sdk_version());
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
        TransportSource::Stack { builder, raw, .. } => (TransportBuilder::clone(builder), raw),
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
