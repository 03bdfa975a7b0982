//! Files that are not data: each is named in one error, in bounded memory.

use crate::program::Workplace;

/// Bytes of memory that a check may map.
const MOST: usize = 1 << 30;

/// A row with a text in JSON, as it is written there.
fn row(text: &str) -> Vec<u8> {
    format!("{{\"text\":\"{text}\"}}\n").into_bytes()
}

/// Runs `tinker data check` and `tinker train` with a limit of memory and of time, and returns their errors.
fn refused(work: &Workplace, name: &str) -> Vec<String> {
    let tinker = env!("CARGO_BIN_EXE_tinker");
    let limits = format!("ulimit -v {}; exec timeout 60", MOST >> 10);
    let commands = ["data check", "data show", "train --dry-run"];
    let runs = commands.map(|command| {
        let run = work.paste(&format!("{limits} {tinker} {command} {name}"));
        assert_eq!(run.code, 3, "{command} {name}: {}", run.stderr);
        assert!(run.stderr.len() < 4000, "{command} {name}");
        run.stderr
    });
    runs.into()
}

#[test]
fn hostile_files_are_named_in_one_error() {
    let work = Workplace::new();
    let deep = format!(
        "{{\"text\":{}{}}}\n",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let deep_object = "{\"text\":".repeat(10_000);
    let utf16: Vec<u8> = String::from_utf8(row("a"))
        .unwrap()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin1 = [&b"{\"text\":\"caf\xe9\"}\n"[..], &row("b")].concat();
    let files: [(&str, Vec<u8>, &str); 13] = [
        (
            "long.jsonl",
            row(&"x".repeat(20 << 20)),
            "long.jsonl:1: has more than 16 MiB",
        ),
        (
            "long.json",
            [&b"["[..], &row(&"x".repeat(20 << 20)), b"]"].concat(),
            "long.json:1: has more than 16 MiB",
        ),
        (
            "deep.jsonl",
            deep.into_bytes(),
            "nested deeper than 127 levels",
        ),
        (
            "object.jsonl",
            deep_object.into_bytes(),
            "nested deeper than 127 levels",
        ),
        (
            "half.jsonl",
            row("\\ud83d!"),
            "half.jsonl:1:10: has half of a surrogate pair, \\ud83d",
        ),
        (
            "nul.jsonl",
            row("a\0b"),
            "nul.jsonl:1:11: has a NUL character",
        ),
        (
            "bom16.jsonl",
            [&b"\xff\xfe"[..], &utf16].concat(),
            "bom16.jsonl is UTF-16 text",
        ),
        ("utf16.jsonl", utf16, "utf16.jsonl is UTF-16LE text"),
        (
            "latin1.jsonl",
            latin1,
            "latin1.jsonl:1:13: is not UTF-8 text: byte 0xe9",
        ),
        ("empty.jsonl", Vec::new(), "empty.jsonl is empty"),
        (
            "blank.jsonl",
            b"\n \n".to_vec(),
            "blank.jsonl holds no examples",
        ),
        (
            "fake.gz",
            row("a"),
            "fake.gz has a name of a compressed file, and is not compressed",
        ),
        (
            "cut.gz",
            b"\x1f\x8b\x08\0\0\0".to_vec(),
            "cut.gz cannot be read",
        ),
    ];
    for (name, bytes, expected) in files {
        std::fs::write(work.path(name), bytes).unwrap();
        for error in refused(&work, name) {
            assert!(error.contains(expected), "{name}: {error}");
            assert!(error.contains("fix: "), "{name}: {error}");
        }
    }
    std::fs::create_dir(work.path("folder")).unwrap();
    work.paste("mkfifo fifo");
    for (name, expected) in [
        ("folder", "folder is a folder"),
        ("fifo", "fifo is a FIFO, which can be read only once"),
        ("/dev/zero", "/dev/zero is a device or a socket"),
        ("none.jsonl", "none.jsonl cannot be opened"),
    ] {
        for error in refused(&work, name) {
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn a_small_file_that_is_large_when_decompressed_takes_no_memory() {
    let work = Workplace::new();
    let made = work.paste("head -c 1500000000 /dev/zero | tr '\\0' x | gzip -1 > bomb.gz");
    assert_eq!(made.code, 0, "{}", made.stderr);
    for error in refused(&work, "bomb.gz") {
        assert!(error.contains("bomb.gz:1: has more than 16 MiB"), "{error}");
    }
}
