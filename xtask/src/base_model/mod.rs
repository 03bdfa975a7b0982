//! The built-in base model: generator of its training text, and its training.

mod conversation;
mod corpus;
mod document;
mod fact;
pub(crate) mod grammar;
pub(crate) mod lexicon;
mod number;
mod reading;
mod record;
mod rewrite;
mod rule;
mod run;
mod schedule;
mod sentence;
mod story;
mod window;
mod wording;

pub(crate) use run::run;
