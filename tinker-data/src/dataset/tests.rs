use super::*;
use crate::chat::{Message, Role};
use crate::json::Json;

fn parse(text: &[u8]) -> Result<Dataset, DatasetError> {
    Dataset::parse("x.jsonl", text)
}

fn errors(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

/// Place and reason of the error of a file whose only line is `line`.
fn reason_of(line: &str) -> String {
    let error = parse(line.as_bytes()).unwrap_err();
    let [only] = error.lines() else {
        panic!("{error}");
    };
    assert_eq!(only.line(), Some(1));
    assert!(!only.fix().is_empty());
    let column = only
        .column()
        .map_or(String::new(), |column| format!("{column}: "));
    format!("{column}{}", only.reason())
}

fn example(line: &str) -> Example {
    let mut dataset = parse(line.as_bytes()).unwrap();
    assert_eq!(dataset.rows.len(), 1);
    dataset.rows.remove(0).example
}

fn messages(line: &str) -> Vec<Message> {
    match example(line) {
        Example::Chat(conversation) => conversation.messages,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_forms_are_read_and_blank_lines_skipped() {
    let text = "\u{feff}{\"prompt\":\"a\",\"completion\":\" b\"}\r\n\n{\"messages\":[{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"assistant\",\"content\":\"d\"}]}\n";
    let dataset = parse(text.as_bytes()).unwrap();
    let rows = &dataset.rows;
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
    let counts = [(Format::PromptCompletion, 1), (Format::Chat, 1)];
    assert_eq!(dataset.notes.formats, counts.into());
}

#[test]
fn each_error_has_its_reason() {
    for (line, reason) in [
        (
            r#"{"prompt":"a""#,
            "13: is not valid JSON: EOF while parsing an object",
        ),
        (
            r#"{"prompt":"é" "completion":"b"}"#,
            "15: is not valid JSON: expected `,` or `}`",
        ),
        ("hello", "1: is not valid JSON: expected value"),
        ("[1]", "2: is a number, not an object"),
        ("7", "1: is a number, not an object"),
        ("{}", "1: has no keys"),
        (r#"{"prompt":"a"}"#, r#"1: has no "completion""#),
        (r#"{"completion":"a"}"#, r#"1: has no "prompt""#),
        (
            r#"{"promt":"a","complete":"b"}"#,
            r#"1: has keys of no known format: "promt", "complete""#,
        ),
        (
            r#"{"prompt":"a","completion":7}"#,
            r#"15: has a number as "completion", not text"#,
        ),
        (
            r#"{"prompt":"a","completion":null}"#,
            r#"15: has null as "completion", not text"#,
        ),
        (
            r#"{"prompt":"a","completion":" \n"}"#,
            r#"15: has an empty "completion""#,
        ),
        (
            r#"{"prompt":"a","prompt":"c","completion":"b"}"#,
            r#"15: the key "prompt" is repeated"#,
        ),
        (
            r#"{"prompt":"a","completion":"b","images":["x.png"]}"#,
            r#"32: has "images", which would be lost"#,
        ),
        (
            r#"{"prompt":"a","completion":"b","label":false}"#,
            r#"32: has "label", which would be lost"#,
        ),
        (
            r#"{"prompt":"x","messages":[{"role":"user","content":"a"}]}"#,
            r#"2: has "prompt" beside "messages", and no message is equal to it"#,
        ),
        (
            r#"{"messages":"a"}"#,
            r#"2: has text as "messages" that is not a list in JSON"#,
        ),
        (
            r#"{"messages":[7]}"#,
            "14: messages[0] is a number, not an object",
        ),
        (
            r#"{"messages":[{"content":"a"}]}"#,
            r#"14: messages[0] has no "role""#,
        ),
        (
            r#"{"messages":[{"role":"user"}]}"#,
            r#"14: messages[0] has no "content""#,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a","weight":1}]}"#,
            r#"43: messages[0] has "weight" on a message of the role "user""#,
        ),
        (
            r#"{"messages":[{"role":"assistant","content":"a","mask":1}]}"#,
            r#"48: messages[0] has "mask", which means learned in some data sets and not learned in others"#,
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
            r#"41: messages[0].content[0] has the type "image_url""#,
        ),
        (
            r#"{"messages":[{"role":"assistant","content":null}]}"#,
            r#"34: messages[0] has no "content""#,
        ),
        (
            r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"x"}}]}]}"#,
            r#"72: messages[0].tool_calls[0].function has text as "arguments" that is not an object in JSON"#,
        ),
        (
            r#"{"conversations":[{"from":"martian","value":"a"}]}"#,
            r#"20: conversations[0] is from "martian""#,
        ),
        (
            r#"{"chosen":"a","rejected":"b"}"#,
            r#"2: has no "prompt", and "chosen" and "rejected" do not share a line at their beginning"#,
        ),
        (r#"{"tokens":[1]}"#, r#"2: has one token in "tokens""#),
        (
            r#"{"tokens":[1,-2]}"#,
            "14: tokens[1] is not a number that can stand here",
        ),
        (
            r#"{"tokens":[1,2],"weights":[1]}"#,
            "17: has 1 weights for 2 tokens",
        ),
        (
            "{\"prompt\":\"a\0\",\"completion\":\"b\"}",
            "13: has a NUL character",
        ),
    ] {
        assert_eq!(reason_of(line), reason, "{line}");
    }
}

#[test]
fn keys_are_refused_when_repeated_at_any_depth() {
    let line = r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#;
    assert_eq!(reason_of(line), r#"43: the key "content" is repeated"#);
    let many = (0..40)
        .map(|n| format!("\"k{n}\":1,"))
        .collect::<Vec<_>>()
        .concat();
    let line = format!("{{\"text\":\"a\",\"x\":{{{many}\"k3\":2}}}}");
    assert!(reason_of(&line).ends_with("the key \"k3\" is repeated"));
}

#[test]
fn deep_values_and_long_lines_are_refused() {
    let deep = format!("{{\"text\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(reason_of(&deep).contains("nested deeper than 127 levels"));
    let long = format!(
        "{{\"text\":\"{}\"}}\n{{\"text\":\"b\"}}",
        "x".repeat(20 << 20)
    );
    let error = parse(long.as_bytes()).unwrap_err();
    assert_eq!(error.lines().len(), 1);
    assert_eq!(error.lines()[0].reason(), "has more than 16 MiB");
    let long = format!(
        "[{{\"text\":\"b\"}},{{\"text\":\"{}\"}}]",
        "x".repeat(20 << 20)
    );
    let error = parse(long.as_bytes()).unwrap_err();
    assert_eq!(error.lines()[0].reason(), "has more than 16 MiB");
}

#[test]
fn a_wrong_encoding_is_one_fault() {
    let text = b"{\"text\":\"a\"}\n{\"text\":\"caf\xe9\"}\n{\"text\":\"\xe9t\xe9\"}\n";
    let shown = parse(text).unwrap_err().to_string();
    assert!(
        shown.starts_with("x.jsonl has 2 errors\n  x.jsonl:2:13: is not UTF-8 text: byte 0xe9\n    fix: save the file as UTF-8; `iconv"),
        "{shown}"
    );
    assert!(shown.ends_with("\n  and 1 more: 1 not UTF-8"), "{shown}");
    for (bytes, name) in [
        (&b"\xff\xfe{\0\"\0"[..], "UTF-16"),
        (b"{\0\"\0", "UTF-16LE"),
        (b"\0{\0\"", "UTF-16BE"),
        (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
    ] {
        let shown = parse(bytes).unwrap_err().to_string();
        let expected = format!(
            "x.jsonl is {name} text, not UTF-8\n  fix: convert it: `iconv -f {name} -t UTF-8 FILE > NEW`"
        );
        assert_eq!(shown, expected);
    }
}

#[test]
fn other_files_are_named() {
    for (bytes, reason) in [
        (&b""[..], "is empty"),
        (b"PK\x03\x04....", "is a zip archive"),
        (
            b"{\n \"text\":\n \"a\"\n}",
            "holds a JSON object over several lines",
        ),
    ] {
        let error = parse(bytes).unwrap_err();
        assert_eq!(
            (error.lines().len(), error.lines()[0].reason()),
            (1, reason)
        );
    }
    let error = Dataset::parse("x.jsonl.gz", b"{\"text\":\"a\"}").unwrap_err();
    assert!(error.to_string().contains("is not compressed"), "{error}");
}

#[test]
fn a_file_without_examples_is_an_error() {
    assert!(
        errors("\n \n")
            .starts_with("x.jsonl holds no examples\n  fix: write one JSON object per line")
    );
}

#[test]
fn marks_and_line_ends_of_joined_files_are_read() {
    let text = "\u{feff}{\"text\":\"a\u{2028}b\"}\r\u{feff}{\"text\":\"c\"}\u{feff}{\"text\":\"d\u{feff}\"}\r\n{\"text\":\"\\ud83e\\udd80\"}";
    let dataset = parse(text.as_bytes()).unwrap();
    let texts: Vec<_> = dataset
        .rows
        .iter()
        .map(|row| (row.line, row.example.clone()))
        .collect();
    let expected = [
        (1, "a\u{2028}b"),
        (2, "c"),
        (2, "d\u{feff}"),
        (3, "\u{1f980}"),
    ];
    assert_eq!(
        texts,
        expected.map(|(line, text)| (line, Example::Text(text.to_owned())))
    );
}

#[test]
fn flags_decide_what_is_learned() {
    for (flag, weight) in [
        (r#""weight":0"#, 0.0),
        (r#""weight":1"#, 1.0),
        (r#""weight":null"#, 1.0),
        (r#""train":false"#, 0.0),
        (r#""loss":true"#, 1.0),
    ] {
        let line = format!(
            r#"{{"conversations":[{{"from":"human","value":"a"}},{{"from":"gpt","value":"b",{flag}}}]}}"#
        );
        let messages = messages(&line);
        assert_eq!(messages[1].weight.to_bits(), f32::to_bits(weight), "{flag}");
    }
}

#[test]
fn unusual_conversations_are_left_to_the_template() {
    let roles = |line: &str| -> Vec<Role> {
        messages(line)
            .into_iter()
            .map(|message| message.role)
            .collect()
    };
    let line = r#"{"messages":[{"role":"assistant","content":"a"},{"role":"Human","content":""}]}"#;
    assert_eq!(
        roles(line),
        [Role::Assistant, Role::Other("Human".to_owned())]
    );
    assert_eq!(
        roles(r#"{"messages":[{"role":"system","content":"a"}]}"#),
        [Role::System]
    );
}

#[test]
fn lines_with_errors_can_be_skipped() {
    let text = "{\"text\":\"a\"}\nx\n{\"text\":1}\n{\"text\":\"b\"}\n";
    let options = ReadOptions::new().with_skip_bad(true);
    let dataset = Dataset::read("x", text.as_bytes(), &options).unwrap();
    assert_eq!((dataset.rows.len(), dataset.notes.skipped), (2, 2));
    let error = Dataset::read("x", "x\ny\n".as_bytes(), &options).unwrap_err();
    assert!(
        error.to_string().contains("only 2 lines with errors"),
        "{error}"
    );
}

#[test]
fn a_format_can_be_required() {
    let text = r#"{"question":"2 + 2?","answer":"4","level":1}"#;
    let options = ReadOptions::new().with_format(Format::Rl);
    let dataset = Dataset::read("x", text.as_bytes(), &options).unwrap();
    let Example::Problem {
        prompt,
        answer,
        metadata,
    } = &dataset.rows[0].example
    else {
        panic!("{dataset:?}");
    };
    assert_eq!(prompt.text(), "2 + 2?");
    assert_eq!(answer, &Some(Json::from("4")));
    assert_eq!(metadata.len(), 1);
    let options = ReadOptions::new().with_format(Format::Chat);
    let error = Dataset::read("x", text.as_bytes(), &options).unwrap_err();
    assert!(
        error.to_string().contains(r#"has no "messages""#),
        "{error}"
    );
    assert!("sharegpt".parse() == Ok(Format::ShareGpt) && "chats".parse::<Format>().is_err());
}

#[test]
fn all_errors_are_counted_and_twenty_are_listed() {
    let good = r#"{"prompt":"a","completion":"b"}"#;
    let text = format!("{good}\n{{\"prompt\":\"a\"}}\n").repeat(24);
    let shown = errors(&text);
    assert!(
        shown.starts_with("x.jsonl has 24 errors\n  x.jsonl:2:1: has no \"completion\"\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "\n  x.jsonl:40:1: has no \"completion\"\n  and 4 more: 4 missing or empty value"
        ),
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
