//! A training loop against a server, and log probabilities of a text on a server.
//!
//! ```sh
//! cargo run -p tinker-client --example server -- loop
//! cargo run -p tinker-client --example server -- logprobs "TEXT" [tinker://CHECKPOINT]
//! ```
//!
//! `TINKER_BASE_URL` names the server, which must have the model `tinker-local/tiny`, as `tinker serve` does: the texts
//! are turned into its tokens. For another model, use the tokenizer of that model.

#![expect(clippy::print_stdout, reason = "results for people and scripts")]

use tinker_client::{
    AdamParams, Datum, LoraConfig, Loss, ModelInput, SamplingParams, ServiceClient, Stop,
    TrainingClient,
};
use tinker_types::FinishReason;

const MODEL: &str = "tinker-local/tiny";

/// The model reads bytes, and this token ends a text.
const END: u32 = 256;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn tokens(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let service = ServiceClient::from_env()?;
    let result = match words[..] {
        ["loop"] => Box::pin(learn(&service)).await,
        ["logprobs", text] => logprobs(&service, text, MODEL).await,
        ["logprobs", text, checkpoint] => logprobs(&service, text, checkpoint).await,
        _ => Err("arguments: loop | logprobs TEXT [CHECKPOINT]".into()),
    };
    service.close(FinishReason::Success).await?;
    result
}

/// Learns three answers, and samples one of them.
async fn learn(service: &ServiceClient) -> Result<()> {
    let training = service
        .create_lora_training_client(MODEL, LoraConfig::new(16))
        .await?;
    let last = train(&training).await?;
    let sampler = training.save_weights_and_get_sampling_client().await?;
    let greedy = SamplingParams::default()
        .with_temperature(0.0)
        .with_max_tokens(16)
        // Some servers stop at the end token of the model only if the request names it.
        .with_stop(Stop::Tokens(vec![END]));
    let prompt = ModelInput::from_tokens(tokens("grass ->"));
    let answer = sampler.sample(prompt, greedy).await?;
    let learned = [tokens(" green"), vec![END]].concat();
    if answer.sequences[0].tokens != learned {
        return Err(format!(
            "learned {:?} instead of {learned:?}",
            answer.sequences[0].tokens
        )
        .into());
    }
    println!("loss {last:.3} in the last step, then \"grass ->\" is continued with \" green\"");
    Ok(())
}

async fn train(training: &TrainingClient) -> Result<f64> {
    let pairs = [
        ("sky ->", " blue"),
        ("grass ->", " green"),
        ("snow ->", " white"),
    ];
    let data: Vec<Datum> = pairs
        .iter()
        .map(|(prompt, answer)| {
            Datum::supervised(&tokens(prompt), &[tokens(answer), vec![END]].concat())
        })
        .collect();
    let mut last = f64::NAN;
    for _ in 0..30 {
        let params = AdamParams::new(5e-3);
        let done = training.train_step(data.clone(), Loss::cross_entropy(), params);
        last = done
            .await?
            .pass
            .loss_sum()
            .ok_or("the result has no loss")?;
    }
    Ok(last)
}

/// Prints the log probability of each token of a text, the first one's excepted, as JSON.
async fn logprobs(service: &ServiceClient, text: &str, source: &str) -> Result<()> {
    let sampler = service.create_sampling_client(source).await?;
    let values = sampler
        .compute_logprobs(ModelInput::from_tokens(tokens(text)))
        .await?;
    println!("{}", serde_json::to_string(&values)?);
    Ok(())
}
