//! Data files: lines, lists, tables and compressed files.

use std::io::{Cursor, Write as _};

use tinker_data::{Dataset, Example};

/// Lines of every format. What is read is written and read again.
pub(super) fn data_lines(bytes: &[u8]) {
    read("x.jsonl", bytes);
}

/// One JSON list of rows.
pub(super) fn data_list(bytes: &[u8]) {
    read("x.json", bytes);
}

/// A table with a header.
pub(super) fn data_table(bytes: &[u8]) {
    read("x.csv", bytes);
    read("x.tsv", bytes);
}

/// Bytes that are decompressed, if their beginning says so.
pub(super) fn data_compressed(bytes: &[u8]) {
    read("-", bytes);
}

fn read(name: &str, bytes: &[u8]) {
    let dataset = match Dataset::parse(name, bytes) {
        Ok(dataset) => dataset,
        Err(error) => {
            assert!(error.to_string().starts_with(name) && !error.lines().is_empty());
            return;
        }
    };
    for row in dataset.rows {
        let text = row.example.to_json().to_string();
        let again =
            Dataset::parse("written", text.as_bytes()).expect("what is written can be read");
        let examples: Vec<Example> = again.rows.into_iter().map(|row| row.example).collect();
        assert_eq!(examples, [row.example], "{text}");
    }
}

/// Rows of every format.
const ROWS: [&str; 17] = [
    r#"{"prompt": "a", "completion": " b", "id": 1}"#,
    r#"{"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}"#,
    r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": "b", "weight": 0.5}]}"#,
    r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]}, {"role": "tool", "tool_call_id": "c", "content": "9"}], "tools": [{"type": "function"}]}"#,
    r#"{"messages": [{"role": "user", "content": "a", "name": "n"}, {"role": "assistant", "reasoning_content": "r", "content": "b"}], "chat_template_kwargs": {"x": true}}"#,
    r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "train": false}], "system": "s"}"#,
    r#"{"conversations": [{"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {}}"}, {"from": "observation", "value": "9"}], "tools": "[]"}"#,
    r#"{"instruction": "a", "input": "i", "output": "b", "history": [["c", "d"]]}"#,
    r#"{"system": "SYSTEM: s\n{\"name\": \"f\"}", "chat": "USER: a\n\n\nASSISTANT: <functioncall> {\"name\": \"f\", \"arguments\": '{}'} <|endoftext|>\n\n\nFUNCTION RESPONSE: 9"}"#,
    r#"{"question": "a", "answer": "b"}"#,
    r#"{"text": "\ud83e\udd80 caf\u00e9"}"#,
    r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#,
    r#"{"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}"#,
    r#"{"chosen": "a\n\nAssistant: b", "rejected": "a\n\nAssistant: c"}"#,
    r#"{"prompt": [{"role": "user", "content": "a"}], "answer": 4, "level": [1]}"#,
    r#"{"tokens": [1, 2, 3], "weights": [0, 0.5, 1]}"#,
    r#"{"model_input": {"chunks": [{"type": "encoded_text", "tokens": [1, 2]}]}, "loss_fn_inputs": {"target_tokens": {"data": [2, 3], "dtype": "int64"}, "weights": {"data": [0.0, 1.0], "dtype": "float32"}}}"#,
];

const TABLES: [&str; 4] = [
    "prompt,completion,id\r\n\"a, \"\"b\"\"\",c,1\r\n",
    "prompt\tcompletion\na\tb\n",
    "messages\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"a\"\"}]\"\n",
    "\u{feff}question,answer\na,b\n",
];

/// Seeds of [`data_lines`].
pub(super) fn lines() -> Vec<Vec<u8>> {
    let all = format!("\u{feff}{}\r\n\n{}\u{feff}{}", ROWS[0], ROWS[10], ROWS[10]);
    ROWS.into_iter()
        .map(str::to_owned)
        .chain([all])
        .map(String::into_bytes)
        .collect()
}

/// Seeds of [`data_list`].
pub(super) fn lists() -> Vec<Vec<u8>> {
    let pairs = ROWS
        .chunks(2)
        .map(|rows| format!("[\n  {}\n]", rows.join(",\n  ")));
    pairs.map(String::into_bytes).collect()
}

/// Seeds of [`data_table`].
pub(super) fn tables() -> Vec<Vec<u8>> {
    TABLES.map(|table| table.as_bytes().to_vec()).into()
}

/// Seeds of [`data_compressed`].
pub(super) fn compressed() -> Vec<Vec<u8>> {
    let gzip = |text: &str| {
        let mut encoder =
            flate2::write::GzEncoder::new(Cursor::new(Vec::new()), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory takes it");
        encoder.finish().expect("memory takes it").into_inner()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 3).expect("memory takes it");
    let texts = ROWS.into_iter().chain(TABLES);
    texts.flat_map(|text| [gzip(text), zstd(text)]).collect()
}
