//! Parquet files, as `pyarrow` writes them.

use tinker_data::{Dataset, Example, Format, Index, Message, ReadOptions};

fn path(name: &str) -> String {
    format!(
        "{}/tests/fixtures/parquet/{name}.parquet",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn open(name: &str) -> Dataset {
    Dataset::open(path(name), &ReadOptions::new()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn lists_of_messages_are_conversations() {
    // Two row groups, compressed with Snappy; a missing category.
    let dataset = open("chats");
    assert_eq!(dataset.notes.formats, [(Format::Chat, 2)].into());
    let ignored = [("category".to_owned(), 1), ("prompt_id".to_owned(), 2)];
    assert_eq!(dataset.notes.ignored, ignored.into());
    let expected = [
        vec![
            Message::user("Hi \u{e9}"),
            Message::assistant("Yo\n\u{1f980}"),
        ],
        vec![
            Message::system("s"),
            Message::user("x"),
            Message::assistant("y"),
        ],
    ];
    for (at, (row, messages)) in dataset.rows.iter().zip(expected).enumerate() {
        assert_eq!(row.line, at + 1);
        assert_eq!(row.example, Example::Chat(messages.into()));
    }

    let mut index = Index::new(ReadOptions::new());
    index.add_file(path("chats")).unwrap();
    let rows: Vec<_> = index.rows().map(Result::unwrap).collect();
    assert_eq!(rows, dataset.rows);
}

#[test]
fn numbers_and_lists_are_columns() {
    let dataset = open("questions");
    assert_eq!(dataset.notes.formats, [(Format::QuestionAnswer, 1)].into());
    let ignored: Vec<&str> = dataset.notes.ignored.keys().map(String::as_str).collect();
    assert_eq!(ignored, ["level", "score", "tags"]);
    let messages = [Message::user("1 + 1?"), Message::assistant("2")];
    assert_eq!(dataset.rows[0].example, Example::Chat(messages.into()));

    let options = ReadOptions::new().with_format(Format::Text);
    let error = Dataset::open(path("questions"), &options).unwrap_err();
    assert_eq!(error.lines()[0].line(), Some(1), "{error}");
}

#[test]
fn damaged_files_are_one_error() {
    let bytes = std::fs::read(path("chats")).unwrap();
    for end in 5..bytes.len() {
        let error = Dataset::parse("x.parquet", &bytes[..end]).unwrap_err();
        assert_eq!(error.lines().len(), 1);
        let error = error.to_string();
        assert!(
            error.starts_with("x.parquet is not a valid Parquet file"),
            "{error}"
        );
    }
}
