//! Texts and learned tokens of real chat templates.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tinker_data::{Conversation, Learn, Renderer, Template, Tokenizer};
use xshell::{Shell, cmd};

use super::corpus::{self, Sample};
use super::learned::{self, Masked};
use super::{control, conversation, digest, fetch};

const GOLDEN: &str = "tests/fixtures/parity/templates.json";
const CONVERSATIONS: &str = "tests/fixtures/parity/conversations.json";
const CONSTRUCTS: &str = "tinker-data/tests/fixtures/constructs.json";
const ORACLE: &str = "tests/python/parity/templates.py";
const TABLE: &str = "docs/template-parity.md";

/// The local time of every rendering.
const NOW: &str = "2026-03-07T04:05:06";

/// Special tokens of every template.
const TOKENS: [(&str, &str); 4] = [
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("pad_token", "<pad>"),
];

/// Mark of a refusal among the digests.
const REFUSED: &str = "refused";

/// Most differences that are shown.
const MOST_SHOWN: usize = 20;

/// The golden file.
#[derive(Serialize, Deserialize)]
struct Golden {
    /// Version of transformers.
    transformers: String,
    /// Digest of the conversations.
    conversations: String,
    /// By name.
    templates: BTreeMap<String, GoldenTemplate>,
}

#[derive(Serialize, Deserialize)]
struct GoldenTemplate {
    /// Digest of the source.
    source: String,
    /// A digest or "refused" for each conversation, without and with the start of an answer.
    texts: String,
    /// For templates with `generation` blocks: a digest or "refused" for each conversation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    masks: String,
}

/// A text and the byte ranges of its generation blocks; nothing if the template refuses.
type Text = Option<Marked>;

#[derive(Debug, Deserialize, PartialEq)]
struct Marked {
    text: String,
    ranges: Vec<[usize; 2]>,
}

/// Output of the oracle.
#[derive(Deserialize)]
struct Oracle {
    transformers: String,
    templates: Vec<OracleTemplate>,
}

#[derive(Deserialize)]
struct OracleTemplate {
    texts: Vec<Text>,
    masks: Vec<Option<Masked>>,
}

/// The result of one template.
#[derive(Default)]
struct Row {
    name: String,
    /// Texts that are equal.
    equal: usize,
    /// Texts refused by both.
    refused: usize,
    /// Masks that are equal, of templates with `generation` blocks.
    masks: Option<usize>,
    /// Answers that are learned as they are sampled.
    answers: usize,
    /// Conversations that are rendered, and from which nothing is learned, with the reasons.
    unlearned: Vec<String>,
}

pub(super) fn run(shell: &Shell, python: Option<&Path>, tokenizers: &[&str]) -> anyhow::Result<()> {
    let samples = corpus::read(shell, tokenizers)?;
    let folder = control::tokenizer(shell, &samples, &TOKENS)?;
    let list = shell.read_file(CONVERSATIONS)?;
    let conversations = conversation::read(&serde_json::from_str(&list)?)?;
    let golden = match python {
        Some(python) => ask(shell, python, &samples, &folder, &list)?,
        None => serde_json::from_str(&shell.read_file(GOLDEN)?)?,
    };
    let advice =
        "run `cargo xtask parity --python PATH`, with a Python that has transformers and torch";
    ensure!(
        golden.conversations == digest::of(&list),
        "{GOLDEN} is of other conversations; {advice}"
    );
    let names = samples.iter().map(|sample| &sample.name);
    ensure!(
        names.eq(golden.templates.keys()),
        "{GOLDEN} is of other templates; {advice}"
    );
    let tokenizer = Tokenizer::from_folder(&folder)?;
    let mut wrong = Vec::new();
    let mut rows = Vec::new();
    for (sample, expected) in samples.iter().zip(golden.templates.values()) {
        let name = &sample.name;
        ensure!(
            expected.source == digest::of(&sample.source),
            "{name} is not the template of {GOLDEN}; {advice}"
        );
        let row = row(sample, &conversations, expected, &tokenizer, &mut wrong);
        rows.push(row.with_context(|| name.clone())?);
    }
    if !wrong.is_empty() {
        let (count, shown) = (wrong.len(), &wrong[..wrong.len().min(MOST_SHOWN)]);
        bail!(
            "{count} results differ from transformers:\n{}",
            shown.join("\n")
        );
    }
    report(&rows, &golden);
    let table = table(&rows, &conversations, &golden)?;
    if python.is_some() {
        shell.write_file(GOLDEN, serde_json::to_string_pretty(&golden)? + "\n")?;
        shell.write_file(TABLE, table)?;
    } else {
        ensure!(
            shell.read_file(TABLE)? == table,
            "{TABLE} is stale; {advice}"
        );
    }
    Ok(())
}

/// Renders everything with transformers.
fn ask(
    shell: &Shell,
    python: &Path,
    samples: &[Sample],
    tokenizer: &Path,
    list: &str,
) -> anyhow::Result<Golden> {
    let folder = fetch::folder();
    let (input, output) = (folder.join("templates.json"), folder.join("rendered.json"));
    let templates: Vec<&str> = samples.iter().map(|it| it.source.as_str()).collect();
    let request = json!({
        "templates": templates,
        "conversations": CONVERSATIONS,
        "constructs": CONSTRUCTS,
        "tokens": BTreeMap::from(TOKENS),
        "tokenizer": tokenizer,
        "now": NOW,
    });
    shell.write_file(&input, request.to_string())?;
    cmd!(shell, "{python} {ORACLE} {input} {output}").run()?;
    let oracle: Oracle = serde_json::from_str(&shell.read_file(&output)?)?;
    let mut golden = Golden {
        transformers: oracle.transformers,
        conversations: digest::of(list),
        templates: BTreeMap::new(),
    };
    for (sample, template) in samples.iter().zip(&oracle.templates) {
        let texts: Vec<String> = template.texts.iter().map(digest_of).collect();
        let masks = template.masks.iter().map(|mask| {
            let digest = mask.as_ref().and_then(Masked::digest);
            digest.unwrap_or_else(|| REFUSED.to_owned())
        });
        let template = GoldenTemplate {
            source: digest::of(&sample.source),
            texts: texts.join(" "),
            masks: masks.collect::<Vec<_>>().join(" "),
        };
        golden.templates.insert(sample.name.clone(), template);
    }
    Ok(golden)
}

fn row(
    sample: &Sample,
    conversations: &[(String, Conversation)],
    expected: &GoldenTemplate,
    tokenizer: &Tokenizer,
    wrong: &mut Vec<String>,
) -> anyhow::Result<Row> {
    let mut row = Row {
        name: sample.name.clone(),
        ..Row::default()
    };
    let template = Template::jinja(&sample.source, TOKENS)?.at(NOW)?;
    let renderer = Renderer::new(tokenizer.clone(), template.clone()).with_learn(Learn::Turns);
    let mut texts = expected.texts.split(' ');
    let mut masks = expected.masks.split(' ');
    for (name, conversation) in conversations {
        let mut is_rendered = true;
        for is_prompt in [false, true] {
            let digest = texts.next().context("the golden lacks a text")?;
            let rendered = template.render(conversation, is_prompt);
            is_rendered &= rendered.is_ok();
            let found = rendered.as_ref().ok().map(|rendered| Marked {
                text: rendered.text.clone(),
                ranges: rendered
                    .generated
                    .iter()
                    .map(|it| [it.start, it.end])
                    .collect(),
            });
            match (digest_of(&found) == digest, rendered) {
                (true, Ok(_)) => row.equal += 1,
                (true, Err(_)) => row.refused += 1,
                (false, rendered) => {
                    let found = rendered.map_or_else(|error| error.to_string(), |it| it.text);
                    let place = format!("{}, {name} (prompt: {is_prompt})", row.name);
                    wrong.push(format!("{place}: {found:?}"));
                }
            }
        }
        if !expected.masks.is_empty() {
            let digest = masks.next().context("the golden lacks a mask")?;
            let count = row.masks.get_or_insert_default();
            if let Ok(found) = learned::blocks(&renderer, conversation)? {
                if found.as_deref().unwrap_or(REFUSED) != digest {
                    wrong.push(format!("{}, {name}: the mask is not the same", row.name));
                }
                *count += usize::from(found.is_some());
            }
        }
        if is_rendered && learned::has_answers(conversation) {
            match learned::turns(&renderer, &template, &sample.source, &TOKENS, conversation) {
                Ok(Ok(count)) => row.answers += count,
                Ok(Err(reason)) => row.unlearned.push(format!("{name}: {reason}")),
                Err(error) => wrong.push(format!("{}, {name}: {error:#}", row.name)),
            }
        }
    }
    Ok(row)
}

fn report(rows: &[Row], golden: &Golden) {
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    eprintln!(
        "{} templates as in transformers {}: {} texts equal, {} refused by both; {} masks equal; {} answers learned as they are sampled",
        rows.len(),
        golden.transformers,
        sum(|row| row.equal),
        sum(|row| row.refused),
        sum(|row| row.masks.unwrap_or(0)),
        sum(|row| row.answers),
    );
    for row in rows {
        for reason in &row.unlearned {
            eprintln!("{}, {reason}", row.name);
        }
    }
}

/// The page of the documentation.
fn table(
    rows: &[Row],
    conversations: &[(String, Conversation)],
    golden: &Golden,
) -> anyhow::Result<String> {
    let mut table = String::new();
    writeln!(
        table,
        "# Chat templates compared\n\n\
         Written by `cargo xtask parity --python PATH` with transformers {}: {} templates of real models, {} conversations,\n\
         each rendered without and with the start of an answer. `cargo xtask parity` compares with the results.\n\n\
         - equal: texts that are equal byte for byte;\n\
         - refused: texts that neither side renders;\n\
         - masks: conversations whose `generation` blocks mark the same tokens, for templates with such blocks;\n\
         - answers: answers whose learned tokens are those that follow their prompt, as it is sampled.\n\n\
         | template | equal | refused | masks | answers |\n|---|---|---|---|---|",
        golden.transformers,
        rows.len(),
        conversations.len(),
    )?;
    for row in rows {
        let masks = row.masks.map_or_else(String::new, |it| it.to_string());
        writeln!(
            table,
            "| {} | {} | {} | {masks} | {} |",
            row.name, row.equal, row.refused, row.answers
        )?;
    }
    Ok(table)
}

fn digest_of(text: &Text) -> String {
    match text {
        Some(Marked { text, ranges }) => digest::of(&format!("{ranges:?}{text}")),
        None => REFUSED.to_owned(),
    }
}
