//! The same two rows in every container: lines, a list, tables, and compressed.

#![expect(clippy::print_stdout, reason = "an example")]

use std::io::Write as _;

use tinker_data::{ReadOptions, Rows};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines =
        "{\"question\":\"1 + 1?\",\"answer\":\"2\"}\n{\"question\":\"2 + 2?\",\"answer\":\"4\"}\n";
    let list = "[\n  {\"question\": \"1 + 1?\", \"answer\": \"2\"},\n  {\"question\": \"2 + 2?\", \"answer\": \"4\"}\n]";
    let csv = "question,answer\n1 + 1?,2\n2 + 2?,4\n";
    let tsv = "question\tanswer\n1 + 1?\t2\n2 + 2?\t4\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes())?;
    let files: [(&str, Vec<u8>); 6] = [
        ("lines.jsonl", lines.into()),
        ("list.json", list.into()),
        ("table.csv", csv.into()),
        ("table.tsv", tsv.into()),
        ("lines.jsonl.gz", gzip.finish()?),
        ("lines.jsonl.zst", zstd::encode_all(lines.as_bytes(), 3)?),
    ];
    for (name, bytes) in files {
        // Any source that can be read; `Rows::open` opens a file.
        let mut rows = Rows::new(name, std::io::Cursor::new(bytes), &ReadOptions::new())?;
        for row in rows.by_ref() {
            let row = row?;
            println!("{name}:{}: {}", row.line, row.example.to_json());
        }
        println!("  {:?}", rows.notes().formats);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_container_is_read() -> Result<(), Box<dyn std::error::Error>> {
        super::main()
    }
}
