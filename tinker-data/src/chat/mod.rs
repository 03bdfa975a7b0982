//! Conversations as tokens: messages, chat templates and loss weights.

mod conversation;
#[cfg(feature = "templates")]
mod jinja;
mod mask;
mod message;
mod piece;
mod plain;
mod rendered;
mod renderer;
mod template;

pub use conversation::Conversation;
pub use message::{Message, Role, ToolCall};
pub use renderer::Renderer;
pub use template::Template;
