//! The built-in base model: the text it is trained on, written by a generator, and its training.

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
mod sentence;
mod show;
mod story;
mod wording;

pub(crate) use show::run;
