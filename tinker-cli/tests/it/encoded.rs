//! Encoded data of a run: the file on the disk and the cache.

use crate::program::{Run, Workplace, names};

/// A tokenizer with one token for each word.
const TOKENIZER: &str = r#"{
  "version": "1.0",
  "added_tokens": [{"id": 0, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "pre_tokenizer": {"type": "Whitespace"},
  "model": {"type": "WordLevel", "vocab": {"<end>": 0, "say": 1, "a": 2, "b": 3, "c": 4}, "unk_token": "c"}
}"#;

/// A workplace with data and a tokenizer.
fn workplace() -> Workplace {
    let work = Workplace::new();
    std::fs::create_dir(work.path("t")).unwrap();
    work.write("t/tokenizer.json", TOKENIZER);
    work.write("t/tokenizer_config.json", r#"{"eos_token": "<end>"}"#);
    let line = |at: usize| format!("{{\"prompt\":\"say {at}\",\"completion\":\" a c\"}}\n");
    work.write("x.jsonl", &(0..40).map(line).collect::<String>());
    work
}

fn dry_run(work: &Workplace, more: &[&str]) -> Run {
    let train = [
        "train",
        "x.jsonl",
        "--dry-run",
        "--json",
        "--local",
        "--tokenizer",
        "t",
    ];
    let steps = ["--steps", "1", "--output", "run"];
    work.run(&[&train[..], &steps, more].concat())
}

fn is_from_cache(run: &Run) -> bool {
    run.stderr.contains("from the cache, ")
}

#[test]
fn encoded_data_are_taken_from_the_cache() {
    let work = workplace();
    let entries = work.path(".cache/tinker/encoded");
    let first = dry_run(&work, &[]);
    assert!(!is_from_cache(&first), "{}", first.stderr);
    let expected = first.json();
    assert_eq!(expected["examples"], 32);
    assert_eq!(names(&entries).len(), 1);
    let again = dry_run(&work, &[]);
    assert!(is_from_cache(&again), "{}", again.stderr);
    assert_eq!(again.json(), expected);
    assert!(!is_from_cache(&dry_run(&work, &["--no-cache"])));
    assert_eq!(names(&entries).len(), 1);

    for options in [
        &["--max-length", "50"][..],
        &["--mix", "2"],
        &["--format", "prompt-completion"],
    ] {
        assert!(!is_from_cache(&dry_run(&work, options)), "{options:?}");
        assert!(is_from_cache(&dry_run(&work, options)), "{options:?}");
    }
    assert_eq!(names(&entries).len(), 4);
    work.write("t/tokenizer_config.json", r#"{"eos_token": "b"}"#);
    assert!(!is_from_cache(&dry_run(&work, &[])), "another tokenizer");
    let text = std::fs::read_to_string(work.path("x.jsonl")).unwrap();
    work.write("x.jsonl", &text.replacen(" a c", " c a", 1));
    assert!(!is_from_cache(&dry_run(&work, &[])), "other data");
    assert_eq!(names(&entries).len(), 6);
}

#[test]
fn a_damaged_entry_is_made_again() {
    let work = workplace();
    let expected = dry_run(&work, &[]).json();
    let entries = work.path(".cache/tinker/encoded");
    let entry = entries.join(&names(&entries)[0]);
    let mut bytes = std::fs::read(&entry).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&entry, bytes).unwrap();
    let run = dry_run(&work, &[]);
    assert!(
        run.stderr.contains("is damaged; encoding anew"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json(), expected);
    assert!(is_from_cache(&dry_run(&work, &[])));

    let mut command = work.command(&[
        "train",
        "x.jsonl",
        "--dry-run",
        "--local",
        "--tokenizer",
        "t",
    ]);
    command.env("XDG_CACHE_HOME", work.path("caches"));
    assert!(command.output().unwrap().status.success());
    assert_eq!(names(&work.path("caches/tinker/encoded")).len(), 1);
}

#[test]
fn a_run_does_the_same_steps_with_tokens_from_the_cache() {
    let work = workplace();
    let train = |output: &str| {
        let train = ["train", "x.jsonl", "--local", "--tokenizer", "t", "--json"];
        let run = work.run(&[&train[..], &["--steps", "3", "--output", output]].concat());
        let metrics = run.json()["metrics"].as_array().unwrap().clone();
        let steps = metrics
            .into_iter()
            .map(|step| (step["loss"].clone(), step["tokens"].clone()));
        (is_from_cache(&run), steps.collect::<Vec<_>>())
    };
    let (first, expected) = train("a");
    let (second, steps) = train("b");
    assert_eq!((first, second), (false, true));
    assert_eq!(steps, expected);
}

/// Most KiB in memory while these rows are encoded for a run, and what is printed.
#[cfg(target_os = "linux")]
fn most_memory(rows: usize, answer: &str) -> (u64, String) {
    let work = Workplace::new();
    let line = |at: usize| format!("{{\"prompt\":\"{at}\",\"completion\":\"{answer}\"}}\n");
    work.write("x.jsonl", &(0..rows).map(line).collect::<String>());
    let arguments = ["train", "x.jsonl", "--local", "--dry-run"];
    let mut command = work.command(&arguments);
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0_u64;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    (peak, run.stdout)
}

/// Memory that grows with the data would be 30 bytes for each token, 25 of them a datum.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_data() {
    let (peak, plan) = most_memory(24_000, &"lorem ipsum ".repeat(80));
    assert!(plan.contains("examples    23,936, "), "{plan}");
    assert!((10_000..150_000).contains(&peak), "{peak} KiB");
}

/// Tables with an entry for each row took 420 bytes for each, or 75 MB.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_number_of_rows() {
    let (few, _) = most_memory(20_000, "x");
    let (many, plan) = most_memory(200_000, "x");
    assert!(plan.contains("examples    199,936, "), "{plan}");
    assert!(few > 10_000 && many < few + 25_000, "{few} and {many} KiB");
}
