//! Every decoder on its seeds and on some thousand mutations of them. `cargo xtask fuzz` runs millions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tinker_tests::decoder::{TARGETS, Target, mutated};

/// Number of mutated inputs for each decoder, and for those that run an engine or a client.
fn inputs(target: &Target) -> usize {
    match target.name {
        "engine_request" | "client_answer" => 1500,
        _ => 4000,
    }
}

#[test]
fn no_decoder_panics() {
    let mut random = fastrand::Rng::with_seed(20);
    for target in TARGETS {
        let seeds = target.seeds();
        assert!(seeds.len() >= 3, "{} has hardly a seed", target.name);
        let changed = std::iter::repeat_with(|| mutated(&mut random, &seeds)).take(inputs(target));
        for input in seeds.iter().cloned().chain(changed.collect::<Vec<_>>()) {
            let run = catch_unwind(AssertUnwindSafe(|| target.run(&input)));
            assert!(run.is_ok(), "{}: {}", target.name, input.escape_ascii());
        }
    }
}

#[test]
fn each_decoder_has_a_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .expect("the targets are there")
        .map(|entry| {
            entry
                .expect("an entry")
                .path()
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    there.sort();
    let mut known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    known.sort_unstable();
    assert_eq!(there, known);
}
