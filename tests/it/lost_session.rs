//! Lost sessions over a socket: the server was killed, ended the session, or is another one now. A service client goes on
//! with a new session; samplers are made again; training continues from a checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tinker_client::error::LostCause;
use tinker_client::transport::{Class, ClassLimits};
use tinker_client::{
    AdamParams, Config, Error, Loss, SampleEvent, SamplingClient, ServiceClient, TrainingClient,
};
use tinker_local::{Limits, LocalEngine};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{MODEL, Mortal, Outcome, Served, data, greedy, lora, prompt};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The clients of one service.
struct Clients {
    service: ServiceClient,
    training: TrainingClient,
    /// Of the base model.
    base: SamplingClient,
    /// Of weights that were not saved.
    unsaved: SamplingClient,
}

impl Clients {
    async fn new(url: &str) -> Result<Self> {
        let config = Config::new(url).with_api_key("any").with_telemetry(false);
        let service = ServiceClient::new(config)?;
        let training = service.create_lora_training_client(MODEL, lora()).await?;
        let loss = Loss::cross_entropy();
        training
            .train_step(data(), loss, AdamParams::new(5e-3))
            .await?;
        Ok(Self {
            base: service.create_sampling_client(MODEL).await?,
            unsaved: training.save_weights_and_get_sampling_client().await?,
            training,
            service,
        })
    }

    /// Checks that everything is lost for this reason, and goes on.
    async fn go_on(&self, cause: LostCause) -> Outcome {
        let before = self.base.sampler_id();
        self.base.sample(prompt("a"), greedy()).await?;
        let new_session = self.service.session_id().ok_or("no session")?;
        let lost = expect_lost(self.training.optim_step(AdamParams::new(1e-3)).await)?;
        assert_eq!(lost.cause(), cause);
        assert_ne!(lost.session_id(), &new_session);
        assert_ne!(self.base.sampler_id(), before);
        assert_eq!(lost.checkpoint(), self.training.last_checkpoint().as_ref());
        let lost = expect_lost(self.unsaved.sample(prompt("a"), greedy()).await)?;
        assert!(lost.to_string().contains("not saved"), "{lost}");
        // New work of the same service client.
        let fresh = self
            .service
            .create_lora_training_client(MODEL, lora())
            .await?;
        fresh.forward(data(), Loss::cross_entropy()).await?;
        assert_eq!(self.service.loaded_models(), [fresh.model_id().clone()]);
        Ok(())
    }
}

fn expect_lost<T>(
    result: std::result::Result<T, Error>,
) -> Result<tinker_client::error::SessionLost> {
    match result {
        Err(error @ Error::SessionLost(_)) if error.is_user_error() => Err("a user error".into()),
        Err(Error::SessionLost(lost)) => Ok(lost),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the session was lost".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_a_client_only_what_was_not_saved() -> Outcome {
    let folder = tempfile::tempdir()?;
    let open = || LocalEngine::builder().data_dir(folder.path()).build();
    let server = Mortal::start(open()?, "127.0.0.1:0").await?;
    let url = server.url.clone();
    let clients = Clients::new(&url).await?;
    let training = &clients.training;
    let named = training.save_weights_for_sampler("named").await?;
    let named = clients.service.create_sampling_client(named).await?;
    let saved = training.save_state("kept").await?;
    let loss = training.forward(data(), Loss::cross_entropy()).await?;
    let drawn = named.sample(prompt("sky ->"), greedy()).await?;

    server.kill().await?;
    // Submitted while nothing listens: they wait for the server.
    let sample = named.sample(prompt("sky ->"), greedy());
    let pass = training.forward(data(), Loss::cross_entropy());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let server = Mortal::start(open()?, &url).await?;
    let again = timeout(Duration::from_secs(30), sample).await??;
    assert_eq!(again.sequences[0].tokens, drawn.sequences[0].tokens);
    let lost = expect_lost(timeout(Duration::from_secs(30), pass).await?)?;
    assert_eq!(lost.checkpoint(), Some(&saved.path));
    assert!(lost.to_string().contains(&saved.path.to_string()), "{lost}");
    clients.go_on(LostCause::Unknown).await?;

    let renewed = training.renew().await?;
    assert_eq!(renewed.last_checkpoint(), Some(saved.path));
    assert_eq!(renewed.forward(data(), Loss::cross_entropy()).await?, loss);
    // A stream makes its sampler again as well.
    drop(renewed);
    server.kill().await?;
    let server = Mortal::start(open()?, &url).await?;
    let mut events = named.stream(prompt("sky ->"), greedy());
    let mut last = None;
    while let Some(event) = events.try_next().await? {
        last = Some(event);
    }
    let Some(SampleEvent::Done(done)) = last else {
        return Err("the stream ended early".into());
    };
    assert_eq!(done.sequences[0].tokens, drawn.sequences[0].tokens);
    server.kill().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_ended_is_replaced() -> Outcome {
    let engine = LocalEngine::builtin()?;
    let served = Served::start(engine.clone()).await?;
    let clients = Clients::new(&served.url).await?;
    engine.expire_session(&clients.service.session_id().ok_or("no session")?);
    clients.go_on(LostCause::Ended).await?;
    let refused = clients.training.renew().await.unwrap_err();
    assert!(
        refused.to_string().contains("checkpoint: is missing"),
        "{refused}"
    );
    served.stop().await
}

/// A machine that sleeps sends no heartbeats, and no time passes on its clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_slept_for_too_long_goes_on() -> Outcome {
    let mut limits = Limits::default();
    limits.session_timeout = Duration::from_secs(1);
    let engine = LocalEngine::builder().limits(limits).build()?;
    let served = Served::start(engine).await?;
    let clients = Clients::new(&served.url).await?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    clients.go_on(LostCause::Ended).await?;
    served.stop().await
}

/// Forwards connections to an address that can change.
struct Detour {
    url: String,
    leads: watch::Sender<Lead>,
    accepted: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
struct Lead {
    /// Counts changes; older connections are affected.
    number: usize,
    address: String,
    /// Older connections stay open, and nothing passes through them any more.
    freezes: bool,
}

impl Detour {
    async fn to(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let lead = Lead {
            number: 0,
            address: url.trim_start_matches("http://").to_owned(),
            freezes: false,
        };
        let (leads, changes) = watch::channel(lead);
        let detour = Self {
            url: format!("http://{}", listener.local_addr()?),
            leads,
            accepted: Arc::default(),
        };
        let accepted = Arc::clone(&detour.accepted);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(forward(near, changes.clone()));
            }
        });
        Ok(detour)
    }

    fn change(&self, url: Option<&str>, freezes: bool) {
        self.leads.send_modify(|lead| {
            lead.number += 1;
            lead.freezes = freezes;
            if let Some(url) = url {
                url.trim_start_matches("http://")
                    .clone_into(&mut lead.address);
            }
        });
    }
}

async fn forward(mut near: TcpStream, mut leads: watch::Receiver<Lead>) {
    let Lead {
        number, address, ..
    } = leads.borrow().clone();
    let Ok(mut far) = TcpStream::connect(address).await else {
        return;
    };
    let copied = tokio::io::copy_bidirectional(&mut near, &mut far);
    let changed = async {
        let changed = leads.wait_for(|lead| lead.number > number).await;
        changed.is_ok_and(|lead| lead.freezes)
    };
    let freezes = tokio::select! {
        _ = copied => false,
        freezes = changed => freezes,
    };
    if freezes {
        // Both ends stay open.
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_lead_to_another_server() -> Outcome {
    let (first, second) = (LocalEngine::builtin()?, LocalEngine::builtin()?);
    let (first, second) = (Served::start(first).await?, Served::start(second).await?);
    let detour = Detour::to(&first.url).await?;
    let clients = Clients::new(&detour.url).await?;
    detour.change(Some(&second.url), false);
    clients.go_on(LostCause::Unknown).await?;
    first.stop().await?;
    second.stop().await
}

/// As after a change of the network: the client's connections lead nowhere and are not closed.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_lead_nowhere_cost_a_timeout_and_no_session() -> Outcome {
    let served = Served::start(LocalEngine::builtin()?).await?;
    let detour = Detour::to(&served.url).await?;
    let mut config = Config::new(detour.url.as_str()).with_telemetry(false);
    for class in Class::ALL {
        let limits = ClassLimits::of(class).with_timeout(Duration::from_millis(500));
        config = config.with_limits(class, limits);
    }
    let service = ServiceClient::new(config)?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    let base = service.create_sampling_client(MODEL).await?;
    base.sample(prompt("a"), greedy()).await?;
    let session = service.session_id();
    let before = detour.accepted.load(Ordering::Relaxed);
    detour.change(None, true);
    let both = async {
        tokio::try_join!(
            base.sample(prompt("a"), greedy()),
            training.train_step(data(), Loss::cross_entropy(), AdamParams::new(1e-3)),
        )
    };
    let (sample, step) = timeout(Duration::from_secs(20), both).await??;
    assert!(!sample.sequences.is_empty() && step.pass.loss_sum().is_some());
    assert!(detour.accepted.load(Ordering::Relaxed) > before);
    assert_eq!(service.session_id(), session);
    served.stop().await
}
