//! Tests of `tinker data` and of the data options of `tinker train`.

use std::io::Write as _;

use crate::program::{Run, Workplace, names};

const SHAREGPT: &str = concat!(
    r#"{"id":7,"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yo"}]}"#,
    "\n",
    r#"{"id":8,"conversations":[{"from":"human","value":"Ho"},{"from":"gpt","value":""}]}"#,
    "\n",
    r#"{"id":7,"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yo"}]}"#,
    "\n",
);

/// Runs the program with a text on standard input.
fn piped(work: &Workplace, arguments: &[&str], input: &str) -> Run {
    let mut command = work.command(arguments);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_check_counts_and_finds() {
    let work = Workplace::new();
    work.write("x.jsonl", &SHAREGPT.replace("\"\"", "\"!\""));
    work.write("eval.jsonl", "{\"question\":\"Ho\",\"answer\":\"!\"}\n");
    let check = [
        "data",
        "check",
        "x.jsonl",
        "--eval",
        "eval.jsonl",
        "--max-length",
        "20",
    ];
    let json = work.run(&[&check[..], &["--json"]].concat()).json();
    assert_eq!(json["rows"], 3);
    assert_eq!(json["notes"]["formats"]["sharegpt"], 3);
    assert_eq!(json["notes"]["ignored"]["id"], 3);
    assert_eq!(json["duplicates"], 1);
    assert_eq!(json["leaks"], 1);
    // "Yo", "!" and "Yo", each with its end.
    assert_eq!(json["learned"], 3 + 2 + 3);
    assert_eq!(json["over_long"], 3);
    let run = work.run(&check);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for line in [
        "3 rows (3 sharegpt)",
        "columns without a meaning are ignored: id (3)",
        "1 row equal to an earlier one",
        "1 row with a prompt that is also held out",
        "3 sequences longer than 20 tokens",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
}

#[test]
fn errors_end_a_check_with_3_and_are_all_in_json() {
    let work = Workplace::new();
    let bad = "{\"text\":1}\n".repeat(30);
    work.write("x.jsonl", &format!("{{\"text\":\"ab\"}}\n{bad}x\n"));
    let run = work.run(&["data", "check", "x.jsonl"]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr
            .contains("x.jsonl:2:2: has a number as \"text\", not text"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("and 11 more: 1 invalid syntax, 10 wrong value"),
        "{}",
        run.stderr
    );
    let run = work.run(&["data", "check", "x.jsonl", "--json"]);
    assert_eq!(run.code, 3);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["errors"][0]["lines"].as_array().unwrap().len(), 31);
    assert_eq!(json["errors"][0]["counts"]["value"], 30);
    let json = work
        .run(&["data", "check", "x.jsonl", "--json", "--skip-bad"])
        .json();
    assert_eq!(
        (&json["rows"], &json["notes"]["skipped"]),
        (&1.into(), &31.into())
    );
    work.write("utf16.jsonl", "\u{fffd}");
    std::fs::write(work.path("utf16.jsonl"), b"\xff\xfe{\0").unwrap();
    let run = work.run(&["data", "check", "utf16.jsonl", ".", "none.jsonl"]);
    assert_eq!(run.code, 3);
    for line in [
        "utf16.jsonl is UTF-16 text",
        ". is a folder",
        "none.jsonl cannot be opened",
    ] {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
}

#[test]
fn rows_are_shown_with_what_is_learned() {
    let work = Workplace::new();
    let run = piped(&work, &["data", "show", "-", "-n", "1", "--ids"], SHAREGPT);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("User: Hi\n"), "{}", run.stdout);
    let marked = run.stdout.contains("Assistant: ⟦Yo<|end|>⟧")
        || run.stdout.contains("Assistant: [[Yo<|end|>]]");
    assert!(marked, "{}", run.stdout);
    assert!(run.stdout.contains(" 89* 111* 256*"), "{}", run.stdout);
    assert!(!run.stdout.contains("Ho"), "one row");
    let json = work.run(&["data", "show", "--json", "-", "-n", "0"]);
    assert_eq!(json.code, 3, "standard input is empty: {}", json.stderr);
}

#[test]
fn rows_with_errors_are_named_and_the_next_ones_shown() {
    let work = Workplace::new();
    let text = format!("{SHAREGPT}x\n{{\"text\":\"ab\"}}\n{{\"text\":\"cd\"}}\n");
    work.write("x.jsonl", &text);
    let run = work.run(&["data", "show", "x.jsonl", "-n", "3", "--max-length", "4"]);
    assert_eq!(run.code, 3);
    for line in [
        "x.jsonl:1  chat",
        "x.jsonl:3  chat",
        "x.jsonl:5  text, 3 tokens, 2 learned\n",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    assert!(
        run.stdout.contains(" learned, longer than 4\n"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("cd"), "three rows");
    for line in [
        "x.jsonl has 2 errors",
        "x.jsonl:2: cannot be encoded",
        "x.jsonl:4:1: is not valid JSON",
    ] {
        assert!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    let run = work.run(&["data", "show", "x.jsonl", "-n", "9", "--skip-bad", "--json"]);
    assert!(
        run.stderr.contains("2 lines with errors left out"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["rows"].as_array().unwrap().len(), 4);
}

#[test]
fn training_lists_all_errors_in_json() {
    let work = Workplace::new();
    work.write("x.jsonl", &"{\"text\":1}\n".repeat(30));
    let run = work.run(&["train", "x.jsonl", "--dry-run", "--json", "--local"]);
    assert_eq!(run.code, 3);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let lines = json["errors"][0]["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[29]["line"]), (30, &30.into()));
    assert_eq!(json["errors"][0]["counts"]["value"], 30);
    assert!(
        run.stderr.contains("and 10 more: 10 wrong value"),
        "{}",
        run.stderr
    );
    // The same notes as those of a check.
    let duplicated = SHAREGPT.replace("\"\"", "\"!\"");
    work.write("x.jsonl", &duplicated);
    let run = work.run(&["train", "x.jsonl", "--dry-run", "--local"]);
    assert!(
        run.stderr.contains("1 row equal to an earlier one"),
        "{}",
        run.stderr
    );
    // Rows that the template or the tokenizer refuses are found later.
    work.write("x.jsonl", &SHAREGPT.repeat(2));
    let run = work.run(&["train", "x.jsonl", "--dry-run", "--json", "--local"]);
    assert_eq!(run.code, 3);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["errors"][0]["counts"]["encode"], 2, "{json}");
}

#[test]
fn data_are_converted() {
    let work = Workplace::new();
    work.write("x.csv", "question,answer\n1 + 1?,2\n");
    let chat = work.run(&["data", "convert", "x.csv", "--to", "chat"]);
    assert_eq!(
        chat.stdout,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1?\"},{\"role\":\"assistant\",\"content\":\"2\"}]}\n"
    );
    let pair = piped(
        &work,
        &["data", "convert", "-", "--to", "prompt-completion"],
        &chat.stdout,
    );
    assert_eq!(
        pair.stdout,
        "{\"prompt\":\"1 + 1?\",\"completion\":\"2\"}\n"
    );
    let tokens = piped(
        &work,
        &["data", "convert", "-", "--to", "tokens"],
        &pair.stdout,
    );
    assert_eq!(
        tokens.stdout,
        "{\"tokens\":[49,32,43,32,49,63,50,256],\"weights\":[0,0,0,0,0,0,1,1]}\n"
    );
    let again = piped(&work, &["data", "convert", "-"], &tokens.stdout);
    assert_eq!(again.stdout, tokens.stdout);

    let run = work.run(&["data", "convert", "x.csv", "--output", "x.csv", "--force"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let run = work.run(&[
        "data", "convert", "x.csv", "x.csv", "--mix", "3,0", "--output", "y.jsonl",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        std::fs::read_to_string(work.path("y.jsonl"))
            .unwrap()
            .lines()
            .count(),
        3
    );
    assert_eq!(
        work.run(&["data", "convert", "x.csv", "--output", "y.jsonl"])
            .code,
        2,
        "kept"
    );
    assert_eq!(
        work.run(&["data", "convert", "x.csv", "--mix", "1,2"]).code,
        2
    );
}

#[test]
fn a_split_keeps_columns_and_prompts_together() {
    let work = Workplace::new();
    let line = |n: usize| {
        format!(
            "{{\"id\": {n}, \"prompt\": \"p{}\", \"completion\": \"c\"}}\n",
            n % 20
        )
    };
    let text = (0..40).map(line).collect::<Vec<_>>().concat();
    work.write("x.jsonl", &text);
    let json = work
        .run(&["data", "split", "x.jsonl", "--share", "0.1", "--json"])
        .json();
    assert_eq!(
        (&json["train"]["rows"], &json["eval"]["rows"]),
        (&36.into(), &4.into())
    );
    assert_eq!(
        names(&work.path(".")),
        ["x-train-eval.jsonl", "x-train.jsonl", "x.jsonl"]
    );
    let read = |name| std::fs::read_to_string(work.path(name)).unwrap();
    let (train, eval) = (read("x-train.jsonl"), read("x-train-eval.jsonl"));
    let mut lines: Vec<&str> = train.lines().chain(eval.lines()).collect();
    let mut expected: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let json = work
        .run(&[
            "data",
            "check",
            "x-train.jsonl",
            "--eval",
            "x-train-eval.jsonl",
            "--json",
        ])
        .json();
    assert_eq!(json["leaks"], 0);
    assert_eq!(
        work.run(&["data", "split", "x.jsonl"]).code,
        2,
        "files are kept"
    );
}

#[test]
fn training_takes_several_files_and_skips_bad_lines() {
    let work = Workplace::new();
    work.write_examples("a.jsonl", 20);
    work.write("b.csv", "question,answer,n\nWho?,Me,1\nWhat?,This,2\n");
    let dry = |more: &[&str]| {
        work.run(&[&["train", "--dry-run", "--json", "--steps", "1"], more].concat())
    };
    let plan = dry(&["a.jsonl", "*.csv"]).json();
    assert_eq!(
        plan["examples"].as_u64().unwrap() + plan["held_out_prompts"].as_u64().unwrap(),
        22
    );
    let plan = dry(&["a.jsonl", "b.csv", "--mix", "0,2"]).json();
    assert_eq!(plan["examples"], 4);

    work.write("c.jsonl", "{\"text\":\"ab\"}\nx\n");
    let run = dry(&["c.jsonl"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("--skip-bad"), "{}", run.stderr);
    let run = dry(&["c.jsonl", "--skip-bad"]);
    assert!(
        run.stderr.contains("1 line with errors left out"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["examples"], 1);
    let run = dry(&["c.jsonl", "--skip-bad", "--format", "chat"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let run = piped(
        &work,
        &["train", "-", "--dry-run", "--json", "--steps", "1"],
        "{\"text\":\"ab\"}\n",
    );
    assert_eq!(run.json()["examples"], 1);
    assert!(
        run.stderr
            .contains("nothing, because the data has no prompts to ask"),
        "{}",
        run.stderr
    );
}
