//! Folders of models whose files disagree, are missing or are of another kind.

use serde_json::{Value, json};

use crate::folder::{CHATML, TURN_END, tokenizer};
use crate::program::Workplace;

/// Tokens and log probabilities of the most likely continuation.
fn sampled(work: &Workplace, model: &str) -> Value {
    let sample = ["sample", "abc", "--model", model, "--local", "--json"];
    let options = ["--max-tokens", "6", "--temperature", "0", "--logprobs"];
    work.run(&[&sample[..], &options].concat()).json()["samples"].clone()
}

/// The error of a folder.
fn refused(work: &Workplace, command: &[&str]) -> String {
    let run = work.run(command);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.stderr
}

/// A workplace with a model in the folder `m`.
fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write_model("m", CHATML, TURN_END, &tokenizer());
    work
}

/// Changes the configuration of the model.
fn configure(work: &Workplace, change: impl FnOnce(&mut Value)) {
    let path = work.path("m/config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
}

/// Twice a number of 16 bits.
fn doubled(bits: u16) -> u16 {
    let size = bits & 0x7fff;
    let twice = if size < 0x400 { size * 2 } else { size + 0x400 };
    bits & 0x8000 | twice
}

#[test]
fn a_head_that_differs_from_a_tied_embedding_is_used() {
    let work = workplace();
    let tied = sampled(&work, "m");
    let path = work.path("m/model.safetensors");
    let file = std::fs::read(&path).unwrap();
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let mut head = header["model.embed_tokens.weight"].clone();
    assert_eq!(head["dtype"], "F16");
    let place = |at: usize| head["data_offsets"][at].as_u64().unwrap() as usize;
    let embedding = &data[place(0)..place(1)];
    let weights = embedding.chunks(2).flat_map(|bytes| {
        let bits = u16::from_le_bytes(bytes.try_into().unwrap());
        doubled(bits).to_le_bytes()
    });
    let weights: Vec<u8> = weights.collect();
    head["data_offsets"] = json!([data.len(), data.len() + weights.len()]);
    header["lm_head.weight"] = head;
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(&path, [&length[..], &header, data, &weights].concat()).unwrap();

    let with_head = sampled(&work, "m");
    assert_ne!(with_head, tied);
    configure(&work, |config| config["tie_word_embeddings"] = false.into());
    assert_eq!(sampled(&work, "m"), with_head);
}

#[test]
fn rotary_parameters_by_kind_of_layer_have_to_be_equal() {
    let work = workplace();
    let expected = sampled(&work, "m");
    let full = |theta: f64| json!({"rope_type": "default", "rope_theta": theta});
    configure(&work, |config| {
        config.as_object_mut().unwrap().remove("rope_theta");
        config["rope_parameters"] = json!({"full_attention": full(1e4)});
    });
    assert_eq!(sampled(&work, "m"), expected);
    configure(&work, |config| {
        config["rope_parameters"] = json!({"full_attention": full(1e6)});
    });
    assert_ne!(sampled(&work, "m"), expected);
    configure(&work, |config| {
        config["rope_parameters"] =
            json!({"full_attention": full(1e6), "sliding_attention": full(1e4)});
    });
    let error = refused(&work, &["sample", "abc", "--model", "m", "--local"]);
    let expected = "rope_parameters.sliding_attention differs from rope_parameters.full_attention";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn files_that_were_not_fetched_are_named() {
    let work = workplace();
    work.write_chats("x.jsonl", &[("a", "b")]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2336927755\n";
    for (file, command) in [
        (
            "tokenizer.json",
            &["data", "check", "x.jsonl", "--model", "m"][..],
        ),
        (
            "tokenizer_config.json",
            &["train", "x.jsonl", "--model", "m", "--dry-run", "--local"],
        ),
        (
            "model.safetensors",
            &["sample", "abc", "--model", "m", "--local"],
        ),
        (
            "config.json",
            &["train", "x.jsonl", "--model", "m", "--dry-run", "--local"],
        ),
    ] {
        let path = work.path(&format!("m/{file}"));
        let kept = std::fs::read(&path).unwrap();
        std::fs::write(&path, pointer).unwrap();
        let error = refused(&work, command);
        let expected = format!("{file}: is a Git LFS pointer; run `git lfs pull`");
        assert!(error.contains(&expected), "{error}");
        std::fs::write(&path, kept).unwrap();
    }
}
