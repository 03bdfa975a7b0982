//! The conversation to continue, from options and files.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context as _;
use tinker_data::{Conversation, Dataset, Example, Format, Message, Prompt, ReadOptions};

use crate::exit::Usage;

/// Reads messages: a JSON list, or an object as in data files, with `messages`, and `tools` beside.
pub(super) fn read(path: &Path) -> anyhow::Result<Conversation> {
    let text = text_of(path)?;
    let row = if text.trim_start().starts_with('[') {
        format!("{{\"messages\": {text}}}")
    } else {
        text
    };
    parse(path, &row)
}

/// A message of the user after a system message, if there is one.
pub(super) fn of_texts(system: Option<&str>, prompt: &str) -> Conversation {
    let system = system.map(Message::system);
    let messages: Vec<Message> = system.into_iter().chain([Message::user(prompt)]).collect();
    messages.into()
}

/// Reads tools, a JSON list of schemas, for a conversation.
pub(super) fn add_tools(conversation: &mut Conversation, path: &Path) -> anyhow::Result<()> {
    let tools = text_of(path)?;
    let row = format!(
        "{{\"messages\": [{{\"role\": \"user\", \"content\": \"-\"}}], \"tools\": {tools}}}"
    );
    conversation.tools = parse(path, &row)?.tools;
    Ok(())
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Parses a row of a data file that has a conversation.
fn parse(path: &Path, row: &str) -> anyhow::Result<Conversation> {
    // One row of JSON Lines has no line break; outside of texts it means nothing.
    let row = row.replace(['\r', '\n'], " ");
    let options = ReadOptions::new().with_format(Format::Rl);
    let read = Dataset::read(path, Cursor::new(row), &options)?;
    match read.rows.into_iter().next().map(|row| row.example) {
        Some(Example::Problem {
            prompt: Prompt::Chat(conversation),
            ..
        }) => Ok(conversation),
        _ => Err(Usage(format!(
            "{} holds no messages; write a list: [{{\"role\": \"user\", \"content\": \"...\"}}]",
            path.display()
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use tinker_data::Role;

    use super::*;

    fn with<T>(text: &str, read: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn messages_are_a_list_or_a_row() {
        let list = "[\n  {\"role\": \"system\", \"content\": \"a\"},\n  {\"role\": \"user\", \"content\": \"b\"}\n]\n";
        let row = format!("{{\"messages\": {list}, \"tools\": [{{\"type\": \"function\"}}]}}");
        for (text, tools) in [(list, 0), (row.as_str(), 1)] {
            let read = with(text, read).unwrap();
            let texts: Vec<&str> = read.messages.iter().map(Message::text).collect();
            assert_eq!((texts, read.tools.len()), (vec!["a", "b"], tools));
            assert_eq!(read.messages[0].role, Role::System);
        }
        for text in [
            "[]",
            "{\"prompt\": \"a\"}",
            "[1]",
            "",
            "[{\"role\": \"user\"}]",
        ] {
            assert!(with(text, read).is_err(), "{text}");
        }
    }

    #[test]
    fn tools_are_a_list() {
        let mut conversation = of_texts(Some("s"), "u");
        with("[{\"type\": \"function\"}]", |path| {
            add_tools(&mut conversation, path)
        })
        .unwrap();
        assert_eq!(
            (conversation.tools.len(), conversation.messages.len()),
            (1, 2)
        );
        assert!(with("{}", |path| add_tools(&mut conversation, path)).is_err());
    }
}
