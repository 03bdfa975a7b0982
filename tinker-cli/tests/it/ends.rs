//! Tests of end tokens: where answers stop, and what the tables of a run compare.

use serde_json::Value;

use crate::folder::{CHATML, TEXT_END, THINKS, TURN_END, tokenizer};
use crate::program::Workplace;

const OPPOSITES: [(&str, &str); 4] = [
    ("Opposite of wet?", "dry"),
    ("Opposite of up?", "down"),
    ("Opposite of push?", "pull"),
    ("Opposite of left?", "right"),
];

/// Options of a run that learns the rows of `chats.jsonl` by heart.
const LEARN: [&str; 14] = [
    "train",
    "chats.jsonl",
    "--eval",
    "chats.jsonl",
    "--steps",
    "120",
    "--learning-rate",
    "0.002",
    "--batch-size",
    "8",
    "--data-dir",
    "store",
    "--output",
    "run",
];

#[test]
fn a_stop_text_is_added_to_the_end_of_an_answer() {
    let work = Workplace::new();
    let ask = [
        "sample",
        "--chat",
        "What is the opposite of big?",
        "--temperature",
        "0",
        "--max-tokens",
        "120",
        "--json",
    ];
    let plain = work.run(&ask).json();
    let sample = &plain["samples"][0];
    assert_eq!(sample["stop_reason"], "stop");
    let other = work.run(&[&ask[..], &["--stop", "ZZZZ"]].concat()).json();
    assert_eq!(other["samples"], plain["samples"]);
    let text = sample["text"].as_str().unwrap();
    let word = text.split(' ').nth(1).unwrap();
    let cut = work.run(&[&ask[..], &["--stop", word]].concat()).json();
    let cut = cut["samples"][0]["text"].as_str().unwrap();
    assert!(text.starts_with(cut) && cut.len() < text.len(), "{cut}");
}

#[test]
fn the_end_token_of_the_template_is_learned_and_stops() {
    let work = Workplace::new();
    work.write_model("base", CHATML, TEXT_END, &tokenizer());
    work.write_chats("chats.jsonl", &OPPOSITES);
    let run = work.run(&[&LEARN[..], &["--model", "base", "--json"]].concat());
    assert!(
        run.stderr.contains("the end tokens differ")
            && run.stderr.contains("the chat template <|im_end|> (263)"),
        "{}",
        run.stderr
    );
    let outcome = run.json();
    assert_eq!(outcome["after"]["rate"], 1.0, "{outcome}");
    let sampler = outcome["sampler"].as_str().unwrap();
    let ask = [
        "sample",
        "--chat",
        "Opposite of up?",
        "--model",
        sampler,
        "--data-dir",
        "store",
        "--temperature",
        "0",
        "--json",
    ];
    for stop in [&[][..], &["--stop", "ZZZZ"]] {
        let sample = work.run(&[&ask[..], stop].concat()).json()["samples"][0].clone();
        assert_eq!(sample["text"], "down", "{stop:?}");
        assert_eq!(sample["stop_reason"], "stop");
    }
    let export = [
        "export",
        sampler,
        "--merged",
        "--out",
        "merged",
        "--data-dir",
        "store",
    ];
    let export = work.run(&export);
    assert_eq!(export.code, 0, "{}", export.stderr);
    for file in ["config.json", "generation_config.json"] {
        let text = std::fs::read_to_string(work.path("merged").join(file)).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let mut ends: Vec<u32> = serde_json::from_value(config["eos_token_id"].clone()).unwrap();
        ends.sort_unstable();
        assert_eq!(ends, [TEXT_END, TURN_END], "{file}");
    }
}

#[test]
fn an_end_token_outside_of_the_vocabulary_is_refused() {
    let work = Workplace::new();
    work.write_model("base", CHATML, 99999, &tokenizer());
    let run = work.run(&["sample", "--chat", "Hi", "--model", "base"]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("eos_token_id 99999"), "{}", run.stderr);
}

#[test]
fn an_empty_thought_of_the_template_is_no_difference() {
    let work = Workplace::new();
    work.write_model("thinker", THINKS, TURN_END, &tokenizer());
    work.write_chats("chats.jsonl", &OPPOSITES);
    let run = work.run(&[&LEARN[..], &["--model", "thinker"]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = run.stdout.lines().find(|line| line.contains("exact match"));
    assert!(line.unwrap().contains("→ 1.00 after"), "{}", run.stdout);
    for (_, answer) in OPPOSITES {
        assert!(run.stdout.contains(answer), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("<think>"), "{}", run.stdout);
    let samples = std::fs::read_to_string(work.path("run/samples.json")).unwrap();
    assert!(
        !samples.contains("<think>") && samples.contains("dry"),
        "{samples}"
    );
}

#[test]
fn the_suggested_command_repeats_a_row_of_the_table() {
    let work = Workplace::new();
    let message = |role: &str, content: &str| serde_json::json!({"role": role, "content": content});
    let question = "Opposite of wet, please.";
    let brief = [
        message("system", "You answer with one word."),
        message("user", question),
        message("assistant", "dry"),
    ];
    let long = [
        message("user", question),
        message("assistant", "moist, not at all"),
    ];
    let row = |messages: &[Value]| format!("{}\n", serde_json::json!({ "messages": messages }));
    work.write("chats.jsonl", &(row(&brief) + &row(&long)));
    work.write("eval.jsonl", &row(&brief));
    let train = [
        "train",
        "chats.jsonl",
        "--eval",
        "eval.jsonl",
        "--steps",
        "100",
        "--learning-rate",
        "0.003",
    ];
    let run = work.run(&train);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let command = run.stdout.lines().last().unwrap().trim();
    assert!(command.contains("--system"), "{command}");
    let pasted = work.paste(command);
    assert_eq!((pasted.code, pasted.stdout.trim()), (0, "dry"), "{command}");
}
