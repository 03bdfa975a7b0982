//! Rules of the protocol, each with the tests that fail if it is broken.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// The file of the rules.
pub(crate) const RULES: &str = "tests/protocol/rules.toml";

/// All rules, in sections.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    #[serde(rename = "section")]
    pub(crate) sections: Vec<Section>,
}

/// Rules about one subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// For example `3.7`; the ids of its rules are `3.7-1`, `3.7-2` and so on.
    pub(crate) number: String,
    pub(crate) title: String,
    pub(crate) rules: Vec<Rule>,
}

/// An observable statement about a client or a server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: String,
    #[serde(rename = "rule")]
    pub(crate) statement: String,
    #[serde(default)]
    pub(crate) tests: Vec<String>,
    /// The behaviour of this project, where it differs on purpose. The tests are of this behaviour.
    pub(crate) instead: Option<String>,
    /// The reason why there is no test.
    pub(crate) untested: Option<String>,
}

/// A test that a rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof<'a> {
    /// `path/of/file.rs: name_of_the_test`.
    Function { file: &'a str, name: &'a str },
    /// `recording area/name`, an exchange of the official client.
    Recording(&'a str),
}

impl Rules {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(root.join(RULES))
            .with_context(|| format!("cannot read {RULES}"))?;
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).with_context(|| format!("{RULES} is malformed"))
    }

    /// All rules in their order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rule> {
        self.sections.iter().flat_map(|section| &section.rules)
    }
}

impl<'a> Proof<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("recording ") {
            return Some(Self::Recording(name));
        }
        let (file, name) = text.split_once(": ")?;
        Some(Self::Function { file, name })
    }
}
