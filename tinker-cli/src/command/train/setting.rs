//! A setting of a run: an option of its command, with its value and its origin.

use std::any::TypeId;
use std::ffi::OsString;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};

use clap::{Arg, ArgAction, Command};
use toml_edit::Value;

/// A setting.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: String,
    /// Long name of the option; `None` for a positional argument.
    pub(super) option: Option<String>,
    pub(super) kind: Kind,
    pub(super) is_list: bool,
    /// Keys of settings that exclude this one.
    pub(super) excludes: Vec<String>,
    pub(super) values: Vec<OsString>,
    pub(super) default: Vec<OsString>,
    pub(super) origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Number,
    Text,
}

/// Origin of a setting, from the strongest to the weakest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    CommandLine,
    Assigned,
    /// A line of a recipe file.
    File(String),
    /// Computed from other settings, the model or the data.
    Derived(String),
    Default,
    Unset,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Assigned => f.write_str("--set"),
            Self::File(line) => write!(f, "file {line}"),
            Self::Derived(why) => f.write_str(why),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

impl Setting {
    /// The value in TOML.
    pub(super) fn shown(&self) -> String {
        let value = |value: &OsString| {
            let text = value.to_string_lossy();
            let parsed = text.parse::<Value>().ok();
            let plain = parsed.filter(|value| match self.kind {
                Kind::Text => false,
                Kind::Flag => value.is_bool(),
                Kind::Number => value.is_integer() || value.is_float(),
            });
            plain.map_or_else(
                || Value::from(&*text).to_string(),
                |_| text.clone().into_owned(),
            )
        };
        let values: Vec<String> = self.values.iter().map(value).collect();
        if self.is_list {
            format!("[{}]", values.join(", "))
        } else {
            values.concat()
        }
    }
}

/// The key of an option in a recipe file: its long name with underscores.
pub(super) fn key_of(arg: &Arg) -> String {
    arg.get_long()
        .unwrap_or(arg.get_id().as_str())
        .replace('-', "_")
}

pub(super) fn defaults(arg: &Arg) -> Vec<OsString> {
    match arg.get_action() {
        ArgAction::SetTrue => vec!["false".into()],
        _ => arg
            .get_default_values()
            .iter()
            .map(|value| (**value).to_owned())
            .collect(),
    }
}

pub(super) fn kind(arg: &Arg) -> Kind {
    let numbers = [
        TypeId::of::<f64>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<NonZeroU32>(),
        TypeId::of::<NonZeroU64>(),
        TypeId::of::<NonZeroUsize>(),
    ];
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        Kind::Flag
    } else if numbers
        .iter()
        .any(|number| arg.get_value_parser().type_id() == *number)
    {
        Kind::Number
    } else {
        Kind::Text
    }
}

/// Keys of the options that an option excludes, in either direction.
pub(super) fn excludes(command: &Command, arg: &Arg) -> Vec<String> {
    let own = command.get_arg_conflicts_with(arg).into_iter().map(key_of);
    let others = command.get_arguments().filter(|other| {
        let conflicts = command.get_arg_conflicts_with(other);
        conflicts
            .iter()
            .any(|conflict| conflict.get_id() == arg.get_id())
    });
    own.chain(others.map(key_of)).collect()
}
