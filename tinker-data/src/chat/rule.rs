//! How the learned text of an example was found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the learned text of an example was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// A prompt and a completion, without a template; or tokens with their weights.
    Given,
    /// The rendered answer begins with the prompt. What follows is learned, up to the end token.
    AfterPrompt,
    /// The prompt ends with text that the rendered answer has not, such as the opening of a thought. The answer is put
    /// after the prompt as it is sampled, behind the end of the thought if one is open.
    AfterOpening,
    /// The template writes earlier messages otherwise once the answer is there. The answer is put after the prompt as
    /// it is sampled.
    AfterChangedPrompt,
    /// The answers within one rendering of the conversation.
    OneRendering,
    /// The `generation` blocks of the template.
    TemplateBlocks,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "as given",
            Self::AfterPrompt => "what follows the prompt",
            Self::AfterOpening => "the answer after the opening that the prompt ends with",
            Self::AfterChangedPrompt => {
                "the answer after its prompt, which the template changes later"
            }
            Self::OneRendering => "the answers of one rendering",
            Self::TemplateBlocks => "the generation blocks of the template",
        })
    }
}
