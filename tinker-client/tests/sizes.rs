//! Sizes of the futures of public calls: a program may hold thousands of them.

use std::future::IntoFuture;
use std::time::Duration;

use tinker_client::autodiff::Expr;
use tinker_client::transport::Body;
use tinker_client::types::{
    AuditScope, CheckpointPath, GetTrainingRun, ModelId, SamplingSessionId, SearchSessions,
    SessionId,
};
use tinker_client::{
    AccessScope, AdamParams, CopyOptions, Datum, DownloadOptions, FinishReason, ListOptions,
    LoraConfig, Loss, LossGraph, ModelInput, SamplingParams, ServiceClient,
};

/// Largest accepted size in bytes.
const LIMIT: usize = 2048;

struct Sizes(Vec<(&'static str, usize)>);

impl Sizes {
    fn note<F: Future>(&mut self, name: &'static str, future: F) {
        self.0.push((name, size_of_val(&future)));
        drop(future);
    }
}

macro_rules! note {
    ($sizes:ident, $client:ident: $($method:ident($($argument:expr),*)),* $(,)?) => {
        $($sizes.note(stringify!($client.$method), $client.$method($($argument),*));)*
    };
}

fn of_rest(sizes: &mut Sizes, service: &ServiceClient) -> Result<(), Box<dyn std::error::Error>> {
    let path: CheckpointPath = "tinker://s:train:0/weights/a".parse()?;
    let (run, session) = (ModelId::from("r"), SessionId::from("s"));
    let sampler = SamplingSessionId::from("s:sample:0");
    let (runs, checkpoints) = (service.runs(), service.checkpoints());
    let (sessions, account) = (service.sessions(), service.account());
    let all = ListOptions::default;
    note!(sizes, service: check_health());
    note!(sizes, runs: get(&run), by_checkpoint(&path), page(all()));
    note!(sizes, checkpoints:
        page(all()),
        list_by_run(&run),
        get(&path),
        delete(&path),
        publish(&path),
        unpublish(&path),
        set_ttl(&path, Some(Duration::from_mins(1))),
        file_urls(&path),
        copy(CopyOptions::new(path.clone())),
        archive_url(&path),
        download(&path, "folder", DownloadOptions::default()),
    );
    note!(sizes, sessions:
        get(&session),
        page(all()),
        sampler(&sampler),
        search_page(SearchSessions::default()),
        assign_project(&session, "p"),
        export_trace(&session),
    );
    let external = "tinker://s:train:0/external_weights/a".parse()?;
    note!(sizes, checkpoints: download(&external, "folder", DownloadOptions::default()));
    // Streams hold the future of their page in a box.
    sizes.note("Pages", std::future::ready(runs.list(all())));
    let search = sessions.search(SearchSessions::default());
    sizes.note("Pages of a search", std::future::ready(search));
    sizes.note("Pages::try_next", checkpoints.list(all()).try_next());
    sizes.note("Pages::all", checkpoints.list(all()).all());
    let (from, to) = (
        "2026-01-01T00:00:00Z".parse()?,
        "2026-01-02T00:00:00Z".parse()?,
    );
    note!(sizes, account:
        whoami(),
        api_key(),
        delete_api_key(),
        audit_log(AuditScope::All, None),
        billing_usage(from, to),
        checkpoint_storage(None),
    );
    let request = GetTrainingRun {
        training_run_id: run,
        access_scope: AccessScope::default(),
    };
    sizes.note("RawCall", service.call(&request).into_future());
    note!(sizes, service: send(http::Request::new(Body::empty())));
    Ok(())
}

#[tokio::test]
async fn futures_of_public_calls_are_small() -> Result<(), Box<dyn std::error::Error>> {
    let engine = tinker_local::LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let training = service
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(4))
        .await?;
    let sampling = service.create_sampling_client("tinker-local/tiny").await?;
    let mut sizes = Sizes(Vec::new());

    note!(sizes, service:
        server_capabilities(),
        check_access(),
        close(FinishReason::Success),
        close_with_detail(FinishReason::Success, "x"),
        create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)),
        create_training_client_from_state("tinker://s:train:0/weights/a"),
        create_training_client_from_state_with_optimizer("tinker://s:train:0/weights/a"),
        create_sampling_client("tinker-local/tiny"),
        create_custom_loss(LossGraph::new("mine", -Expr::logprobs().sum())),
    );
    let data = vec![Datum::supervised(&[104, 105], &[33])];
    let failing = |_: &[Datum], _: &[Vec<f32>]| Err::<tinker_client::CustomLoss, _>("no");
    note!(sizes, training:
        forward(data.clone(), Loss::cross_entropy()),
        forward_backward(data.clone(), Loss::cross_entropy()),
        optim_step(AdamParams::new(1e-3)),
        save_state("a"),
        save_weights_for_sampler("a"),
        save_weights_external("a"),
        save_weights_and_get_sampling_client(),
        save_weights_and_get_inflight_sampling_client(),
        forward_backward_custom(data.clone(), failing),
    );
    let loss = service
        .create_custom_loss(LossGraph::new("own", -Expr::logprobs().mean()))
        .await?;
    note!(sizes, training: forward_backward_with(data.clone(), &loss));
    let params = || SamplingParams::default().with_max_tokens(1);
    let prompt = || ModelInput::from_tokens([104, 105]);
    note!(sizes, sampling:
        handle(),
        sample(prompt(), params()),
        compute_logprobs(prompt()),
    );
    let mut stream = sampling.stream(prompt(), params());
    sizes.note("SampleStream::try_next", stream.try_next());
    sizes.note("SampleStream", std::future::ready(stream));
    let many = sampling.sample_many(vec![prompt(); 100], params(), 1);
    sizes.note("sample_many", std::future::ready(many));
    let pending = sampling.sample(prompt(), params());
    sizes.note("Pending::updates", std::future::ready(pending.updates()));
    let limited = sampling
        .sample(prompt(), params())
        .within(Duration::from_secs(1));
    sizes.note("Pending::within", limited);
    of_rest(&mut sizes, &service)?;

    let large: Vec<_> = sizes.0.iter().filter(|(_, size)| *size > LIMIT).collect();
    assert!(large.is_empty(), "{large:?}");
    assert!(
        sizes.0.len() >= 40,
        "only {} calls were measured",
        sizes.0.len()
    );
    Ok(())
}
