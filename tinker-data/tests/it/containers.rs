//! Containers: tables, lists, compressed files, and what is no file.

use std::io::Write as _;

use tinker_data::{Dataset, Example, ReadOptions};

const ROWS: &[u8] = b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n";

fn texts(name: &str, bytes: &[u8]) -> Vec<(usize, Example)> {
    let dataset = Dataset::parse(name, bytes).unwrap_or_else(|error| panic!("{error}"));
    dataset
        .rows
        .into_iter()
        .map(|row| (row.line, row.example))
        .collect()
}

fn completion(prompt: &str, completion: &str) -> Example {
    Example::Completion {
        prompt: prompt.to_owned(),
        completion: completion.to_owned(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn tables_have_a_header() {
    let csv = "\u{feff}prompt,completion,id\r\n\"a, \"\"b\"\"\n\",c,1\r\nd,e,2\r\n";
    let expected = vec![
        (2, completion("a, \"b\"\n", "c")),
        (4, completion("d", "e")),
    ];
    assert_eq!(texts("x.csv", csv.as_bytes()), expected);
    assert_eq!(texts("-", csv.as_bytes()), expected, "known by its header");
    let tsv = "prompt\tcompletion\na\tb\n";
    assert_eq!(texts("-", tsv.as_bytes()), [(2, completion("a", "b"))]);
    let chats = "messages\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"a\"\"}]\"\n";
    assert!(matches!(
        &texts("x.csv", chats.as_bytes())[..],
        [(2, Example::Chat(_))]
    ));
}

#[test]
fn faults_of_tables_have_their_line() {
    for (csv, line, reason) in [
        (
            "prompt,completion\na\nb,c\n",
            2,
            "has 1 cells, and the header 2",
        ),
        ("prompt,completion\na,\n", 2, "has an empty \"completion\""),
        (
            "prompt,completion\na,b\0\n",
            2,
            "has a NUL character in \"completion\"",
        ),
    ] {
        let error = Dataset::parse("x.csv", csv.as_bytes()).unwrap_err();
        assert_eq!(error.lines().len(), 1, "{error}");
        assert_eq!(
            (error.lines()[0].line(), error.lines()[0].reason()),
            (Some(line), reason)
        );
    }
    let error = Dataset::parse("x.csv", b"text,text\na,b\n").unwrap_err();
    assert!(
        error.to_string().contains("has the column \"text\" twice"),
        "{error}"
    );
    let open = format!("text\n\"{}", "x\n".repeat(20 << 20));
    let error = Dataset::parse("x.csv", open.as_bytes()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has more than 16 MiB in one row"),
        "{error}"
    );
}

#[test]
fn compressed_files_are_known_by_their_first_bytes() {
    let expected = texts("x.jsonl", ROWS);
    assert_eq!(texts("x", &gzip(ROWS)), expected);
    assert_eq!(
        texts(
            "x",
            &[gzip(b"{\"text\":\"a\"}\n"), gzip(b"{\"text\":\"b\"}\n")].concat()
        ),
        expected
    );
    assert_eq!(texts("x", &zstd::encode_all(ROWS, 3).unwrap()), expected);
    assert_eq!(
        texts("x.csv.gz", &gzip(b"text\na\n")),
        [(2, Example::Text("a".to_owned()))]
    );

    let mut cut = gzip(&ROWS.repeat(5000));
    cut.truncate(cut.len() / 2);
    for options in [ReadOptions::new(), ReadOptions::new().with_skip_bad(true)] {
        let source = std::io::Cursor::new(cut.clone());
        let error = Dataset::read("x.gz", source, &options)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("x.gz cannot be read"), "{error}");
    }
}

#[test]
fn only_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        let error = Dataset::open(path, &ReadOptions::new()).unwrap_err();
        error.lines()[0].reason().to_owned()
    };
    assert_eq!(open(folder.path()), "is a folder");
    assert!(open(&folder.path().join("none")).starts_with("cannot be opened"));
    let file = folder.path().join("x.jsonl");
    std::fs::write(&file, ROWS).unwrap();
    assert_eq!(
        Dataset::open(&file, &ReadOptions::new())
            .unwrap()
            .rows
            .len(),
        2
    );
    #[cfg(unix)]
    {
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        assert_eq!(open(&fifo), "is a FIFO, which can be read only once");
        assert_eq!(
            open("/dev/zero".as_ref()),
            "is a device or a socket, not a file"
        );
    }
}
