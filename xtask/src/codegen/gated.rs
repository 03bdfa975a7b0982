//! The features that an item of a public API needs, from rustdoc's JSON.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;

/// Names of features.
pub(super) type Features = BTreeSet<String>;

/// The `cfg` attributes of a library's items and files.
pub(super) struct Gates {
    items: BTreeMap<String, Gate>,
    /// Features of files, from those of their private modules.
    files: BTreeMap<String, Features>,
}

/// An item and where it stands.
#[derive(Default)]
struct Gate {
    own: Features,
    file: String,
    begins_file: bool,
    is_module: bool,
    /// Modules, types, traits and `impl` blocks that hold it.
    holders: Vec<String>,
    /// `use` items that name it.
    uses: Vec<String>,
}

impl Gates {
    /// Reads the JSON of the public items, and that of all items, which has the private modules.
    pub(super) fn read(public: &str, all: &str) -> anyhow::Result<Self> {
        let all = Self {
            items: items(all)?,
            files: BTreeMap::new(),
        };
        let modules = all.items.iter();
        let modules = modules.filter(|(_, gate)| gate.is_module && gate.begins_file);
        let files = modules.map(|(id, gate)| (gate.file.clone(), all.of(id)));
        Ok(Self {
            files: files.collect(),
            items: items(public)?,
        })
    }

    /// Features without which the item does not exist.
    pub(super) fn of(&self, id: &str) -> Features {
        let Some(gate) = self.items.get(id) else {
            return Features::new();
        };
        let mut features = gate.own.clone();
        features.extend(self.files.get(&gate.file).into_iter().flatten().cloned());
        for holder in &gate.holders {
            features.append(&mut self.of(holder));
        }
        // Of several paths to it, those with the fewest features count.
        let paths = gate.uses.iter().map(|path| self.of(path));
        let common = paths.reduce(|one, other| one.intersection(&other).cloned().collect());
        features.extend(common.unwrap_or_default());
        features
    }
}

fn items(json: &str) -> anyhow::Result<BTreeMap<String, Gate>> {
    let json: Value = serde_json::from_str(json)?;
    let index = json["index"].as_object();
    let index = index.context("rustdoc's JSON has no index")?;
    let mut items: BTreeMap<String, Gate> = BTreeMap::new();
    for (id, item) in index {
        let inner = &item["inner"];
        let gate = items.entry(id.clone()).or_default();
        gate.own = attributes(&item["attrs"]);
        gate.file = text(&item["span"]["filename"]);
        gate.begins_file = item["span"]["begin"][0] == 1;
        gate.is_module = inner.get("module").is_some();
        for child in children(inner) {
            items.entry(child).or_default().holders.push(id.clone());
        }
        if let Some(target) = inner["use"]["id"].as_u64() {
            let target = items.entry(target.to_string()).or_default();
            target.uses.push(id.clone());
        }
    }
    Ok(items)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Ids of the items within an item.
fn children(inner: &Value) -> Vec<String> {
    let lists = [
        &inner["module"]["items"],
        &inner["trait"]["items"],
        &inner["impl"]["items"],
        &inner["enum"]["variants"],
        &inner["enum"]["impls"],
        &inner["struct"]["impls"],
        &inner["struct"]["kind"]["plain"]["fields"],
        &inner["struct"]["kind"]["tuple"],
        &inner["variant"]["kind"]["struct"]["fields"],
        &inner["variant"]["kind"]["tuple"],
    ];
    let ids = lists.into_iter().filter_map(Value::as_array).flatten();
    ids.filter_map(Value::as_u64)
        .map(|id| id.to_string())
        .collect()
}

/// Features of the `cfg` attributes of an item: rustdoc prints the compiler's trace of them.
fn attributes(attributes: &Value) -> Features {
    const START: &str = "name: \"feature\", value: Some(\"";
    let attributes = attributes.as_array().into_iter().flatten();
    let traces = attributes
        .filter_map(|attribute| attribute["other"].as_str())
        .filter(|text| text.starts_with("#[attr = CfgTrace"));
    // An item behind `not` or `any` needs none of the features in it.
    let plain = traces.filter(|text| !text.contains("Not(") && !text.contains("Any("));
    plain
        .flat_map(|text| text.split(START).skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(index: &Value, id: &str) -> Vec<String> {
        let json = serde_json::json!({ "index": index }).to_string();
        let gates = Gates::read(&json, &json).unwrap();
        gates.of(id).into_iter().collect()
    }

    #[test]
    fn an_item_needs_the_features_of_all_that_holds_it() {
        let gated = |name: &str| {
            let trace = format!(
                "#[attr = CfgTrace([NameValue {{ name: \"feature\", value: Some(\"{name}\"), span: a.rs:1:1 }}])]"
            );
            serde_json::json!([{ "other": trace }])
        };
        let at = |file: &str, line: u32| serde_json::json!({"filename": file, "begin": [line, 1]});
        let index = serde_json::json!({
            "0": {"attrs": [], "span": at("lib.rs", 1), "inner": {"module": {"items": [1, 2, 6]}}},
            "1": {"attrs": gated("a"), "span": at("a.rs", 1), "inner": {"module": {"items": [3]}}},
            "2": {"attrs": gated("b"), "span": at("lib.rs", 5), "inner": {"use": {"id": 3}}},
            "3": {"attrs": [], "span": at("a.rs", 9), "inner": {"struct": {"impls": [4]}}},
            "4": {"attrs": [], "span": at("lib.rs", 9), "inner": {"impl": {"items": [5]}}},
            "5": {"attrs": gated("c"), "span": at("lib.rs", 10), "inner": {"function": {}}},
            "6": {"attrs": [], "span": at("lib.rs", 12), "inner": {"struct": {"impls": []}}},
        });
        assert_eq!(of(&index, "5"), ["a", "b", "c"]);
        assert_eq!(of(&index, "6"), Vec::<String>::new());
    }
}
