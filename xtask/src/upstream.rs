//! The official SDK beside this project: what is new, gone or changed since the version that the project follows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::output::workspace_root;

const SCRIPT: &str = "tests/python/upstream.py";
/// Facts of the version that the project follows.
const FOLLOWED: &str = "tests/fixtures/upstream.json";

/// Endpoints of this project that the followed version does not call: those of older and newer versions, and those of
/// files, health and tokens that it reaches otherwise.
const OF_OTHER_VERSIONS: [&str; 6] = [
    "GET training_runs/{}/checkpoints/{}/archive",
    "POST checkpoints/search",
    "POST external_weights_upload_finish",
    "POST external_weights_upload_start",
    "POST sample_sequence_ids",
    "POST unload_model",
];

/// Facts by kind, then by name.
type Facts = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Deserialize)]
struct Sdk {
    version: String,
    facts: Facts,
}

/// Reads installed SDKs and prints a report as Markdown. Fails if something that the project relies on is gone from a
/// version that is not older than the followed one. With `write`, the first SDK becomes the followed one.
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub(crate) fn run(pythons: &[PathBuf], write: bool) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    let followed: Sdk = serde_json::from_str(&shell.read_file(FOLLOWED)?)?;
    let relied = relied(&root)?;
    let mut broken = Vec::new();
    for python in pythons {
        let text = cmd!(shell, "{python} {SCRIPT}").quiet().read()?;
        let sdk: Sdk = serde_json::from_str(&text)
            .with_context(|| format!("{} printed no facts", python.display()))?;
        if write {
            shell.write_file(FOLLOWED, text + "\n")?;
            return Ok(());
        }
        let gone = missing(&relied, &sdk.facts);
        print!("{}", report(&followed, &sdk, &gone));
        if number(&sdk.version) >= number(&followed.version) {
            broken.extend(
                gone.into_iter()
                    .map(|name| format!("{}: {name}", sdk.version)),
            );
        }
    }
    if !broken.is_empty() {
        bail!("gone, but relied on:\n  {}", broken.join("\n  "));
    }
    Ok(())
}

fn number(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// Facts that the project relies on: its routes, the flags that it reads, the messages of its protobuf schema.
fn relied(root: &Path) -> anyhow::Result<BTreeMap<&'static str, BTreeSet<String>>> {
    let mut routes = BTreeSet::new();
    for file in crate::code::rust_files(root, "tinker-types")? {
        collect_routes(&std::fs::read_to_string(root.join(&file))?, &mut routes);
    }
    routes.retain(|route| !OF_OTHER_VERSIONS.contains(&route.as_str()));
    let mut flags = BTreeSet::new();
    for name in ["ClientConfig", "DynamicConfig"] {
        let path = root.join(format!("schemas/{name}.json"));
        let schema: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let properties = schema["properties"].as_object();
        flags.extend(
            properties
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone()),
        );
    }
    Ok(BTreeMap::from([
        ("routes", routes),
        ("flags", flags),
        ("descriptor", descriptor(root)?),
    ]))
}

/// The routes of `endpoint!` and of the tables of endpoints, as `METHOD path` with `{}` for each part that varies.
fn collect_routes(text: &str, routes: &mut BTreeSet<String>) {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let pieces: Vec<&str> = text.split('"').collect();
    for pair in pieces.windows(2).step_by(2) {
        let [before, route] = pair else { continue };
        let word = before.split_whitespace().next_back().unwrap_or_default();
        let method = match word {
            "Get" | "Post" | "Put" | "Delete" => word.to_uppercase(),
            _ if before
                .rsplit("endpoint!(")
                .next()
                .is_some_and(|rest| is_head(rest, before)) =>
            {
                "POST".to_owned()
            }
            _ => continue,
        };
        routes.insert(format!("{method} {}", normal(route)));
    }
}

/// Whether a text is the head of an `endpoint!` with the default method: `Request => Response, `.
fn is_head(rest: &str, before: &str) -> bool {
    rest.len() < before.len()
        && rest.contains("=>")
        && rest.trim_end().ends_with(',')
        && !rest.contains(';')
}

fn normal(route: &str) -> String {
    let mut normal = String::new();
    for (at, part) in route.split('/').enumerate() {
        if at > 0 {
            normal.push('/');
        }
        normal.push_str(if part.starts_with('{') { "{}" } else { part });
    }
    // The official client has kind and name in one part.
    normal.replace("checkpoints/{}/{}", "checkpoints/{}")
}

/// The fields of the protobuf schema: `Message.field`, with number, label and type.
fn descriptor(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let files = protox::compile(["tinker_public.proto"], [root.join("tinker-types/proto")])?;
    let mut fields = BTreeSet::new();
    for file in files.file {
        let mut messages: Vec<_> = file
            .message_type
            .into_iter()
            .map(|message| (String::new(), message))
            .collect();
        while let Some((prefix, message)) = messages.pop() {
            let name = format!("{prefix}{}", message.name());
            for field in &message.field {
                let kind = field.type_name().rsplit('.').next().unwrap_or_default();
                let number = field.r#type.unwrap_or_default().to_string();
                let kind = if kind.is_empty() { &number } else { kind };
                let (field, at, label) = (field.name(), field.number(), field.label.unwrap_or(1));
                fields.insert(format!("{name}.{field} = {at} {label} {kind}"));
            }
            messages.extend(
                message
                    .nested_type
                    .into_iter()
                    .map(|inner| (format!("{name}."), inner)),
            );
        }
    }
    Ok(fields)
}

/// Facts that the project relies on and an SDK lacks.
fn missing(relied: &BTreeMap<&'static str, BTreeSet<String>>, facts: &Facts) -> Vec<String> {
    let mut missing = Vec::new();
    for (kind, names) in relied {
        let has = |name: &String| {
            let known = facts.get(*kind);
            let (name, value) = name
                .split_once(" = ")
                .map_or((name.as_str(), None), |(name, value)| (name, Some(value)));
            known
                .and_then(|known| known.get(name))
                .is_some_and(|found| value.is_none_or(|value| value == found))
        };
        missing.extend(
            names
                .iter()
                .filter(|name| !has(name))
                .map(|name| format!("{kind}: {name}")),
        );
    }
    missing
}

fn report(followed: &Sdk, sdk: &Sdk, gone: &[String]) -> String {
    let mut text = format!("## {} beside {}\n\n", sdk.version, followed.version);
    let mut is_same = true;
    for (kind, known) in &followed.facts {
        let none = BTreeMap::new();
        let found = sdk.facts.get(kind).unwrap_or(&none);
        let new = found.keys().filter(|name| !known.contains_key(*name));
        let lost = known.keys().filter(|name| !found.contains_key(*name));
        let both = known
            .iter()
            .filter_map(|(name, value)| Some((name, value, found.get(name)?)));
        let changed = both
            .filter(|(_, old, new)| old != new)
            .map(|(name, ..)| name);
        let kinds: [(&str, Vec<&String>); 3] = [
            ("only there", new.collect()),
            ("not there", lost.collect()),
            ("different", changed.collect()),
        ];
        for (word, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            is_same = false;
            let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
            let line = format!("- {kind}, {word} ({}): {}\n", names.len(), names.join(", "));
            text.push_str(&line);
        }
    }
    if is_same {
        text += "No differences.\n";
    }
    let relied_on = match gone {
        [] => "\nEverything that this project relies on is there.\n\n".to_owned(),
        gone => {
            let lines: Vec<String> = gone.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "\nRelied on, and not there ({}): {}\n\n",
                gone.len(),
                lines.join(", ")
            )
        }
    };
    text + &relied_on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_from_declarations() {
        let text = r#"
            endpoint!(A => B, "create_model");
            endpoint!(C => D, Get "runs/{run}/checkpoints/{kind}/{name}/publish" as "x", query(this) vec![("limit", 1)]);
            endpoint!(E => promise of F, "save_weights", E);
            on! { /// Deletes "x".
                G: Delete "audit/{day}" as "g" => H; }
        "#;
        let mut routes = BTreeSet::new();
        collect_routes(text, &mut routes);
        let expected = [
            "DELETE audit/{}",
            "GET runs/{}/checkpoints/{}/publish",
            "POST create_model",
            "POST save_weights",
        ];
        assert!(
            expected.iter().all(|route| routes.contains(*route)),
            "{routes:?}"
        );
        assert_eq!(routes.len(), expected.len(), "{routes:?}");
    }

    #[test]
    fn a_field_with_another_number_is_missing() {
        let relied = BTreeMap::from([("descriptor", BTreeSet::from(["A.b = 1 1 9".to_owned()]))]);
        let facts = |value: &str| {
            Facts::from([(
                "descriptor".to_owned(),
                BTreeMap::from([("A.b".to_owned(), value.to_owned())]),
            )])
        };
        assert!(missing(&relied, &facts("1 1 9")).is_empty());
        assert_eq!(missing(&relied, &facts("2 1 9")).len(), 1);
    }
}
