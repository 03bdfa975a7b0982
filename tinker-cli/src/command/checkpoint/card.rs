//! The model card of an adapter on the Hub: what it is, how to use it, and how it was made.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::command::train::Past;
use crate::format;
use crate::peft_folder::PeftFolder;

/// Settings of a run that the card shows, with their titles. Paths stay out of it: they name folders of a machine.
const SETTINGS: [(&str, &str); 11] = [
    ("recipe", "recipe"),
    ("rank", "rank"),
    ("examples", "examples"),
    ("prompts", "prompts"),
    ("batch_size", "batch size"),
    ("group_size", "answers for each prompt"),
    ("learning_rate", "learning rate"),
    ("schedule", "schedule"),
    ("epochs", "epochs"),
    ("seed", "seed"),
    ("tinker_version", "tinker"),
];

/// The contents of a card.
pub(super) struct Card<'a> {
    /// Repository, as far as the user named it.
    pub(super) repository: &'a str,
    pub(super) adapter: &'a PeftFolder,
    /// Base model, if it is one of the Hub.
    pub(super) base: Option<&'a str>,
    pub(super) license: Option<&'a str>,
    pub(super) run: Option<&'a Past>,
}

/// Whether a base model may be one of the Hub: not a folder, and not the built-in model.
pub(super) fn is_of_hub(model: &str) -> bool {
    let is_name = model.parse::<tinker_client::hub::Repository>().is_ok();
    is_name
        && model.contains('/')
        && !model.starts_with("tinker-local/")
        && !Path::new(model).exists()
}

impl Card<'_> {
    /// The card as Markdown with its header in YAML.
    pub(super) fn to_markdown(&self) -> String {
        let name = self.repository.rsplit('/').next().unwrap_or_default();
        let mut text = self.header();
        let rank = self.adapter.rank();
        let base = self.base.map_or_else(
            || {
                format!(
                    "`{}`",
                    self.adapter.base_model().unwrap_or("an unnamed model")
                )
            },
            |base| format!("[{base}](https://huggingface.co/{base})"),
        );
        let lead = format!(
            "\n# {name}\n\nA LoRA adapter of rank {rank} for {base}, trained with `tinker`.\n"
        );
        text.push_str(&lead);
        if let Some(base) = self.base {
            text.push_str(&self.usage(base));
        }
        if let Some(run) = self.run {
            text.push_str(&training(run));
        }
        text
    }

    /// Texts are written as JSON strings, which YAML reads.
    fn header(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = "---\n".to_owned();
        if let Some(base) = self.base {
            let _ = writeln!(text, "base_model: {}", quoted(base));
        }
        text.push_str("library_name: peft\npipeline_tag: text-generation\n");
        if let Some(license) = self.license {
            let _ = writeln!(text, "license: {}", quoted(license));
        }
        text.push_str("tags:\n- lora\n- tinker\n---\n");
        text
    }

    fn usage(&self, base: &str) -> String {
        let repository = self.repository;
        let rank = self.adapter.rank().max(16);
        let name = repository.rsplit('/').next().unwrap_or_default();
        format!(
            "
## Use

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(\"{base}\")
model = PeftModel.from_pretrained(base, \"{repository}\")
```

```sh
vllm serve {base} --enable-lora --max-lora-rank {rank} --lora-modules {name}={repository}
```
"
        )
    }
}

fn training(run: &Past) -> String {
    let mut rows = Vec::new();
    for (setting, title) in SETTINGS {
        if run
            .settings
            .get(setting)
            .is_some_and(|value| !value.is_null())
        {
            rows.push((title.to_owned(), run.setting(setting)));
        }
    }
    if let Some(Value::String(data)) = run.settings.get("data") {
        let file = Path::new(data).file_name().unwrap_or_default();
        rows.push(("data".to_owned(), format!("`{}`", file.to_string_lossy())));
    }
    if let Some(Value::String(digest)) = run.settings.get("data_sha256") {
        rows.push(("SHA-256 of the data".to_owned(), format!("`{digest}`")));
    }
    rows.push(("steps".to_owned(), format::number(run.steps as u64)));
    let summary = run.summary.as_ref();
    let of_summary = |name: &str| summary.and_then(|summary| summary.get(name));
    if let Some(tokens) = of_summary("tokens").and_then(Value::as_u64) {
        rows.push(("tokens".to_owned(), format::number(tokens)));
    }
    for (name, title) in [
        ("first_loss", "loss at first"),
        ("last_loss", "loss at last"),
    ] {
        if let Some(loss) = of_summary(name).and_then(Value::as_f64) {
            rows.push((title.to_owned(), format!("{loss:.4}")));
        }
    }
    for (name, title) in [
        ("before", "held-out answers before"),
        ("after", "held-out answers after"),
    ] {
        if let Some(score) = of_summary(name).and_then(score) {
            rows.push((title.to_owned(), score));
        }
    }
    let metrics = run.last.iter().flat_map(|row| &row.metrics);
    rows.extend(metrics.map(|(name, value)| (format!("`{name}` at last"), format!("{value:.4}"))));
    let mut text = "\n## Training\n\n| | |\n|---|---|\n".to_owned();
    for (title, value) in rows {
        // A cell ends at a bar.
        let _ = writeln!(text, "| {title} | {} |", value.replace('|', "\\|"));
    }
    text
}

/// Right answers of all.
fn score(score: &Value) -> Option<String> {
    let (exact, asked) = (score.get("exact")?.as_u64()?, score.get("asked")?.as_u64()?);
    Some(format!("{exact} of {asked} exact"))
}
