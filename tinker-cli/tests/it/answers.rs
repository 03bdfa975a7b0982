//! Answers that data teach: those that are chosen, and empty ones.

use crate::program::Workplace;

#[test]
fn the_answers_to_learn_are_chosen() {
    let work = Workplace::new();
    let chat = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"bb"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}"#;
    work.write("x.jsonl", chat);
    let learned = |options: &[&str]| {
        let check = ["data", "check", "x.jsonl", "--json"];
        work.run(&[&check[..], options].concat()).json()["learned"].clone()
    };
    assert_eq!(learned(&[]), 3 + 2);
    assert_eq!(learned(&["--learn", "last"]), 2);
    assert_eq!(learned(&["--model", "tinker-local/tiny"]), 3 + 2);
    let run = work.run(&["data", "show", "x.jsonl", "--learn", "last"]);
    assert!(run.stdout.contains("2 learned"), "{}", run.stdout);

    work.write(
        "t.jinja",
        "{% for m in messages %}{{ m.content }}{{ x }}{% endfor %}",
    );
    let template = ["--chat-template", "t.jinja", "--template-arg", "x=-"];
    let run = work.run(
        &[
            &["data", "show", "x.jsonl", "--learn", "last"],
            &template[..],
        ]
        .concat(),
    );
    assert!(run.stdout.contains("a-bb-c-"), "{}", run.stdout);
    let run = work.run(&["data", "check", "x.jsonl", "--model", "/no/such/folder"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("--model /no/such/folder: does not exist"),
        "{}",
        run.stderr
    );
}

#[test]
fn empty_answers_are_learned_on_request() {
    let work = Workplace::new();
    let lines = [
        r#"{"prompt":"a","completion":""}"#,
        r#"{"prompt":"a","completion":" "}"#,
        r#"{"question":"a","answer":""}"#,
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}"#,
    ];
    work.write("x.jsonl", &lines.join("\n"));
    let run = work.run(&["data", "check", "x.jsonl"]);
    assert_eq!(run.code, 3);
    for line in 1..=4 {
        let place = format!("x.jsonl:{line}:");
        assert!(run.stderr.contains(&place), "{place} {}", run.stderr);
    }
    let json = work
        .run(&["data", "check", "x.jsonl", "--allow-empty", "--json"])
        .json();
    assert_eq!(
        (&json["rows"], &json["learned"]),
        (&4.into(), &(1 + 2 + 1 + 1 + 2).into())
    );
    let train = [
        "train",
        "x.jsonl",
        "--local",
        "--dry-run",
        "--json",
        "--steps",
        "1",
    ];
    assert_eq!(work.run(&train).code, 3);
    let run = work.run(&[&train[..], &["--allow-empty"]].concat());
    assert_eq!(run.json()["examples"], 4);
    // Rows without learned tokens are refused even so.
    work.write("x.jsonl", r#"{"messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(
        work.run(&["data", "check", "x.jsonl", "--allow-empty"])
            .code,
        3
    );
}
