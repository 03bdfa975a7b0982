//! Which answers of a conversation are learned.

use std::fmt;

/// Which answers of a conversation are learned. Messages with weight 0 are context in each of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Learn {
    /// The last answer.
    Last,
    /// Every answer, each as the model has to write it when it is asked. Answers whose prompts continue one another
    /// share an example; where a template changes earlier turns, for example by removing their reasoning, each answer
    /// is an example of its own.
    #[default]
    Turns,
    /// Every answer, in one rendering of the whole conversation. Refused for templates that change earlier turns.
    All,
    /// The `generation` blocks of the template, in one rendering of the whole conversation.
    Template,
}

impl Learn {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Last, Self::Turns, Self::All, Self::Template];

    /// The name in options: `turns`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Turns => "turns",
            Self::All => "all",
            Self::Template => "template",
        }
    }
}

impl fmt::Display for Learn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
