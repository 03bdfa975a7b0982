//! Generator of `examples/data`: small tasks that the base model cannot do and learns in seconds.
//!
//! Each task has a training file and a held-out file without common content words, so a score on the
//! second measures the rule and not memory.

mod files;
mod first_word;
mod pig_latin;
mod split;
mod tool_call;
mod vocabulary;

pub(crate) use files::run;
