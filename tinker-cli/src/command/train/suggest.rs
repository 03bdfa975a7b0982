//! Suggested next commands, ready to be pasted.

use std::path::Path;

use tinker_data::{Conversation, Example, Prompt, Question, Role};
use tinker_train::RunFolder;

use super::args::Args;
use super::run_folder::QUESTION;
use super::summary::{Suggestion, shown_rows};
use crate::format::shell_word;

/// A prompt as options of `tinker sample`.
enum Asked<'a> {
    Words(Vec<String>),
    /// A conversation that options cannot express.
    File(&'a Conversation),
}

fn asked(prompt: &Prompt) -> Asked<'_> {
    let text = |text: &str| {
        // An argument that begins with a dash would be read as an option.
        let end = text.starts_with('-').then(|| "--".to_owned());
        end.into_iter().chain([text.to_owned()])
    };
    let conversation = match prompt {
        Prompt::Text(prompt) => return Asked::Words(text(prompt).collect()),
        Prompt::Chat(conversation) => conversation,
    };
    if !(conversation.tools.is_empty() && conversation.template_args.is_empty()) {
        return Asked::File(conversation);
    }
    match &conversation.messages[..] {
        [user] if user.role == Role::User => Asked::Words(
            ["--chat".to_owned()]
                .into_iter()
                .chain(text(user.text()))
                .collect(),
        ),
        [system, user] if system.role == Role::System && user.role == Role::User => {
            let options = [
                "--system".to_owned(),
                system.text().to_owned(),
                "--chat".to_owned(),
            ];
            Asked::Words(options.into_iter().chain(text(user.text())).collect())
        }
        _ => Asked::File(conversation),
    }
}

/// Samples an answer to one of the questions in the table, or, if none were held out, to the first prompt of the data.
/// Writes the question to the run folder if options cannot express it.
pub(crate) fn sample(
    program: &str,
    args: &Args,
    sampler: &str,
    questions: &[Question],
    folder: &RunFolder,
) -> anyhow::Result<Suggestion> {
    let mut words = vec![
        "sample".to_owned(),
        "--model".to_owned(),
        sampler.to_owned(),
    ];
    words.extend(args.destination.to_words());
    words.extend(["--temperature".to_owned(), "0".to_owned()]);
    // A row of the table. The shortest prompt is the easiest to read and to change.
    let rows = shown_rows(questions.len()).map(|row| &questions[row]);
    let asked = rows.map(|question| asked(&question.prompt));
    let asked = asked.min_by_key(|asked| match asked {
        Asked::Words(words) => (0, words.iter().map(String::len).sum()),
        Asked::File(conversation) => (1, conversation.messages.len()),
    });
    match asked {
        None => words.push("Hello".to_owned()),
        Some(Asked::Words(asked)) => words.extend(asked),
        Some(Asked::File(conversation)) => {
            let question = Example::Chat(conversation.clone()).to_json();
            folder.write(QUESTION, &format!("{question}\n"))?;
            let path = folder.path().join(QUESTION);
            words.extend(["--messages".to_owned(), path.display().to_string()]);
        }
    }
    Ok(Suggestion {
        purpose: "try it",
        command: command(program, &words),
    })
}

/// Continues a run that was interrupted or is out of budget.
pub(crate) fn resume(program: &str, folder: &RunFolder, budget: Option<&str>) -> Suggestion {
    let mut words = vec!["train".to_owned(), "resume".to_owned(), path(folder.path())];
    if let Some(budget) = budget {
        words.extend(["--budget".to_owned(), budget.to_owned()]);
    }
    Suggestion {
        purpose: "continue",
        command: command(program, &words),
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn command(program: &str, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    format!("{program} {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use tinker_data::Message;

    use super::*;

    fn question(prompt: Prompt) -> Question {
        Question {
            path: std::path::Path::new("x.jsonl").into(),
            line: 1,
            prompt,
            answer: None,
            expected: "e".into(),
        }
    }

    /// The words after the destination of the command that asks the first of these questions.
    fn asks(prompts: Vec<Prompt>) -> (String, RunFolder, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&place.path().join("run"), &0).unwrap();
        let questions: Vec<Question> = prompts.into_iter().map(question).collect();
        let args = Args::parsed(&["--data-dir", "/x y"]);
        let suggestion = sample("cargo run --", &args, "m", &questions, &folder).unwrap();
        let start = "cargo run -- sample --model m --data-dir '/x y' --temperature 0 ";
        let words = suggestion.command.strip_prefix(start).unwrap().to_owned();
        (words, folder, place)
    }

    #[test]
    fn the_sample_command_is_quoted_and_keeps_the_destination() {
        let text = |text: &str| Prompt::Text(text.into());
        assert_eq!(asks(vec![text("long: it's ->"), text("a ->")]).0, "'a ->'");
        assert_eq!(asks(vec![text("-1 +")]).0, "-- '-1 +'");
        assert_eq!(asks(Vec::new()).0, "Hello");
    }

    #[test]
    fn the_sample_command_asks_as_the_evaluation_did() {
        let chat = |messages: &[Message]| Prompt::Chat(messages.into());
        assert_eq!(asks(vec![chat(&[Message::user("Hi")])]).0, "--chat Hi");
        let messages = [Message::system("Be brief."), Message::user("Hi")];
        assert_eq!(
            asks(vec![chat(&messages)]).0,
            "--system 'Be brief.' --chat Hi"
        );
        let messages = ["a", "b", "c"].map(Message::user);
        let (words, folder, _place) = asks(vec![chat(&messages)]);
        let path = folder.path().join("question.json");
        assert_eq!(words, format!("--messages {}", path.display()));
        let written = std::fs::read_to_string(path).unwrap();
        let written: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(written["messages"][2]["content"], "c");
    }
}
