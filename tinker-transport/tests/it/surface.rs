//! No crate that may be exchanged one day stands in the public API.
#![expect(clippy::print_stderr, reason = "a skipped test should say so")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Crates whose types users of this one hold in their hands.
const ALLOWED: [&str; 9] = [
    "alloc",
    "bytes",
    "core",
    "http",
    "http_body",
    "std",
    "tokio",
    "tower_layer",
    "tower_service",
];

/// Reads what rustdoc knows of the public API. That takes a nightly toolchain and, the first time,
/// a minute or two; where there is none, it says so and passes.
#[test]
#[ignore = "documents the crate with a nightly toolchain: cargo test -p tinker-transport --test it surface -- --ignored"]
fn public_types_come_from_few_crates() {
    let has_nightly = Command::new("cargo")
        .args(["+nightly", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_nightly {
        eprintln!(
            "skipped: no nightly toolchain; install one with `rustup toolchain install nightly`"
        );
        return;
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let target = format!("{root}/../target/surface");
    let status = Command::new("cargo")
        .args(["+nightly", "rustdoc", "--quiet", "--lib", "--manifest-path"])
        .arg(format!("{root}/Cargo.toml"))
        .args(["--target-dir", &target, "--"])
        .args([
            "-Zunstable-options",
            "--output-format=json",
            "--cap-lints=allow",
        ])
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(format!("{target}/doc/tinker_transport.json")).unwrap();
    let docs: Value = serde_json::from_str(&text).unwrap();

    let mut found = BTreeSet::new();
    for item in docs["index"].as_object().unwrap().values() {
        let implementation = &item["inner"]["impl"];
        // What the standard library or another crate implements for every type is not ours.
        let is_ours = item["crate_id"] == 0
            && implementation["blanket_impl"].is_null()
            && implementation["is_synthetic"] != true;
        if is_ours {
            collect(&docs, item, &mut found);
        }
    }
    let others: Vec<_> = found
        .iter()
        .filter(|(krate, _)| !ALLOWED.contains(&krate.as_str()))
        .collect();
    assert!(
        found.len() > 20,
        "the format of rustdoc has changed: {found:?}"
    );
    assert!(others.is_empty(), "in the public API: {others:?}");
}

/// Adds crate and path of everything that is mentioned.
fn collect(docs: &Value, value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            if let (Some(id), Some(_)) = (fields.get("id"), fields.get("path")) {
                let summary = &docs["paths"][id.to_string()];
                if let (Some(krate), Some(path)) =
                    (summary["crate_id"].as_u64(), summary["path"].as_array())
                {
                    let name = docs["external_crates"][krate.to_string()]["name"].as_str();
                    if let Some(name) = name {
                        let parts = path.iter().filter_map(Value::as_str);
                        found.insert((name.to_owned(), parts.collect::<Vec<_>>().join("::")));
                    }
                }
            }
            for (name, field) in fields {
                // Links in documentation are no API.
                if name != "links" && name != "docs" {
                    collect(docs, field, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(docs, value, found)),
        _ => {}
    }
}
