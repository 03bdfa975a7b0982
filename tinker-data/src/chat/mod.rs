//! Conversations as tokens: messages, chat templates and loss weights.

#[cfg(feature = "templates")]
mod jinja;
mod message;
mod piece;
mod plain;
mod renderer;
mod template;

pub use message::{Message, Role};
pub use renderer::Renderer;
pub use template::Template;
