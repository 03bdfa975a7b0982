//! Blocking clients, over a socket and in threads.

use std::error::Error;
use std::thread;

use tinker_client::blocking::ServiceClient;
use tinker_client::{AdamParams, Config, Datum, FinishReason, LoraConfig, Loss, SamplingParams};
use tinker_local::LocalEngine;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn service() -> Result<ServiceClient> {
    let engine = LocalEngine::builtin()?;
    let builder = tinker_client::ServiceClient::builder().leaf(engine.service());
    Ok(ServiceClient::build(builder)?)
}

#[test]
fn a_loop_without_a_runtime() -> Result {
    let service = service()?;
    let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4))?;
    let data = vec![Datum::supervised(&[104, 105], &[33, 256])];
    let loss = |output: tinker_client::types::ForwardBackwardOutput| output.loss_sum();
    let before = loss(training.forward(data.clone(), Loss::cross_entropy())?);
    for _ in 0..4 {
        training.forward_backward(data.clone(), Loss::cross_entropy())?;
        training.optim_step(AdamParams::new(5e-3))?;
    }
    let saved = training.save_state("first")?;
    let again = service.create_training_client_from_state(&saved.path)?;
    let after = loss(again.forward(data, Loss::cross_entropy())?);
    assert!(after < before, "{after:?} {before:?}");

    let sampler = training.save_weights_and_get_sampling_client()?;
    let params = SamplingParams::default().with_max_tokens(3).with_seed(1);
    let clones: Vec<_> = (0..4).map(|_| (sampler.clone(), params.clone())).collect();
    let threads = clones.into_iter().map(|(sampler, params)| {
        thread::spawn(move || {
            sampler
                .sample([104, 105], params)
                .map(|sample| sample.sequences)
        })
    });
    let threads: Vec<_> = threads.collect();
    let mut answers = Vec::new();
    for thread in threads {
        answers.push(thread.join().map_err(|_| "a thread panicked")??);
    }
    let first: Vec<_> = answers.iter().map(|all| &all[0].tokens).collect();
    assert!(first.iter().all(|tokens| *tokens == first[0]), "{first:?}");
    let many = sampler.sample_many(vec![vec![104], vec![105]], params, 2);
    assert!(many.len() == 2 && many.iter().all(std::result::Result::is_ok));
    assert_eq!(sampler.compute_logprobs([104, 105])?.len(), 2);
    service.close(FinishReason::Success)?;
    Ok(())
}

#[tokio::test]
async fn the_last_client_may_be_dropped_in_an_async_context() -> Result {
    let service = thread::spawn(service).join().map_err(|_| "panicked")??;
    drop(service);
    Ok(())
}

#[test]
fn an_absent_server_is_an_error() -> Result {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    drop(listener);
    let config = Config::new(format!("http://{address}")).with_api_key("k");
    let service = ServiceClient::new(config)?;
    let checked = service.block_on(async |service| service.check_health().await);
    assert!(checked.is_err());
    Ok(())
}
