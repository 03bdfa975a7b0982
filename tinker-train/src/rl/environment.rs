//! Environments: what a model acts on over several turns.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::error::BoxError;

/// One episode of an environment. Equal actions should have equal answers, as a continued run plays again.
///
/// ```
/// use futures_util::FutureExt as _;
/// use futures_util::future::BoxFuture;
/// use tinker_train::{Action, BoxError, Environment, Observation, Reaction};
///
/// /// Asks for a word until it is said.
/// struct Ask(&'static str);
///
/// impl Environment for Ask {
///     fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>> {
///         async { Ok("Say a word: ".into()) }.boxed()
///     }
///
///     fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>> {
///         async move {
///             Ok(if action.text.contains(self.0) { Reaction::end(1.0) } else { Reaction::next(" Another: ") })
///         }
///         .boxed()
///     }
/// }
/// ```
pub trait Environment: Send {
    /// The first observation, as the prompt of the first action.
    fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>>;

    /// The answer to an action of the model.
    fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>>;
}

/// An environment whose answers are computed at once.
///
/// ```
/// use tinker_train::{Reaction, environment_from_fn};
///
/// let mut asked = 0;
/// let guess = environment_from_fn("Guess: ", move |action| {
///     asked += 1;
///     Ok(match (action.text.trim(), asked) {
///         ("7", _) => Reaction::end(1.0),
///         (_, 3) => Reaction::end(0.0),
///         _ => Reaction::next(" No. Guess: "),
///     })
/// });
/// # drop(guess);
/// ```
pub fn environment_from_fn(
    first: impl Into<Observation>,
    act: impl FnMut(&Action) -> Result<Reaction, BoxError> + Send + 'static,
) -> Box<dyn Environment> {
    Box::new(FromFn {
        first: first.into(),
        act: Box::new(act),
    })
}

type Act = dyn FnMut(&Action) -> Result<Reaction, BoxError> + Send;

/// See [`environment_from_fn`].
struct FromFn {
    first: Observation,
    act: Box<Act>,
}

impl Environment for FromFn {
    fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>> {
        std::future::ready(Ok(self.first.clone())).boxed()
    }

    fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>> {
        std::future::ready((self.act)(action)).boxed()
    }
}

/// Input of the model before an action. It is appended to everything before, and is not learned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// A text, which the tokenizer of the renderer encodes as it is, without a chat template.
    Text(String),
    /// Tokens.
    Tokens(Vec<u32>),
}

/// A sample of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Action {
    /// The text without the token that ends it.
    pub text: String,
    /// All tokens.
    pub tokens: Vec<u32>,
}

/// The answer of an environment to an action.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reaction {
    /// Reward of the action; rewards of an episode are added. Default 0.
    pub reward: f64,
    /// The next observation; `None` ends the episode.
    pub next: Option<Observation>,
}

impl Reaction {
    /// Goes on with an observation.
    pub fn next(observation: impl Into<Observation>) -> Self {
        Self {
            reward: 0.0,
            next: Some(observation.into()),
        }
    }

    /// Ends the episode with a reward.
    pub fn end(reward: f64) -> Self {
        Self { reward, next: None }
    }

    /// Sets [`Self::reward`].
    #[must_use]
    pub fn with_reward(mut self, reward: f64) -> Self {
        self.reward = reward;
        self
    }
}

impl From<&str> for Observation {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Observation {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u32>> for Observation {
    fn from(tokens: Vec<u32>) -> Self {
        Self::Tokens(tokens)
    }
}

impl fmt::Debug for dyn Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
