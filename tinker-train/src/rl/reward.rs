//! Rewards of answers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::checker::Checker;
use super::problem::Answered;
use super::program::Program;
use crate::error::{BoxError, TrainError};

type Function =
    dyn Fn(Vec<Answered>) -> BoxFuture<'static, Result<Vec<f64>, BoxError>> + Send + Sync;

/// A reward: a number for each answer. Equal answers should have equal rewards, as a continued run asks again.
#[derive(Clone)]
#[non_exhaustive]
pub enum Reward {
    /// A built-in comparison with the reference answer.
    Checker(Checker),
    /// A program of the user.
    Program(Program),
    /// A function of the caller, see [`Reward::from_fn`].
    Function(Arc<Function>),
}

impl Reward {
    /// A reward that an async function computes for a batch of answers.
    pub fn from_fn<F, R>(function: F) -> Self
    where
        F: Fn(Vec<Answered>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<f64>, BoxError>> + Send + 'static,
    {
        Self::Function(Arc::new(move |answers| function(answers).boxed()))
    }

    /// The rewards of answers, in order.
    ///
    /// # Errors
    /// A program or function that fails, or returns a wrong number of rewards or one that is not finite.
    pub async fn of(&self, answers: Vec<Answered>) -> Result<Vec<f64>, TrainError> {
        let count = answers.len();
        let rewards = match self {
            Self::Checker(checker) => answers.iter().map(|one| checker.reward(one)).collect(),
            Self::Program(program) => program.rewards(&answers).await?,
            Self::Function(function) => {
                let what = "the reward failed".to_owned();
                let rewards = function(answers).await;
                rewards.map_err(|source| TrainError::Hook { what, source })?
            }
        };
        if rewards.len() != count {
            let what = format!(
                "the reward returned {} numbers for {count} answers",
                rewards.len()
            );
            return Err(TrainError::Refused(what));
        }
        if let Some(at) = rewards.iter().position(|reward| !reward.is_finite()) {
            let what = format!(
                "the reward of answer {at} is {}; it must be finite",
                rewards[at]
            );
            return Err(TrainError::Refused(what));
        }
        Ok(rewards)
    }
}

impl fmt::Debug for Reward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checker(checker) => f.debug_tuple("Checker").field(checker).finish(),
            Self::Program(program) => f.debug_tuple("Program").field(program).finish(),
            Self::Function(_) => f.write_str("Function"),
        }
    }
}
