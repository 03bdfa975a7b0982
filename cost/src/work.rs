//! Work that is counted.

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use http::Request;
use tinker_client::{
    Config, Datum, Loss, ModelInput, SampleOptions, SamplingClient, SamplingParams, ServiceClient,
};
use tinker_transport::Body;
use tinker_types::{ForwardBackward, proto};
use tokio::runtime::{Builder, Runtime};

use crate::{Outcome, answer};

/// Rows and tokens of a batch and of the result of a pass.
const BATCH: (usize, usize) = (16, 1024);
/// Sequences and tokens of a large answer.
const ANSWER: (usize, usize) = (4, 2048);

/// One kind of work, ready to be done.
#[expect(clippy::large_enum_variant, reason = "a program has one of them")]
pub(crate) enum Work {
    /// The check of a batch, and its encoding.
    Encode(ForwardBackward),
    /// The decoding of a large answer; each value is read.
    DecodeSample(Bytes),
    /// The decoding of the result of a pass; each value is read.
    DecodeOutput(Bytes),
    /// A small sample, from the call to its result, over a service in this process.
    Sample {
        runtime: Runtime,
        client: SamplingClient,
        prompt: ModelInput,
        options: SampleOptions,
    },
}

impl Work {
    pub(crate) const NAMES: [&str; 4] = ["encode", "decode-sample", "decode-output", "sample"];

    pub(crate) fn new(name: &str) -> Outcome<Self> {
        Ok(match name {
            "encode" => {
                let loss = Loss::cross_entropy();
                let pass = ForwardBackward::new("s:train:0".into(), 1, batch(), loss);
                Self::Encode(pass)
            }
            "decode-sample" => Self::DecodeSample(answer::sample(ANSWER.0, ANSWER.1)),
            "decode-output" => Self::DecodeOutput(answer::output(BATCH.0, BATCH.1)),
            "sample" => {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                Self::Sample {
                    client: runtime.block_on(sampler())?,
                    runtime,
                    prompt: ModelInput::from_tokens((0..32).collect::<Vec<_>>()),
                    options: SamplingParams::default().with_max_tokens(16).into(),
                }
            }
            _ => return Err(format!("{name:?} is not one of {:?}", Self::NAMES).into()),
        })
    }

    /// Does the work once.
    pub(crate) fn run(&self) -> Outcome<()> {
        match self {
            Self::Encode(pass) => {
                pass.loss.check(&pass.data)?;
                black_box(proto::encode_pieces(pass, 0..pass.data.len())?);
            }
            Self::DecodeSample(body) => {
                let response = proto::decode_sample(body.clone())?;
                for sequence in &response.sequences {
                    let logprobs = sequence.logprobs.as_deref().unwrap_or_default();
                    black_box(logprobs.iter().sum::<f32>());
                    black_box(sequence.tokens.iter().sum::<u32>());
                }
            }
            Self::DecodeOutput(body) => {
                let output = proto::decode_output(body.clone())?;
                for row in 0..BATCH.0 {
                    let logprobs = output.logprobs(row).ok_or("a row is missing")?;
                    black_box(logprobs.iter().sum::<f32>());
                }
            }
            Self::Sample {
                runtime,
                client,
                prompt,
                options,
            } => {
                let sample = client_sample(client, prompt, options);
                black_box(runtime.block_on(sample)?);
            }
        }
        Ok(())
    }
}

async fn client_sample(
    client: &SamplingClient,
    prompt: &ModelInput,
    options: &SampleOptions,
) -> Outcome<usize> {
    let response = client.sample(prompt.clone(), options.clone()).await?;
    Ok(response.sequences.len())
}

fn batch() -> Vec<Datum> {
    let of_row = |row: usize| {
        let ids: Vec<u32> = (0..=BATCH.1).map(|at| (at * 31 + row) as u32).collect();
        Datum::supervised(&ids[..1], &ids[1..])
    };
    (0..BATCH.0).map(of_row).collect()
}

async fn sampler() -> Outcome<SamplingClient> {
    let result = answer::sample(1, 16);
    let leaf = tower::service_fn(move |request: Request<Body>| {
        let response = answer::to(request.uri().path(), &result);
        async move { Ok::<_, Infallible>(response) }
    });
    let config = Config::new("http://server.test")
        .with_api_key("tml-test")
        .with_telemetry(false);
    let service = ServiceClient::builder().config(config).leaf(leaf).build()?;
    Ok(service.create_sampling_client("m").await?)
}
