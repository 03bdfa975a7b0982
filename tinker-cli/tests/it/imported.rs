//! Tests of downloads and imports of adapters.

use crate::manage::save;
use crate::program::{Workplace, names};
use crate::serve::Server;

#[test]
fn a_downloaded_adapter_is_imported_with_the_same_bits() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let at = ["--base-url", &server.url, "--json"];
    let run_with = |arguments: &[&str]| work.run(&[arguments, &at].concat());
    let address = format!("tinker://{run}/weights/a");
    let fetched = run_with(&["checkpoint", "download", &address, "--output", "out"]).json();
    assert_eq!(fetched["folder"], "out");
    let findings = fetched["findings"].to_string();
    assert!(findings.contains("lm_head"), "{findings}");
    let refused = run_with(&["checkpoint", "download", &address, "--output", "out"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    run_with(&[
        "checkpoint",
        "download",
        &address,
        "--output",
        "out",
        "--force",
    ])
    .json();
    // A folder of other files is not replaced.
    std::fs::create_dir(work.path("other")).unwrap();
    work.write("other/file", "x");
    let refused = run_with(&[
        "checkpoint",
        "download",
        &address,
        "--output",
        "other",
        "--force",
    ]);
    assert_eq!(refused.code, 2);
    assert_eq!(names(&work.path("other")), ["file"]);

    let imported = run_with(&["checkpoint", "import", "out"]).json();
    assert_eq!(imported["base_model"], "tinker-local/tiny");
    let copy = imported["tinker_path"].as_str().unwrap();
    run_with(&["checkpoint", "download", copy, "--output", "again"]).json();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let read = |folder: &str| std::fs::read(work.path(folder).join(file)).unwrap();
        assert!(read("out") == read("again"), "{file}");
    }
    let sampled = run_with(&["sample", "Hello", "--model", copy, "--max-tokens", "2"]);
    assert_eq!(sampled.code, 0, "{}", sampled.stderr);
    let found = run_with(&["checkpoint", "search", "--type", "external"]);
    assert_eq!(found.stdout.lines().count(), 1, "{}", found.stderr);
    assert!(found.stdout.contains(copy));
}

#[test]
fn an_adapter_that_cannot_be_loaded_is_refused_by_name() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let address = format!("tinker://{run}/weights/a");
    let data = ["--data-dir", "data"];
    let download = ["checkpoint", "download", &address, "--output", "out"];
    assert_eq!(work.run(&[&download[..], &data].concat()).stdout, "out\n");
    let import = |folder: &str| work.run(&[&["checkpoint", "import", folder][..], &data].concat());
    let config = std::fs::read_to_string(work.path("out/adapter_config.json")).unwrap();
    work.write(
        "out/adapter_config.json",
        &config.replacen('{', "{\"use_dora\": true,", 1),
    );
    let refused = import("out");
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("use_dora is true"),
        "{}",
        refused.stderr
    );
    std::fs::create_dir(work.path("old")).unwrap();
    work.write("old/adapter_config.json", &config);
    work.write("old/adapter_model.bin", "");
    let refused = import("old");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("is a pickle"), "{}", refused.stderr);
    let refused = import("data");
    assert!(
        refused.stderr.contains("has no adapter_config.json"),
        "{}",
        refused.stderr
    );
}
