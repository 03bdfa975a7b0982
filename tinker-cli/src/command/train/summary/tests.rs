use super::*;

fn given(text: &str, exact: bool) -> GivenAnswer {
    GivenAnswer {
        text: text.into(),
        exact,
    }
}

fn row(number: usize, after: Option<GivenAnswer>) -> Sample {
    Sample {
        line: number,
        prompt: format!("pig latin: word {number} ->"),
        expected: " ordway".into(),
        before: given("the dog\nran", false),
        after,
    }
}

fn step(step: usize) -> StepRow {
    let mut row = StepRow::new(step);
    (row.tokens, row.learned_tokens) = (10, 5);
    (row.loss, row.grad_norm) = (Some(1.0 / step as f64), Some(2.0));
    (row.learning_rate, row.seconds) = (0.1, step as f64);
    row
}

fn outcome(rows: usize) -> Outcome {
    let score = |exact| Score::new(exact, rows);
    let samples = (1..=rows).map(|number| row(number, Some(given(" ordway", number % 4 != 2))));
    Outcome {
        summary: Summary {
            status: Status::Finished,
            model: "m".into(),
            data: "d.jsonl".into(),
            held_out: "d-eval.jsonl".into(),
            steps: 5,
            tokens: 50,
            seconds: 5.0,
            first_loss: Some(1.0),
            last_loss: Some(0.2),
            before: Some(score(0)),
            after: Some(score(rows * 3 / 4)),
            checkpoint: "tinker://r/weights/final".into(),
            sampler: Some("tinker://r/sampler_weights/final".into()),
            run_folder: "runs/d".into(),
            files: vec!["config.json", "metrics.jsonl"],
            next: vec![Suggestion {
                purpose: "try it",
                command: "tinker sample x".into(),
            }],
        },
        samples: samples.collect(),
        metrics: (1..=5).map(step).collect(),
    }
}

fn plain(outcome: &Outcome, unicode: bool) -> String {
    let text = outcome.to_text(TerminalStyle {
        unicode,
        width: 100,
    });
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn the_table_shows_rows_from_all_over_with_marks() {
    let text = plain(&outcome(16), true);
    let table: Vec<&str> = text.lines().skip(1).take(4).collect();
    assert_eq!(
        table,
        [
            "  prompt                 expected  before         after",
            "  pig latin: word 1 ->   ordway    ✗ the dog⏎ran  ✓ ordway",
            "  pig latin: word 3 ->   ordway    ✗ the dog⏎ran  ✓ ordway",
            "  pig latin: word 5 ->   ordway    ✗ the dog⏎ran  ✓ ordway",
        ]
    );
    assert!(text.contains("8 of 16; all are in samples.json"));
    assert!(
        text.contains(
            "  exact match 0.00 before → 0.75 after  (0 and 12 of 16 held-out prompts)\n"
        ),
        "{text}"
    );
}

#[test]
fn the_difference_is_in_sight() {
    let mut outcome = outcome(1);
    let beginning = "The opposite of wet is, as everyone knows, ";
    let row = &mut outcome.samples[0];
    row.expected = format!("{beginning}dry");
    row.before = given(&format!("{beginning}damp"), false);
    row.after = Some(given(&row.expected, true));
    let text = outcome.to_text(TerminalStyle {
        unicode: true,
        width: 80,
    });
    let text = anstream::adapter::strip_str(&text).to_string();
    let line = text.lines().nth(2).unwrap();
    assert!(
        line.contains("…s, dry") && line.contains("✗ …s, damp"),
        "{line}"
    );
    assert!(line.chars().count() <= 80, "{line}");
}

#[test]
fn plain_characters_are_enough() {
    let text = plain(&outcome(4), false);
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("ok ordway") && text.contains("no the dog\\nran"));
}

#[test]
fn what_comes_next_stands_last() {
    let text = plain(&outcome(4), true);
    assert!(text.ends_with("  try it\n    tinker sample x\n"));
    assert!(
        text.contains("  sampler     tinker://r/sampler_weights/final\n"),
        "{text}"
    );
}

#[test]
fn an_interrupted_run_has_no_table() {
    let mut outcome = outcome(4);
    outcome.summary.after = None;
    outcome.samples.iter_mut().for_each(|row| row.after = None);
    let text = plain(&outcome, true);
    assert!(!text.contains("expected") && text.contains("checkpoint"));
}

#[test]
fn the_json_form_has_everything() {
    let json = serde_json::to_value(outcome(4)).unwrap();
    assert_eq!(json["status"], "finished");
    assert_eq!(json["after"]["exact"], 3);
    assert_eq!(json["samples"][1]["after"]["exact"], false);
    assert_eq!(json["metrics"].as_array().unwrap().len(), 5);
    assert_eq!(json["metrics"][0]["grad_norm"], 2.0);
    assert_eq!(json["next"][0]["command"], "tinker sample x");
}
