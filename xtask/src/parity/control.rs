//! A real tokenizer that has the control tokens of every template.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xshell::Shell;

use super::corpus::Sample;
use super::fetch;

/// The tokenizer that gets the tokens.
const BASE: &str = "qwen3";

/// Starts and ends of control tokens.
const MARKS: [(&str, &str); 7] = [
    ("<|", ">"),
    ("<\u{ff5c}", "\u{ff5c}>"),
    ("<", "|>"),
    ("<start_of_", ">"),
    ("<end_of_", ">"),
    ("<beginning_of_", ">"),
    ("<SPECIAL_", ">"),
];

/// Control tokens of other forms.
const FURTHER: [&str; 12] = [
    "</assistant>",
    "</user>",
    "<sep>",
    "<seed:bos>",
    "<seed:eos>",
    "[INST]",
    "[/INST]",
    "[e~[",
    "]~b]",
    "[gMASK]",
    "<sop>",
    "<pad>",
];

/// Longest control token, in bytes.
const LONGEST: usize = 48;

/// A `tokenizer.json`.
#[derive(Deserialize)]
struct TokenizerFile {
    model: Model,
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

/// Folder of the tokenizer of Qwen 3, with these special tokens, by name, and the control tokens of the templates.
pub(super) fn tokenizer(
    shell: &Shell,
    samples: &[Sample],
    special: &[(&str, &str)],
) -> anyhow::Result<PathBuf> {
    let models = fetch::tokenizer(shell, BASE)?;
    let file = shell.read_file(models.join("tokenizer.json"))?;
    let base: TokenizerFile = serde_json::from_str(&file)?;
    let ids = base.model.vocab.values().copied();
    let mut next = ids.chain(base.added_tokens.iter().map(|it| it.id)).max();
    let mut tokens: BTreeSet<&str> = FURTHER.into();
    tokens.extend(samples.iter().flat_map(|sample| marks(&sample.source)));
    tokens.extend(special.iter().map(|(_, token)| token));
    let mut added = Map::new();
    tokens.retain(|token| !base.added_tokens.iter().any(|it| it.content == **token));
    for token in tokens {
        let known = base.model.vocab.get(token).copied();
        let id = known.or_else(|| {
            next = next.map(|id| id + 1);
            next
        });
        let id = id.context("the tokenizer has no tokens")?;
        let entry = json!({
            "content": token, "special": true, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false,
        });
        added.insert(id.to_string(), entry);
    }
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": added,
    });
    for (name, token) in special {
        config[name] = Value::from(*token);
    }
    let folder = fetch::folder().join("control");
    shell.create_dir(&folder)?;
    shell.copy_file(models.join("tokenizer.json"), &folder)?;
    shell.write_file(folder.join("tokenizer_config.json"), config.to_string())?;
    Ok(folder)
}

/// The control tokens that are written in the source of a template.
fn marks(source: &str) -> impl Iterator<Item = &str> {
    let starts = source.match_indices('<').map(|(at, _)| &source[at..]);
    starts.filter_map(|rest| {
        let is_inside = |c: char| !c.is_whitespace() && !"'\"`<>{}+".contains(c);
        let rest = &rest[..=rest.find('>')?];
        let inside = rest.strip_prefix('<')?.strip_suffix('>')?;
        let is_mark = |(start, end): &(&str, &str)| {
            rest.len() > start.len() + end.len() && rest.starts_with(start) && rest.ends_with(end)
        };
        (rest.len() <= LONGEST && inside.chars().all(is_inside) && MARKS.iter().any(is_mark))
            .then_some(rest)
    })
}

/// A text without the control tokens of a template and without white space at its end.
pub(super) fn without_marks(source: &str, text: &str, special: &[(&str, &str)]) -> String {
    let mut tokens: Vec<&str> = marks(source).chain(FURTHER).collect();
    tokens.extend(special.iter().map(|(_, token)| token));
    tokens.sort_unstable_by_key(|token| std::cmp::Reverse(token.len()));
    let mut text = text.to_owned();
    for token in tokens {
        text = text.replace(token, "");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_tokens_are_found_in_sources() {
        let source = "{{ '<|im_start|>' + m.role }}<\u{ff5c}User\u{ff5c}><|turn>x<turn|><end_of_turn>{% if a < b and c|d > e %}<think>";
        let found: Vec<&str> = marks(source).collect();
        assert_eq!(
            found,
            [
                "<|im_start|>",
                "<\u{ff5c}User\u{ff5c}>",
                "<|turn>",
                "<turn|>",
                "<end_of_turn>"
            ]
        );
        assert_eq!(
            without_marks(source, "<|im_start|>a<think>b<turn|>\n", &[]),
            "a<think>b"
        );
    }
}
