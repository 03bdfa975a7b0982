//! The settings of a run from the command line, `--set` and a recipe file, in this order of strength.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

use super::given::{Given, RECIPE};
use super::recipe_file::{Entry, RecipeFile, nearest, of_assignment};
use super::setting::{Kind, Origin, Setting, defaults, excludes, key_of, kind};
use crate::connect::ENGINE_OPTIONS;
use crate::context::Context;
use crate::exit::Usage;

/// Key of the data files.
const DATA: &str = "data";
/// Options that are no settings of a run.
const NOT_SETTINGS: [&str; 5] = ["set", "dry_run", "show_resolved", "help", "version"];

/// Settings that were chosen so far, by key.
struct Chosen<'a> {
    command: &'a Command,
    by_key: BTreeMap<String, (Vec<OsString>, Origin)>,
}

/// The arguments of a recipe and the settings that they come from: options on the command line before `--set` before the
/// recipe file among the data before defaults. The context treats all of them as typed.
pub(super) fn resolve<A: clap::Args>(
    recipe: &'static str,
    context: &Context,
) -> anyhow::Result<(A, Given, Context)> {
    let command = command::<A>();
    let mut chosen = Chosen::new(&command);
    let (mut assigned, mut file) = (Vec::new(), None);
    for typed in context.typed() {
        let mut values = typed.values.clone();
        match typed.key.as_str() {
            "set" => {
                for assignment in &values {
                    assigned.push(of_assignment(&assignment.to_string_lossy())?);
                }
                continue;
            }
            DATA => {
                let is_recipe = |value: &OsString| {
                    Path::new(value)
                        .extension()
                        .is_some_and(|end| end == "toml")
                };
                let recipes: Vec<OsString> = values
                    .iter()
                    .filter(|value| is_recipe(value))
                    .cloned()
                    .collect();
                values.retain(|value| !is_recipe(value));
                match &recipes[..] {
                    [] => {}
                    [only] => file = Some(RecipeFile::read(Path::new(only))?),
                    _ => return Err(Usage("give one recipe file".to_owned()).into()),
                }
                if values.is_empty() {
                    continue;
                }
            }
            _ => {}
        }
        chosen.add_known(&typed.key, values, &Origin::CommandLine);
    }
    chosen.add_all(assigned, recipe, |_| Origin::Assigned)?;
    if let Some(file) = &file {
        chosen.add_file(file, recipe)?;
    }
    let (args, given) = chosen.parse(recipe)?;
    let context = context.with_typed(given.typed());
    Ok((args, given, context))
}

/// The arguments of a run from the recipe file in its folder.
pub(super) fn load<A: clap::Args>(
    recipe: &'static str,
    file: &RecipeFile,
    context: &Context,
) -> anyhow::Result<(A, Given, Context)> {
    let command = command::<A>();
    let mut chosen = Chosen::new(&command);
    chosen.add_file(file, recipe)?;
    let (args, given) = chosen.parse(recipe)?;
    let mut typed = given.typed();
    // The others are those of the run, typed or not.
    typed.retain(|option| ENGINE_OPTIONS.contains(&option.as_str()));
    let context = context.with_typed(typed);
    Ok((args, given, context))
}

/// The arguments of words as they are typed, for tests.
#[cfg(test)]
pub(super) fn of_words<A: clap::Args>(recipe: &'static str, words: &[&str]) -> (A, Given) {
    let command = command::<A>();
    let line = ["train"].iter().chain(words);
    let matches = command.clone().try_get_matches_from(line).unwrap();
    let mut chosen = Chosen::new(&command);
    for typed in crate::options::Typed::all(&command, &matches) {
        chosen.add_known(&typed.key, typed.values, &Origin::CommandLine);
    }
    chosen.parse(recipe).unwrap()
}

fn command<A: clap::Args>() -> Command {
    A::augment_args(Command::new("train")).disable_help_flag(true)
}

impl<'a> Chosen<'a> {
    fn new(command: &'a Command) -> Self {
        Self {
            command,
            by_key: BTreeMap::new(),
        }
    }

    fn add_file(&mut self, file: &RecipeFile, recipe: &str) -> Result<(), Usage> {
        self.add_all(file.entries.clone(), recipe, |entry| {
            Origin::File(entry.place.clone())
        })
    }

    fn add_all(
        &mut self,
        entries: Vec<Entry>,
        recipe: &str,
        origin: impl Fn(&Entry) -> Origin,
    ) -> Result<(), Usage> {
        for entry in entries {
            if entry.key == RECIPE {
                match entry.values.first() {
                    Some(named) if named != recipe => {
                        let named = named.to_string_lossy();
                        let command = if named == "supervised" {
                            "train".to_owned()
                        } else {
                            format!("train {named}")
                        };
                        let place = &entry.place;
                        return Err(Usage(format!(
                            "{place}: this is a recipe for `{command}`, not for `{recipe}`"
                        )));
                    }
                    _ => continue,
                }
            }
            let origin = origin(&entry);
            if !self.add(&entry.key, entry.values, &origin) {
                return Err(self.unknown(&entry.key, &entry.place));
            }
        }
        Ok(())
    }

    /// Adds a setting that the command has, unless a stronger origin has one that it would replace or contradict.
    fn add_known(&mut self, key: &str, values: Vec<OsString>, origin: &Origin) {
        // Options of every command are no settings.
        let _is_setting = self.add(key, values, origin);
    }

    /// Whether there is such a setting.
    fn add(&mut self, key: &str, values: Vec<OsString>, origin: &Origin) -> bool {
        let Some(arg) = self.option(key) else {
            return false;
        };
        if NOT_SETTINGS.contains(&key) && *origin != Origin::CommandLine {
            return false;
        }
        let excludes = excludes(self.command, arg);
        let is_excluded = self.by_key.iter().any(|(other, (_, stronger))| {
            let same_layer = std::mem::discriminant(stronger) == std::mem::discriminant(origin);
            !same_layer && excludes.contains(other)
        });
        if !is_excluded && !self.by_key.contains_key(key) {
            self.by_key.insert(key.to_owned(), (values, origin.clone()));
        }
        true
    }

    fn option(&self, key: &str) -> Option<&'a Arg> {
        let mut all = self.command.get_arguments();
        all.find(|arg| key_of(arg) == key)
    }

    fn settings(&self) -> impl Iterator<Item = &'a Arg> {
        let all = self.command.get_arguments();
        all.filter(|arg| !NOT_SETTINGS.contains(&key_of(arg).as_str()))
    }

    fn unknown(&self, key: &str, place: &str) -> Usage {
        let known: Vec<String> = self.settings().map(key_of).collect();
        let close = nearest(key, known.iter().map(String::as_str));
        let advice = close.map_or_else(
            || format!("the settings are {}", known.join(", ")),
            |close| format!("did you mean {close:?}?"),
        );
        Usage(format!("{place}: there is no setting {key:?}; {advice}"))
    }

    fn parse<A: clap::Args>(self, recipe: &'static str) -> anyhow::Result<(A, Given)> {
        let mut line: Vec<OsString> = vec!["train".into()];
        let mut data = Vec::new();
        for (key, (values, _)) in &self.by_key {
            let Some(arg) = self.option(key) else {
                continue;
            };
            // A default may be written down beside an option that excludes it.
            if defaults(arg) == *values {
                continue;
            }
            match arg.get_long() {
                None => data.clone_from(values),
                Some(long) if kind(arg) == Kind::Flag => {
                    let is_set = values.iter().any(|value| value == "true");
                    line.extend(is_set.then(|| format!("--{long}").into()));
                }
                Some(long) => line.extend(values.iter().map(|value| {
                    let mut word = OsString::from(format!("--{long}="));
                    word.push(value);
                    word
                })),
            }
        }
        if data.is_empty() {
            let message = "no data file is named; add `data = \"FILE\"` to the recipe file, or name one on the command line";
            return Err(Usage(message.to_owned()).into());
        }
        line.push("--".into());
        line.extend(data);
        let matches = self.command.clone().try_get_matches_from(line);
        let matches = matches.map_err(|error| self.refused(&error))?;
        let args = A::from_arg_matches(&matches).map_err(|error| self.refused(&error))?;
        let setting = |arg: &Arg| {
            let key = key_of(arg);
            let (values, origin) = self.by_key.get(&key).cloned().unwrap_or_else(|| {
                let values = defaults(arg);
                let origin = if values.is_empty() {
                    Origin::Unset
                } else {
                    Origin::Default
                };
                (values, origin)
            });
            Setting {
                option: arg.get_long().map(|long| format!("--{long}")),
                kind: kind(arg),
                is_list: matches!(arg.get_action(), ArgAction::Append),
                excludes: excludes(self.command, arg),
                default: defaults(arg),
                key,
                values,
                origin,
            }
        };
        let settings = self.settings().map(setting).collect();
        Ok((args, Given { recipe, settings }))
    }

    /// The refusal of the option parser, with the line of the recipe file.
    fn refused(&self, error: &clap::Error) -> Usage {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        let text = text.split("\n\nUsage").next().unwrap_or(text);
        let text = text.split("\n\nFor more").next().unwrap_or(text).trim_end();
        let concerned = self.by_key.iter().find(|(key, _)| {
            let option = format!("'--{}", key.replace('_', "-"));
            text.match_indices(&option).any(|(at, _)| {
                !text[at + option.len()..].starts_with(|c: char| c == '-' || c.is_alphanumeric())
            })
        });
        match concerned {
            Some((_, (_, Origin::File(place)))) => Usage(format!("{place}: {text}")),
            Some((_, (_, Origin::Assigned))) => Usage(format!("--set: {text}")),
            _ => Usage(text.to_owned()),
        }
    }
}
