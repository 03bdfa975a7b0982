//! The settings of a run, with their origins.

use std::ffi::OsString;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use toml_edit::Value;

use super::setting::{Kind, Origin, Setting};
use crate::context::Context;
use crate::report::{self, Printable};

/// Key that names the recipe in a recipe file.
pub(super) const RECIPE: &str = "recipe";
/// Settings that are not kept in the run folder: its place.
const NOT_KEPT: [&str; 1] = ["output"];
/// Settings that another server or another start replaces.
const OF_START: [&str; 18] = [
    "resume",
    "branch",
    "weights_only",
    "first_step",
    "steps",
    "epochs",
    "model",
    "rank",
    "alpha",
    "train",
    "output",
    "threads",
    "base_url",
    "server",
    "local",
    "data_dir",
    "context",
    "decode",
];

/// The settings of a run, in the order of the options of its command.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) recipe: &'static str,
    pub(super) settings: Vec<Setting>,
}

impl Given {
    /// Options whose value is not the default.
    pub(super) fn typed(&self) -> Vec<String> {
        let chosen = self.settings.iter().filter(|setting| {
            setting.origin < Origin::Default && setting.values != setting.default
        });
        chosen
            .filter_map(|setting| setting.option.clone())
            .collect()
    }

    /// Sets what follows from other settings, the model or the data; an empty text is no value. Settings that it excludes
    /// are left out: it replaces them.
    pub(super) fn derive(&mut self, key: &str, value: &impl ToString, why: &str) {
        let value = OsString::from(value.to_string());
        let Some(at) = self.settings.iter().position(|setting| setting.key == key) else {
            return;
        };
        let excludes = self.settings[at].excludes.clone();
        let mut why = why.to_owned();
        for other in &mut self.settings {
            if excludes.contains(&other.key) && other.origin < Origin::Default {
                why = format!("from {} = {}, {}", other.key, other.shown(), other.origin);
                other.origin = Origin::Unset;
                other.values.clear();
            }
        }
        let setting = &mut self.settings[at];
        if value.is_empty() {
            setting.values.clear();
            setting.origin = Origin::Unset;
        } else if setting.values != [value.clone()] {
            setting.values = vec![value];
            setting.origin = Origin::Derived(why);
        }
    }

    /// Sets the model, if none was chosen. A chosen one stays as it was written, so that a folder is found again.
    pub(super) fn derive_model(&mut self, model: &str) {
        let mut settings = self.settings.iter();
        let chosen = settings.find(|setting| setting.key == "model");
        if chosen.is_some_and(|setting| setting.origin >= Origin::Default) {
            self.derive("model", &model, "the only one, or the built-in one");
        }
    }

    /// Prints the result of a check: with `shows_recipe` the recipe file on stdout and the rest as notes.
    pub(super) fn print_check<P: Printable>(
        &self,
        check: &P,
        shows_recipe: bool,
        context: &Context,
    ) -> anyhow::Result<()> {
        if !shows_recipe || !context.report.is_text() {
            return context.report.print(check);
        }
        context
            .printer
            .print_line(check.to_text(context.printer.style).trim_end());
        report::write(self.to_toml().as_bytes())
    }

    /// The settings as a recipe file, with their origins as comments.
    pub(super) fn to_toml(&self) -> String {
        self.toml(&[])
    }

    /// The settings as the recipe file of a run folder.
    pub(super) fn to_kept_toml(&self) -> String {
        self.toml(&NOT_KEPT)
    }

    fn toml(&self, without: &[&str]) -> String {
        let recipe = self.recipe;
        let mut text = format!("{RECIPE} = {}\n", Value::from(recipe));
        for setting in &self.settings {
            if without.contains(&setting.key.as_str()) {
                continue;
            }
            let key = &setting.key;
            if setting.origin == Origin::Unset || self.is_excluded_default(setting) {
                text += &format!("# {key} is not set\n");
            } else {
                let line = format!("{key} = {}", setting.shown());
                text += &format!("{line:<40}  # {}\n", setting.origin);
            }
        }
        text
    }

    /// Whether another setting takes the place of this default.
    fn is_excluded_default(&self, setting: &Setting) -> bool {
        let is_given = |other: &&Setting| other.origin < Origin::Default;
        let mut given = self.settings.iter().filter(is_given);
        setting.origin == Origin::Default
            && given.any(|other| setting.excludes.contains(&other.key))
    }

    /// Words of the command with these settings, without the start, the number of steps and the place of the run.
    pub(super) fn to_words(&self) -> Vec<String> {
        let mut words = vec!["train".to_owned()];
        if self.recipe != "supervised" {
            words.push(self.recipe.to_owned());
        }
        let value = |value: &OsString| value.to_string_lossy().into_owned();
        for setting in &self.settings {
            if OF_START.contains(&setting.key.as_str()) || setting.values == setting.default {
                continue;
            }
            match &setting.option {
                None => words.extend(setting.values.iter().map(value)),
                Some(option) if setting.kind == Kind::Flag => {
                    words.extend((setting.values == ["true"]).then(|| option.clone()));
                }
                Some(option) => {
                    for one in &setting.values {
                        words.extend([option.clone(), value(one)]);
                    }
                }
            }
        }
        words
    }
}

/// `{"key": {"value": .., "source": ..}}`.
impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            value: Option<serde_json::Value>,
            source: String,
        }
        let mut map = serializer.serialize_map(Some(self.settings.len()))?;
        for setting in &self.settings {
            let value = setting.values.iter().map(|value| {
                let text = value.to_string_lossy().into_owned();
                match setting.kind {
                    Kind::Text => text.into(),
                    Kind::Flag | Kind::Number => {
                        serde_json::from_str(&text).unwrap_or_else(|_| text.into())
                    }
                }
            });
            let mut values: Vec<serde_json::Value> = value.collect();
            let value = if setting.is_list {
                Some(values.into())
            } else {
                values.pop()
            };
            let source = setting.origin.to_string();
            map.serialize_entry(&setting.key, &Shown { value, source })?;
        }
        map.end()
    }
}
