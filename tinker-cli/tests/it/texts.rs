//! Tests of what the tokenizer of a model makes of texts: control tokens, seams, stored settings, chat templates.

use serde_json::{Value, json};

use crate::folder::{CHATML, TURN_END, tokenizer};
use crate::program::{Run, Workplace};

/// The plan of a run without training.
fn dry_run(work: &Workplace, file: &str, more: &[&str]) -> Run {
    let train = ["train", file, "--dry-run", "--json", "--steps", "1"];
    work.run(&[&train[..], more].concat())
}

/// The findings of a check.
fn check(work: &Workplace, file: &str) -> Value {
    work.run(&["data", "check", file, "--model", "model", "--json"])
        .json()
}

#[test]
fn control_tokens_in_texts_are_counted() {
    let work = Workplace::new();
    work.write_model("model", CHATML, TURN_END, &tokenizer());
    let chat = (
        "What does <|im_end|> mean?",
        "It ends a turn: <|im_end|> and no more",
    );
    work.write_chats("chats.jsonl", &[("Hi", "Ho"), chat, chat, chat]);
    let run = dry_run(&work, "chats.jsonl", &["--model", "model"]);
    let note =
        "3 lines with a control token in a text, such as the end of a turn (the first is line 2)";
    assert!(run.stderr.contains(note), "{}", run.stderr);
    assert_eq!(check(&work, "chats.jsonl")["control_tokens"], 3);
    let run = work.run(&["data", "check", "chats.jsonl", "--model", "model"]);
    assert!(
        run.stdout
            .contains("3 rows with a control token of the tokenizer in a text"),
        "{}",
        run.stdout
    );
}

#[test]
fn seams_are_counted_and_learned_as_they_are_sampled() {
    let work = Workplace::new();
    work.write_model("model", CHATML, TURN_END, &tokenizer());
    let row = json!({"prompt": "Is it? ", "completion": "yes"}).to_string();
    let fine = json!({"prompt": "Is it?", "completion": " yes"}).to_string();
    work.write("seams.jsonl", &format!("{fine}\n{row}\n{row}\n"));
    let run = dry_run(&work, "seams.jsonl", &["--model", "model"]);
    let note = "2 lines merged at the seam (the first is line 2)";
    assert!(run.stderr.contains(note), "{}", run.stderr);
    assert_eq!(check(&work, "seams.jsonl")["merged_seams"], 2);
    let shown = work.run(&[
        "data",
        "show",
        "seams.jsonl",
        "--model",
        "model",
        "--json",
        "-n",
        "2",
    ]);
    let rows = shown.json();
    let learned = |row: usize| rows["rows"][row]["sequences"][0]["spans"][1]["tokens"].clone();
    assert_eq!(learned(0), json!([258, TURN_END]));
    assert_eq!(learned(1), json!([b'y', 257, TURN_END]));
}

#[test]
fn a_start_token_is_there_once() {
    let work = Workplace::new();
    let mut starts = tokenizer();
    starts["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [261], "tokens": ["<|endoftext|>"]}},
    });
    let chat = format!("<|endoftext|>{CHATML}");
    work.write_model("model", &chat, TURN_END, &starts);
    work.write_chats("chats.jsonl", &[("Hi", "Ho")]);
    let text = json!({"text": "ab"}).to_string();
    work.write("texts.jsonl", &format!("{text}\n"));
    let twice = json!({"text": "<|endoftext|>ab"}).to_string();
    work.write("twice.jsonl", &format!("{text}\n{twice}\n"));
    for file in ["chats.jsonl", "texts.jsonl"] {
        let shown = work.run(&["data", "show", file, "--model", "model", "--ids"]);
        assert_eq!(shown.stdout.matches("261").count(), 1, "{}", shown.stdout);
        assert_eq!(check(&work, file)["doubled_starts"], 0);
    }
    assert_eq!(check(&work, "twice.jsonl")["doubled_starts"], 1);
    let run = dry_run(&work, "twice.jsonl", &["--model", "model"]);
    let note = "1 line with a text that begins with the start token twice (the first is line 2)";
    assert!(run.stderr.contains(note), "{}", run.stderr);
}

#[test]
fn stored_truncation_and_padding_do_not_apply() {
    let work = Workplace::new();
    let rows = [
        (
            "What is the opposite of big, please tell me now? ",
            "It is small, I believe.",
        ),
        ("What else? ", "No."),
    ];
    let rows = rows.map(|(prompt, completion)| {
        json!({ "prompt": prompt, "completion": completion }).to_string()
    });
    work.write("rows.jsonl", &(rows.join("\n") + "\n"));
    let truncation =
        json!({"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0});
    let padding = json!({
        "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "!",
    });
    let mut expected = None;
    for (name, key, value) in [
        ("plain", "truncation", Value::Null),
        ("truncated", "truncation", truncation),
        ("padded", "padding", padding),
    ] {
        let mut stored = tokenizer();
        stored[key] = value;
        work.write_model(name, CHATML, TURN_END, &stored);
        let plan = dry_run(&work, "rows.jsonl", &["--model", name]).json();
        let tokens = plan["example_tokens"].as_u64().unwrap();
        assert_eq!(*expected.get_or_insert(tokens), tokens, "{name}");
        let sample = [
            "sample",
            "Fifty characters of a prompt, or somewhat more than that.",
            "--model",
            name,
            "--json",
            "--max-tokens",
            "1",
        ];
        assert_eq!(work.run(&sample).json()["prompt_tokens"], 57, "{name}");
    }
    assert_eq!(expected, Some(49 + 23 + 11 + 3 + 2));
}

#[test]
fn options_of_the_template_need_messages() {
    let work = Workplace::new();
    work.write("t.jinja", CHATML);
    work.write("texts.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
    let file = ["--chat-template", "t.jinja"];
    let argument = ["--template-arg", "thinking=false"];
    for options in [&file[..], &argument] {
        for command in [
            &["sample", "Hi"][..],
            &["train", "texts.jsonl", "--dry-run"],
            &["data", "check", "texts.jsonl"],
            &["data", "show", "texts.jsonl"],
            &["data", "convert", "texts.jsonl", "--to", "tokens"],
            &["data", "convert", "texts.jsonl"],
        ] {
            // The plain template of the built-in model has no arguments.
            let both = if options == argument { &file[..] } else { &[] };
            let run = work.run(&[command, options, both].concat());
            assert_eq!(run.code, 2, "{command:?}: {}", run.stderr);
            assert!(
                run.stderr.contains("--chat-template has no effect"),
                "{command:?}: {}",
                run.stderr
            );
        }
    }
    work.write_chats("chats.jsonl", &[("Hi", "Ho")]);
    for command in [
        &["train", "chats.jsonl", "--dry-run"][..],
        &["data", "check", "chats.jsonl"],
        &["data", "show", "chats.jsonl"],
        &["data", "convert", "chats.jsonl", "--to", "tokens"],
    ] {
        let run = work.run(&[command, &file[..], &argument].concat());
        assert_eq!(run.code, 0, "{command:?}: {}", run.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn templates_without_end_are_stopped() {
    let work = Workplace::new();
    work.write_chats("chats.jsonl", &[("Hi", "Ho")]);
    for (name, source, reason) in [
        (
            "loops.jinja",
            "\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "takes more steps or memory than a template may",
        ),
        (
            "grows.jinja",
            "\n{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
            "takes more steps or memory than a template may",
        ),
        (
            "writes.jinja",
            "\n{% for a in range(99999) %}{{ 'long' * 9999 }}{% endfor %}",
            "a template may",
        ),
        (
            "calls.jinja",
            "\n{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "recursion",
        ),
    ] {
        work.write(name, source);
        for command in [
            "data check chats.jsonl",
            "data show chats.jsonl",
            "train chats.jsonl --dry-run",
            "sample --chat Hi",
        ] {
            // Bounds on the memory of the process in KiB, and on its processor time in seconds.
            let line = format!(
                "ulimit -v 3000000; ulimit -t 60; {} {command} --chat-template {name}",
                env!("CARGO_BIN_EXE_tinker")
            );
            let run = work.paste(&line);
            assert_eq!(run.code, 3, "{name}: {command}: {}", run.stderr);
            for part in [name, "line 2", "does not accept these messages", reason] {
                assert!(
                    run.stderr.contains(part),
                    "{name}: {command}: {part}: {}",
                    run.stderr
                );
            }
        }
    }
}
