//! Kinds of files, by their first bytes.

use crate::dataset::error::{ErrorKind, LineError};

/// Number of bytes that are looked at.
pub(super) const LENGTH: usize = 64 << 10;

/// Names of columns by which a table without a file name is known.
const COLUMNS: [&str; 11] = [
    "prompt",
    "completion",
    "messages",
    "conversations",
    "instruction",
    "output",
    "question",
    "answer",
    "text",
    "chosen",
    "rejected",
];

/// First bytes of files that cannot be read, with a name and a correction.
const OTHERS: [(&[u8], &str, &str); 9] = [
    (b"PK\x03\x04", "is a zip archive", "unpack it: `unzip FILE`"),
    (
        b"BZh",
        "is compressed with bzip2",
        "decompress it: `bunzip2 -k FILE`",
    ),
    (
        b"\xfd7zXZ\0",
        "is compressed with xz",
        "decompress it: `unxz -k FILE`",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "is a 7z archive",
        "unpack it: `7z x FILE`",
    ),
    (
        b"ARROW1\0\0",
        "is an Arrow file",
        "save it as Parquet or JSON Lines",
    ),
    (
        b"\x93NUMPY",
        "is an array of NumPy",
        "save it as JSON Lines",
    ),
    (b"\x80\x04", "is a Python pickle", "save it as JSON Lines"),
    (b"%PDF", "is a PDF file", "save its text as JSON Lines"),
    (
        b"SQLite format 3\0",
        "is an SQLite database",
        "export a table as CSV: `sqlite3 -csv -header FILE 'select ...'`",
    ),
];

/// Refuses files of kinds that are not read.
pub(super) fn refuse_other(head: &[u8]) -> Result<(), LineError> {
    if head.is_empty() {
        return Err(LineError::new(
            ErrorKind::File,
            "is empty",
            "write at least one row",
        ));
    }
    let encoding = match head {
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [b'{' | b'[' | b'"', 0, 0, 0, ..]
        | [0, 0, 0, b'{' | b'[' | b'"', ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [b'{' | b'[' | b'"', 0, ..] => Some("UTF-16LE"),
        [0, b'{' | b'[' | b'"', ..] => Some("UTF-16BE"),
        _ => None,
    };
    if let Some(encoding) = encoding {
        return Err(LineError::new(
            ErrorKind::Encoding,
            format!("is {encoding} text, not UTF-8"),
            format!("convert it: `iconv -f {encoding} -t UTF-8 FILE > NEW`"),
        ));
    }
    if head.get(257..262) == Some(b"ustar") {
        let fix = "unpack it: `tar xf FILE`";
        return Err(LineError::new(ErrorKind::File, "is a tar archive", fix));
    }
    let other = OTHERS.iter().find(|(magic, _, _)| head.starts_with(magic));
    other.map_or(Ok(()), |(_, reason, fix)| {
        Err(LineError::new(ErrorKind::File, *reason, *fix))
    })
}

/// Refuses JSON that is written over several lines without being a list.
pub(super) fn refuse_pretty(head: &[u8]) -> Result<(), LineError> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.by_ref().find(|line| !line.is_empty()) else {
        return Ok(());
    };
    let second = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let is_cut = |line| {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(line);
        parsed.is_err_and(|error| error.is_eof())
    };
    if !first.starts_with(b"{") || second.is_empty() || second.starts_with(b"{") || !is_cut(first) {
        return Ok(());
    }
    Err(LineError::new(
        ErrorKind::Syntax,
        "holds a JSON object over several lines",
        "write one object per line: `jq -c . FILE > NEW`; if the rows are a list inside of the object, `jq -c '.data[]' FILE > NEW`",
    ))
}

/// The separator of a table, by the file's name or by its header.
pub(super) fn delimiter(name: &str, head: &[u8]) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    let name = name
        .strip_suffix(".gz")
        .or(name.strip_suffix(".zst"))
        .unwrap_or(&name);
    match name.rsplit_once('.') {
        Some((_, "csv")) => return Some(b','),
        Some((_, "tsv" | "tab")) => return Some(b'\t'),
        _ => {}
    }
    let header = head.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let header = std::str::from_utf8(header).ok()?;
    let has_columns = |delimiter: char| {
        let cells = header
            .split(delimiter)
            .map(|cell| cell.trim().trim_matches('"'));
        cells.clone().count() > 1 && cells.into_iter().any(|cell| COLUMNS.contains(&cell))
    };
    [',', '\t']
        .into_iter()
        .find(|delimiter| has_columns(*delimiter))
        .map(|delimiter| delimiter as u8)
}

/// Whether the first line ends in `\r\n`.
pub(super) fn has_returns(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', head).unwrap_or_default();
    head[..end].ends_with(b"\r")
}
