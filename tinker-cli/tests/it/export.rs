//! Tests of `tinker export`, and of its folders as models.

use crate::program::{Workplace, names};

const TINY: [&str; 4] = ["export", "tinker-local/tiny", "--out", "tiny"];

#[test]
fn a_checkpoint_is_exported_as_an_adapter_and_as_a_model() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let train = ["train", "data.jsonl", "--steps", "2", "--output", "run"];
    let outcome = work.run(&[&train[..], &["--json"]].concat()).json();
    let sampler = outcome["sampler"].as_str().unwrap();
    let export = |out, more: &[&str]| {
        let export = ["export", sampler, "--out", out];
        work.run(&[&export[..], more].concat())
    };

    let adapter = export("adapter", &["--json"]).json();
    assert_eq!(
        (&adapter["kind"], &adapter["base_model"]),
        (&"adapter".into(), &"tinker-local/tiny".into())
    );
    assert_eq!(
        names(&work.path("adapter")),
        [
            "adapter_config.json",
            "adapter_model.safetensors",
            "tinker-export.json"
        ]
    );
    let narrow = export("merged", &["--merged", "--json"]).json();
    assert_eq!(narrow["kind"], "merged");
    assert!(names(&work.path("merged")).contains(&"model.safetensors".to_owned()));

    let again = export("merged", &["--merged"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let wide = export("merged", &["--merged", "--dtype", "f32", "--force"]);
    assert_eq!(wide.code, 0, "{}", wide.stderr);
    let config = std::fs::read_to_string(work.path("merged/config.json")).unwrap();
    assert!(config.contains("float32"), "{config}");
}

#[test]
fn export_errors_name_their_cause() {
    let work = Workplace::new();
    let missing = "tinker://s-1:train:0/weights/final";
    for (arguments, code, message) in [
        (&["Qwen/Qwen3-8B"][..], 2, "is not a checkpoint"),
        (&[missing], 1, "there is no checkpoint"),
        (&["tinker-local/tiny", "--base", "x"], 2, "--merged"),
    ] {
        let run = work.run(&[&["export", "--out", "out"], arguments].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    assert!(!work.path("out").exists());
    assert_eq!(work.run(&TINY).code, 0);
    std::fs::write(work.path("tiny/notes.txt"), "mine").unwrap();
    let run = work.run(&[&TINY[..], &["--force"]].concat());
    assert_eq!(run.code, 1, "a folder with other files is not an export");
    assert!(work.path("tiny/notes.txt").exists(), "{}", run.stderr);

    // Neither is a folder whose files have the names of an export.
    std::fs::create_dir(work.path("mine")).unwrap();
    std::fs::write(work.path("mine/model.safetensors"), "mine").unwrap();
    let run = work.run(&["export", "tinker-local/tiny", "--out", "mine", "--force"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("which no export wrote"),
        "{}",
        run.stderr
    );
    assert!(work.path("mine/model.safetensors").exists());
}

#[cfg(feature = "tokenizers")]
#[test]
#[cfg_attr(not(feature = "tokenizers"), ignore = "this build reads no tokenizer")]
fn a_moved_base_model_is_named_with_its_fix() {
    let work = Workplace::new();
    work.run(&TINY);
    work.write_examples("data.jsonl", 8);
    let train = "train data.jsonl --model tiny --steps 1 --batch-size 2 --output run --json";
    let train: Vec<&str> = train.split(' ').collect();
    let outcome = work.run(&train).json();
    let sampler = outcome["sampler"].as_str().unwrap();
    std::fs::rename(work.path("tiny"), work.path("elsewhere")).unwrap();

    let sample = work.run(&["sample", "--model", sampler, "a"]);
    assert_eq!(sample.code, 2);
    for part in ["no longer there", "tinker serve --model tiny=FOLDER"] {
        assert!(sample.stderr.contains(part), "{}", sample.stderr);
    }
    let export = ["export", sampler, "--out", "merged", "--merged"];
    let refused = work.run(&export);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("--base FOLDER"),
        "{}",
        refused.stderr
    );
    let named = work.run(&[&export[..], &["--base", "elsewhere"]].concat());
    assert_eq!(named.code, 0, "{}", named.stderr);
}

#[test]
fn the_folder_of_a_model_samples_like_the_model() {
    let work = Workplace::new();
    assert_eq!(work.run(&TINY).code, 0);
    let sample = [
        "sample",
        "Once",
        "--seed",
        "1",
        "--max-tokens",
        "8",
        "--json",
    ];
    let built_in = work.run(&sample).json();
    let folder = work.run(&[&sample[..], &["--model", "tiny"]].concat());
    assert_eq!(folder.json()["samples"], built_in["samples"]);
}
