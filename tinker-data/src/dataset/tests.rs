use super::*;
use crate::chat::Message;

fn parse(text: &[u8]) -> Result<Dataset, DatasetError> {
    Dataset::parse("x.jsonl", text)
}

fn errors(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

/// The message of a file whose only line is `line`, without the headline and the fix.
fn reason_of(line: &str) -> String {
    let shown = errors(line);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("x.jsonl has 1 error"));
    let reason = lines
        .next()
        .unwrap()
        .trim()
        .strip_prefix("x.jsonl:1: ")
        .unwrap()
        .to_owned();
    assert!(lines.next().unwrap().starts_with("    fix: "), "{shown}");
    reason
}

#[test]
fn both_forms_are_read_and_blank_lines_skipped() {
    let text = "\u{feff}{\"prompt\":\"a\",\"completion\":\" b\"}\r\n\n{\"messages\":[{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"assistant\",\"content\":\"d\"}]}\n";
    let rows = parse(text.as_bytes()).unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(
        rows[0].example,
        Example::Completion {
            prompt: "a".into(),
            completion: " b".into()
        }
    );
    let messages = vec![Message::user("c"), Message::assistant("d")];
    assert_eq!(rows[1].example, Example::Chat(messages.into()));
}

#[test]
fn each_error_has_its_reason() {
    for (line, reason) in [
        (
            r#"{"prompt":"a""#,
            "is not valid JSON: EOF while parsing an object, at column 13",
        ),
        (
            r#"{"prompt":"a" "completion":"b"}"#,
            "is not valid JSON: expected `,` or `}`, at column 15",
        ),
        ("hello", "is not valid JSON: expected value, at column 1"),
        ("[1]", "is JSON, but not an object"),
        ("7", "is JSON, but not an object"),
        ("{}", r#"has no "prompt" and no "messages""#),
        (r#"{"prompt":"a"}"#, r#"has no "completion""#),
        (r#"{"completion":"a"}"#, r#"has no "prompt""#),
        (
            r#"{"promt":"a","completion":"b"}"#,
            r#"has an unknown key "promt""#,
        ),
        (
            r#"{"prompt":"a","completion":7}"#,
            r#"has a number as "completion", not text"#,
        ),
        (
            r#"{"prompt":"a","completion":null}"#,
            r#"has null as "completion", not text"#,
        ),
        (
            r#"{"prompt":"","completion":"b"}"#,
            r#"has an empty "prompt""#,
        ),
        (
            r#"{"prompt":"a","completion":" \n"}"#,
            r#"has an empty "completion""#,
        ),
        (
            r#"{"prompt":"a","prompt":"c","completion":"b"}"#,
            r#"has "prompt" twice"#,
        ),
        (
            r#"{"prompt":"a","messages":[]}"#,
            r#"has both "messages" and "prompt""#,
        ),
        (r#"{"messages":"a"}"#, r#""messages" is text, not a list"#),
        (
            r#"{"messages":[]}"#,
            r#""messages" has no answer of the assistant, so there is nothing to learn"#,
        ),
        (
            r#"{"messages":[7]}"#,
            "messages[0] is a number, not an object",
        ),
        (
            r#"{"messages":[{"role":"bot","content":"a"}]}"#,
            r#"messages[0] has the role "bot""#,
        ),
        (
            r#"{"messages":[{"role":"user"}]}"#,
            r#"messages[0] has no "content""#,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a","x":1}]}"#,
            r#"messages[0] has an unknown key "x""#,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a"}]}"#,
            r#""messages" has no answer of the assistant, so there is nothing to learn"#,
        ),
        (
            r#"{"messages":[{"role":"assistant","content":"a"}]}"#,
            r#""messages" starts with the assistant, which has nothing to answer"#,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"assistant","content":"c"}]}"#,
            "messages[1] is a system message inside the conversation",
        ),
    ] {
        assert_eq!(reason_of(line), reason, "{line}");
    }
}

#[test]
fn text_that_is_not_utf8_is_an_error_of_its_line() {
    let shown = parse(b"\n\xff\xfe\n").unwrap_err().to_string();
    assert!(shown.contains("x.jsonl:2: is not UTF-8 text"), "{shown}");
}

#[test]
fn an_empty_file_is_an_error() {
    assert!(
        errors("\n \n")
            .starts_with("x.jsonl holds no examples\n  fix: write one JSON object per line")
    );
}

#[test]
fn all_errors_are_counted_and_twenty_are_listed() {
    let good = r#"{"prompt":"a","completion":"b"}"#;
    let text = format!("{good}\n{{\"prompt\":\"a\"}}\n").repeat(24);
    let shown = errors(&text);
    assert!(shown.starts_with("x.jsonl has 24 errors\n  x.jsonl:2: has no \"completion\"\n"));
    assert!(
        shown.ends_with("\n  x.jsonl:40: has no \"completion\"\n  and 4 more: 4 wrong value"),
        "{shown}"
    );
    assert_eq!(
        shown.matches("fix:").count(),
        1,
        "the same fix is listed once: {shown}"
    );
}

#[test]
fn no_content_panics() {
    let seed = b"\xef\xbb\xbf{\"prompt\":\"a\\u00e9\",\"completion\":\" b\"}\r\n{\"messages\":[{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"assistant\",\"content\":\"\xf0\x9f\xa6\x80\"}]}\n";
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..50_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, b"[{\"\\,:0-"[random.usize(..8)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Err(error) = parse(&bytes) {
            assert!(!error.to_string().is_empty());
        }
    }
}
