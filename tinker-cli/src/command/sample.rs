//! `tinker sample`: text from a model or a checkpoint.

mod answer;
mod conversation;
mod stream;

use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::Context as _;
use tinker_client::{Error, SampleOptions};
use tinker_data::{Prompt, Renderer};
use tinker_types::{CheckpointKind, CheckpointPath, SamplingParams, Stop};

use crate::connect::{Connection, Destination, DestinationArgs, reference};
use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::interrupt::Interrupt;
use answer::{Generated, Sampled};
use stream::TextStream;

/// Generate text with a model or a checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker sample 'Once upon a time'
  tinker sample --chat 'What is the opposite of big?'
  tinker sample --system 'You answer with one word.' 'What is the opposite of big?'
  tinker sample --messages question.json --temperature 0
  tinker sample --model tinker://RUN/sampler_weights/final --temperature 0 'Hello'
  tinker sample --model latest 'Hello'
  tinker sample --model ~/models/Qwen3-0.6B --chat 'Who are you?'
  echo 'Count to ten:' | tinker sample - --num-samples 3 --max-tokens 40 --json")]
pub(crate) struct Args {
    /// Text to continue; `-` reads it from stdin.
    #[arg(
        required_unless_present_any = ["prompt_file", "messages"],
        conflicts_with = "prompt_file"
    )]
    prompt: Option<String>,
    /// Read the prompt from a file.
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Base model, folder of a Hugging Face model, or a sampler checkpoint: its tinker:// address, or a run id, a run
    /// folder or `latest` for the newest one of that run [default: the built-in model].
    #[arg(short, long, value_name = "MODEL", add = crate::completion::checkpoints())]
    model: Option<String>,
    /// Treat the prompt as a message of the user, and generate the answer of the assistant.
    #[arg(long, help_heading = "Chat")]
    chat: bool,
    /// System message before the prompt; the prompt is then a message of the user.
    #[arg(long, value_name = "TEXT", help_heading = "Chat")]
    system: Option<String>,
    /// Conversation to answer, instead of a prompt: a JSON list of messages, or an object with `messages` and `tools`.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["prompt", "prompt_file", "system"],
        help_heading = "Chat"
    )]
    messages: Option<PathBuf>,
    /// Tools that the model may call, a JSON list of schemas; the prompt is then a message of the user.
    #[arg(long, value_name = "FILE", help_heading = "Chat")]
    tools: Option<PathBuf>,
    /// Largest number of tokens to generate.
    #[arg(long, value_name = "N", default_value = "256")]
    max_tokens: NonZeroU32,
    /// Randomness; 0 always takes the most likely token.
    #[arg(
        long,
        value_name = "T",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    temperature: f64,
    /// Sample from the K most likely tokens only.
    #[arg(long, value_name = "K")]
    top_k: Option<NonZeroU32>,
    /// Sample from the most likely tokens with a total probability of P only.
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f64,
    /// Number of texts to generate.
    #[arg(short, long, value_name = "N", default_value = "1")]
    num_samples: NonZeroU32,
    /// Random seed; the same seed gives the same text.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop when the text contains TEXT, as well as at the end of the answer; can be repeated.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Print the log probability of each token.
    #[arg(long)]
    logprobs: bool,
    #[command(flatten)]
    destination: DestinationArgs,
}

/// Generates and prints.
pub(crate) async fn run(mut args: Args, context: &Context) -> anyhow::Result<()> {
    let params = args.params();
    params.check().map_err(|error| Usage(error.to_string()))?;
    let prompt = args.read()?;
    args.destination.template().refuse_inert(
        matches!(prompt, Prompt::Chat(_)),
        "a plain prompt is not written by a chat template; add --chat, or leave the option out",
    )?;
    if let Some(model) = &mut args.model
        && let Some(path) = reference::of_run_folder(model, &[CheckpointKind::Sampler])?
    {
        *model = path.to_string();
        context.printer.print_labelled("checkpoint", model);
    }
    let destination = Destination::resolve(&args.destination, args.model.as_deref(), context)?;
    let connection = Connection::open(destination, context.printer).await?;
    let notice = "stopping; Ctrl-C again exits at once";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let interrupted = async {
        interrupt.requested().await;
        anyhow::Result::Err(Interrupted.into())
    };
    // Dropping the future cancels the samples.
    let result = tokio::select! {
        biased;
        stopped = interrupted => stopped,
        result = Box::pin(generate(&args, &prompt, params, &connection, context)) => result,
    };
    connection.close(&result).await;
    result
}

async fn generate(
    args: &Args,
    prompt: &Prompt,
    params: SamplingParams,
    connection: &Connection,
    context: &Context,
) -> anyhow::Result<()> {
    let (source, base) = match &args.model {
        Some(path) if path.starts_with("tinker://") => (path.clone(), None),
        name => {
            let name = name.as_deref();
            if let Some(path) = checkpoint_of_run(name, connection, context).await? {
                (path.to_string(), None)
            } else {
                let base = connection.base_model(name)?;
                (base.clone(), Some(base))
            }
        }
    };
    let created = connection.service.create_sampling_client(source.as_str());
    let sampler = match created.await {
        Ok(sampler) => sampler,
        Err(Error::Invalid(invalid)) => {
            return Err(Usage(format!("--model: {}", invalid.message())).into());
        }
        Err(error) => return Err(connection.explain_missing(&source, error).await),
    };
    let base = base.as_deref().or(sampler.base_model()).unwrap_or_default();
    let renderer = connection.renderer(base).await?;
    let input = match prompt {
        Prompt::Chat(conversation) => renderer.prompt(conversation)?,
        Prompt::Text(text) => renderer.text(text)?,
    };
    let params = args.with_stop(params, &renderer);
    let prompt_tokens = input.length()?;
    let options = SampleOptions::new(params).with_num_samples(args.num_samples.get());
    if context.report.is_text() && !args.logprobs {
        let mut texts = TextStream::new(&renderer, args.num_samples.get() as usize);
        let mut events = sampler.stream(input, options);
        while let Some(event) = events.try_next().await? {
            texts.update(&event)?;
        }
        return Ok(());
    }
    // Printed as a whole, so it need not be a stream, which a lost connection would end.
    let response = sampler.sample(input, options).await?;
    let texts = response.sequences.iter();
    let texts = texts.map(|sequence| Generated::new(sequence, &renderer, args.logprobs));
    context.report.print(&Sampled {
        model: source,
        prompt: prompt.text().to_owned(),
        prompt_tokens,
        samples: texts.collect::<Result<_, _>>()?,
    })
}

/// The newest sampler checkpoint, if `--model` names a run and not a model of the server.
async fn checkpoint_of_run(
    name: Option<&str>,
    connection: &Connection,
    context: &Context,
) -> anyhow::Result<Option<CheckpointPath>> {
    let may_be_run = |name: &&str| reference::can_be_run(name) && !connection.has_model(name);
    match name.filter(may_be_run) {
        Some(name) => reference::sampler_of_run(name, &connection.service, context.printer).await,
        None => Ok(None),
    }
}

impl Args {
    fn params(&self) -> SamplingParams {
        let mut params = SamplingParams::default()
            .with_max_tokens(self.max_tokens.get())
            .with_temperature(self.temperature)
            .with_top_p(self.top_p);
        params.seed = self.seed;
        if let Some(top_k) = self.top_k {
            params = params.with_top_k(top_k.get());
        }
        if !self.stop.is_empty() {
            params = params.with_stop(Stop::Texts(self.stop.clone()));
        }
        params
    }

    /// Stops at the end tokens of the model and of its chat template. Texts of the user are added to them: a request holds
    /// either tokens or texts, so the end tokens are then in their written form, for servers that do not add them.
    fn with_stop(&self, params: SamplingParams, renderer: &Renderer) -> SamplingParams {
        let ends = renderer.end_tokens();
        if !self.stop.is_empty() {
            let texts = self.stop.iter().chain(renderer.end_texts()).cloned();
            params.with_stop(Stop::Texts(texts.collect()))
        } else if ends.is_empty() {
            params
        } else {
            params.with_stop(Stop::Tokens(ends.to_vec()))
        }
    }

    /// The prompt with what belongs to it.
    fn read(&self) -> anyhow::Result<Prompt> {
        let mut conversation = match (&self.messages, &self.system) {
            (Some(path), _) => conversation::read(path)?,
            (None, None) if !self.chat && self.tools.is_none() => {
                return Ok(Prompt::Text(self.read_prompt()?));
            }
            (None, system) => conversation::of_texts(system.as_deref(), &self.read_prompt()?),
        };
        if let Some(path) = &self.tools {
            conversation::add_tools(&mut conversation, path)?;
        }
        Ok(Prompt::Chat(conversation))
    }

    fn read_prompt(&self) -> anyhow::Result<String> {
        let (prompt, from) = match (&self.prompt_file, self.prompt.as_deref()) {
            (Some(path), _) => {
                let read = std::fs::read_to_string(path);
                (
                    read.with_context(|| format!("cannot read {}", path.display()))?,
                    "the file",
                )
            }
            (None, Some("-")) => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context("cannot read the prompt from stdin")?;
                (text, "stdin")
            }
            (None, prompt) => (prompt.unwrap_or_default().to_owned(), "the prompt"),
        };
        // The line break at the end of a file or pipe is not part of the prompt.
        let prompt = if from == "the prompt" {
            prompt
        } else {
            prompt.trim_end_matches(['\r', '\n']).to_owned()
        };
        if prompt.is_empty() {
            return Err(Usage(format!("{from} is empty; give some text to continue")).into());
        }
        Ok(prompt)
    }
}
