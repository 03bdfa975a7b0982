//! Options that select the chat template.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_data::{Json, Template};

use crate::exit::Usage;

/// Advice for data that no chat template writes.
pub(crate) const WITHOUT_MESSAGES: &str = "no row of the data holds messages, and plain texts are not written by a chat template; leave the option out";

/// Options that select the chat template.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TemplateArgs {
    /// File with a Jinja chat template for conversations [default: the chat template of the model].
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
    /// Variable of the chat template, for example enable_thinking=false. The value is JSON, else text. May be repeated.
    #[arg(long = "template-arg", value_name = "NAME=VALUE", value_parser = parse)]
    template_args: Vec<(String, Json)>,
}

impl TemplateArgs {
    /// The first of the options that is given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        if self.chat_template.is_some() {
            Some("--chat-template")
        } else {
            (!self.template_args.is_empty()).then_some("--template-arg")
        }
    }

    /// Returns an error if template options are given and no input has messages. `fix` is the advice of the error.
    pub(crate) fn refuse_inert(&self, has_messages: bool, fix: &str) -> Result<(), Usage> {
        match self.given().filter(|_| !has_messages) {
            Some(option) => Err(Usage(format!("{option} has no effect: {fix}"))),
            None => Ok(()),
        }
    }

    /// The template of the options, else that of the model's folder. A folder without a usable template gives one that
    /// refuses every conversation, as plain texts need none.
    pub(super) fn of_folder(&self, folder: &Path) -> anyhow::Result<Template> {
        let own = || match Template::from_folder(folder) {
            Ok(template) => template,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no chat template");
                Template::refusing(&error)
            }
        };
        self.apply(self.file(Some(folder))?.unwrap_or_else(own))
    }

    /// The template of the options, else the plain one of the built-in model.
    pub(crate) fn plain(&self) -> anyhow::Result<Template> {
        self.apply(self.file(None)?.unwrap_or_else(Template::plain))
    }

    fn file(&self, folder: Option<&Path>) -> anyhow::Result<Option<Template>> {
        let file = self.chat_template.as_deref();
        let template = file.map(|file| Template::from_file(file, folder));
        template.transpose().context("--chat-template")
    }

    fn apply(&self, template: Template) -> anyhow::Result<Template> {
        let args = self.template_args.iter().cloned();
        template.with_args(args).context("--template-arg")
    }

    /// The options as shell words.
    pub(super) fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(file) = &self.chat_template {
            words.extend(["--chat-template".to_owned(), file.display().to_string()]);
        }
        for (name, value) in &self.template_args {
            let value = match value {
                Json::String(text) if serde_json::from_str::<Json>(text).is_err() => text.clone(),
                value => serde_json::to_string(value).unwrap_or_default(),
            };
            words.extend(["--template-arg".to_owned(), format!("{name}={value}")]);
        }
        words
    }
}

/// `NAME=VALUE`.
fn parse(argument: &str) -> Result<(String, Json), String> {
    let (name, value) = argument
        .split_once('=')
        .ok_or("write it as NAME=VALUE, for example enable_thinking=false")?;
    let is_name = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if !is_name || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{name:?} is not the name of a variable"));
    }
    match serde_json::from_str(value) {
        Ok(json) => Ok((name.to_owned(), json)),
        Err(error) if value.starts_with(['{', '[', '"']) => {
            Err(format!("{value} is not valid JSON: {error}"))
        }
        Err(_) => Ok((name.to_owned(), value.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_text() {
        for (argument, json) in [
            ("a=false", "false"),
            ("a=1.5", "1.5"),
            ("_a1=low", "\"low\""),
            ("a=", "\"\""),
            ("a=b=c", "\"b=c\""),
            (r#"a={"b": [1]}"#, r#"{"b":[1]}"#),
            (r#"a="true""#, "\"true\""),
        ] {
            let (_, value) = parse(argument).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json, "{argument}");
        }
        for (argument, expected) in [
            ("a", "NAME=VALUE"),
            ("=1", "not the name"),
            ("1a=1", "not the name"),
            ("a-b=1", "not the name"),
            (r#"a={"b": 1, "b": 2}"#, "the key \"b\" is repeated"),
            ("a=[1", "not valid JSON"),
        ] {
            let error = parse(argument).unwrap_err();
            assert!(error.contains(expected), "{argument}: {error}");
        }
    }

    #[test]
    fn words_give_the_same_options() {
        let args = TemplateArgs {
            chat_template: Some("t.jinja".into()),
            template_args: vec![
                ("a".to_owned(), true.into()),
                ("b".to_owned(), "low".into()),
                ("c".to_owned(), "true".into()),
            ],
        };
        let words = args.to_words();
        assert_eq!(words[..2], ["--chat-template", "t.jinja"]);
        let again: Vec<_> = words[3..]
            .iter()
            .step_by(2)
            .map(|word| parse(word))
            .collect();
        assert_eq!(
            again,
            args.template_args.into_iter().map(Ok).collect::<Vec<_>>()
        );
    }
}
