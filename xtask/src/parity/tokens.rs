//! Token ids of real tokenizers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tinker_data::Tokenizer;
use xshell::{Shell, cmd};

use super::{digest, fetch, text};

const GOLDEN: &str = "tests/fixtures/parity/tokens.json";
const ORACLE: &str = "tests/python/parity/tokens.py";

/// The tokenizers, by the names of their packages.
pub(super) const TOKENIZERS: [&str; 4] = ["qwen3", "llama3_1", "gemma3", "deepseek_v3"];

/// Texts of one digest.
const BATCH: usize = 100;

/// Ids of a text, without and with the special tokens that the tokenizer adds.
type Ids = [Vec<u32>; 2];

/// The golden file.
#[derive(Serialize, Deserialize)]
struct Golden {
    /// Version of transformers.
    transformers: String,
    /// Digest of all texts.
    texts: String,
    /// Digests of the ids of each batch of texts, by tokenizer.
    tokenizers: BTreeMap<String, Vec<String>>,
}

/// Output of the oracle.
#[derive(Deserialize)]
struct Oracle {
    transformers: String,
    tokenizers: BTreeMap<String, Vec<Ids>>,
}

pub(super) fn run(shell: &Shell, python: Option<&Path>) -> anyhow::Result<()> {
    let texts = text::all();
    let mut golden = Golden {
        transformers: String::new(),
        texts: digest::of_all(texts.iter().map(String::as_bytes)),
        tokenizers: BTreeMap::new(),
    };
    let mut found = BTreeMap::new();
    let folder = fetch::folder();
    for name in TOKENIZERS {
        let models = fetch::tokenizer(shell, name)?;
        let tokenizer = Tokenizer::from_folder(&models)?;
        let encode = |text: &String| -> anyhow::Result<Ids> {
            Ok([
                tokenizer.encode(text)?,
                tokenizer.encode_with_special_tokens(text)?,
            ])
        };
        let ids = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        golden.tokenizers.insert(name.to_owned(), digests(&ids));
        found.insert(name, (models, ids));
    }
    let Some(python) = python else {
        return compare(&golden, &serde_json::from_str(&shell.read_file(GOLDEN)?)?);
    };

    let (input, output) = (folder.join("texts.json"), folder.join("ids.json"));
    let folders: BTreeMap<_, _> = found
        .iter()
        .map(|(name, (models, _))| (name, models))
        .collect();
    let request = serde_json::json!({ "texts": texts, "tokenizers": folders });
    shell.write_file(&input, request.to_string())?;
    cmd!(shell, "{python} {ORACLE} {input} {output}").run()?;
    let oracle: Oracle = serde_json::from_str(&shell.read_file(&output)?)?;
    for (name, (_, ids)) in &found {
        let expected = oracle
            .tokenizers
            .get(*name)
            .context("the oracle left out a tokenizer")?;
        for ((text, ids), expected) in texts.iter().zip(ids).zip(expected) {
            if ids != expected {
                bail!("{name}: {text:?}\n  here         {ids:?}\n  transformers {expected:?}");
            }
        }
        eprintln!("{name}: {} texts as in transformers", ids.len());
    }
    golden.transformers = oracle.transformers;
    shell.write_file(GOLDEN, serde_json::to_string_pretty(&golden)? + "\n")?;
    Ok(())
}

fn compare(found: &Golden, golden: &Golden) -> anyhow::Result<()> {
    let advice =
        "for details run `cargo xtask parity --python PATH`, with a Python that has transformers";
    if found.texts != golden.texts {
        bail!("the texts are not those of {GOLDEN}; {advice}");
    }
    for (name, digests) in &found.tokenizers {
        let expected = golden
            .tokenizers
            .get(name)
            .context("the golden lacks a tokenizer")?;
        let wrong = digests.iter().zip(expected).filter(|(a, b)| a != b).count();
        if wrong > 0 || digests.len() != expected.len() {
            bail!(
                "{name}: {wrong} of {} batches differ from transformers; {advice}",
                digests.len()
            );
        }
        let (batches, version) = (digests.len(), &golden.transformers);
        eprintln!("{name}: {batches} batches of {BATCH} texts as in transformers {version}");
    }
    Ok(())
}

fn digests(ids: &[Ids]) -> Vec<String> {
    let bytes = |ids: &Vec<u32>| {
        ids.iter()
            .flat_map(|id| id.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let batches = ids.chunks(BATCH);
    batches
        .map(|batch| digest::of_all(batch.iter().flatten().map(bytes)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found() -> anyhow::Result<()> {
        let golden = |ids: &[Ids]| Golden {
            transformers: "5".to_owned(),
            texts: "t".to_owned(),
            tokenizers: BTreeMap::from([("x".to_owned(), digests(ids))]),
        };
        let ids: Vec<Ids> = (0..250).map(|i| [vec![i], vec![1, i]]).collect();
        compare(&golden(&ids), &golden(&ids))?;
        let mut other = ids.clone();
        other[220][1] = vec![220, 1];
        let error = compare(&golden(&other), &golden(&ids))
            .err()
            .context("it differs")?;
        assert!(
            error.to_string().starts_with("x: 1 of 3 batches differ"),
            "{error}"
        );
        assert!(compare(&golden(&ids[..200]), &golden(&ids)).is_err());
        Ok(())
    }
}
