//! The data files and the format of their lines.

use serde::Serialize;

use super::split::Pair;
use super::{first_word, pig_latin, tool_call};
use crate::output::Mode;

/// Writes or checks all files.
pub(crate) fn run(mode: Mode) -> anyhow::Result<()> {
    let pig_latin = pig_latin::split();
    let tool_calls = tool_call::split();
    let first_word = first_word::split();
    for (name, contents) in [
        ("first-word", problems(&first_word.train)?),
        ("first-word-eval", problems(&first_word.held_out)?),
        ("preferences", preferences(&first_word.train)?),
        ("preferences-eval", preferences(&first_word.held_out)?),
        ("pig-latin", completions(&pig_latin.train)?),
        ("pig-latin-eval", completions(&pig_latin.held_out)?),
        ("tool-calls", chats(&tool_calls.train)?),
        ("tool-calls-eval", chats(&tool_calls.held_out)?),
    ] {
        mode.apply(
            &format!("examples/data/{name}.jsonl"),
            &contents,
            "example-data",
        )?;
    }
    Ok(())
}

/// A line of raw text; the model continues the prompt.
#[derive(Serialize)]
struct Completion<'a> {
    prompt: &'a str,
    completion: &'a str,
}

/// A line with a prompt and its right answer.
#[derive(Serialize)]
struct Problem<'a> {
    prompt: String,
    answer: &'a str,
}

/// A line with a better and a worse answer.
#[derive(Serialize)]
struct Preference {
    prompt: String,
    chosen: String,
    rejected: String,
}

/// A line of a conversation.
#[derive(Serialize)]
struct Chat<'a> {
    messages: [Message<'a>; 2],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

fn completions(pairs: &[Pair]) -> anyhow::Result<String> {
    lines(
        pairs
            .iter()
            .map(|(prompt, completion)| Completion { prompt, completion }),
    )
}

fn problems(words: &[Pair]) -> anyhow::Result<String> {
    lines(words.iter().map(|(first, second)| Problem {
        prompt: format!("word: {first} {second} ->"),
        answer: first,
    }))
}

fn preferences(words: &[Pair]) -> anyhow::Result<String> {
    lines(words.iter().map(|(first, second)| Preference {
        prompt: format!("pick: {first} {second} ->"),
        chosen: format!(" {first}"),
        rejected: format!(" {second}"),
    }))
}

fn chats(pairs: &[Pair]) -> anyhow::Result<String> {
    lines(pairs.iter().map(|(user, assistant)| Chat {
        messages: [
            Message {
                role: "user",
                content: user,
            },
            Message {
                role: "assistant",
                content: assistant,
            },
        ],
    }))
}

fn lines(records: impl Iterator<Item = impl Serialize>) -> anyhow::Result<String> {
    let mut text = String::new();
    for record in records {
        text.push_str(&serde_json::to_string(&record)?);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_current() {
        run(Mode::Check).unwrap();
    }
}
