//! Conversations as tokens: messages, chat templates and loss weights.

mod answer;
mod conversation;
mod digest;
mod encoded_answer;
mod ends;
#[cfg(feature = "templates")]
mod jinja;
mod learn;
mod mask;
mod message;
mod plain;
mod rendered;
mod renderer;
mod rule;
mod seam;
mod sequence;
mod template;
#[cfg(feature = "templates")]
mod template_files;
mod tools;

pub use answer::without_empty_thought;
pub use conversation::Conversation;
pub use encoded_answer::EncodedAnswer;
pub use learn::Learn;
pub use message::{Message, Role, ToolCall};
pub use rendered::Rendered;
pub use renderer::Renderer;
pub use rule::Rule;
pub use sequence::EncodedExample;
pub(crate) use sequence::parts;
pub use template::Template;
