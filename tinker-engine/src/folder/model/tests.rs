use std::fs;

use super::*;
use crate::CpuBackend;
use crate::Storage;
use crate::backend::{AdapterSpec, Backend, LossKind, SampleJob, StopRule, TrainBatch, TrainDatum};
use crate::testing::RandomFolder;

fn written(folder: &RandomFolder) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model");
    folder.write(&path).unwrap();
    (place, path)
}

/// Log probabilities of a few tokens under the model.
fn logprobs(backend: &mut CpuBackend) -> Vec<f32> {
    let spec = AdapterSpec {
        rank: 2,
        seed: 0,
        attention: true,
        mlp: true,
        unembed: true,
    };
    let adapter = backend.create(&spec).unwrap();
    let tokens: Vec<u32> = (0..20).map(|i| (i * 37) % 288).collect();
    let datum = TrainDatum {
        targets: tokens.iter().map(|token| (token * 5 + 1) % 288).collect(),
        tokens,
        targets_per_position: 1,
        ..TrainDatum::default()
    };
    let batch = TrainBatch {
        data: vec![datum],
        loss: LossKind::CrossEntropy,
        forward_only: true,
    };
    backend.train(adapter, &batch).unwrap().logprobs.remove(0)
}

fn loaded(folder: &RandomFolder) -> Vec<f32> {
    let (_place, path) = written(folder);
    logprobs(&mut CpuBackend::from_folder(&ModelFolder::new(path)).unwrap())
}

#[test]
fn shards_hold_the_same_model() {
    for folder in [
        RandomFolder::qwen3(),
        RandomFolder::qwen2(),
        RandomFolder::llama(),
    ] {
        for storage in [Storage::F32, Storage::F16, Storage::Bf16] {
            let folder = folder.clone().with_storage(storage);
            let whole = loaded(&folder);
            assert_eq!(whole, loaded(&folder.clone().with_shards(3)), "{storage:?}");
            assert_eq!(
                whole,
                loaded(&folder.clone().with_shards(1000)),
                "{storage:?}"
            );
            assert_ne!(whole, loaded(&folder.with_seed(1)), "{storage:?}");
        }
    }
}

#[test]
fn narrow_numbers_are_near_the_wide_ones() {
    for folder in [
        RandomFolder::qwen3(),
        RandomFolder::qwen2(),
        RandomFolder::llama(),
    ] {
        let wide = loaded(&folder.clone().with_storage(Storage::F32));
        for (storage, most) in [(Storage::F16, 0.01), (Storage::Bf16, 0.1)] {
            let narrow = loaded(&folder.clone().with_storage(storage));
            let apart = wide.iter().zip(&narrow).map(|(x, y)| (x - y).abs());
            let apart = apart.fold(0.0, f32::max);
            assert!(apart > 0.0 && apart < most, "{storage:?}: {apart}");
        }
    }
}

#[test]
fn a_folder_tells_its_name_tokenizer_and_end() {
    let (_place, path) = written(&RandomFolder::qwen3());
    let info = ModelFolder::new(&path).open().unwrap().info;
    assert_eq!((info.name.as_str(), info.end_tokens), ("model", vec![256]));
    let absolute = fs::canonicalize(&path).unwrap();
    assert_eq!(info.tokenizer.as_deref(), absolute.to_str());
    assert_eq!(info.folder, Some(absolute));
    fs::write(
        path.join("generation_config.json"),
        r#"{"eos_token_id": [7, 9]}"#,
    )
    .unwrap();
    let more = ModelFolder::new(&path).with_end_tokens([9, 5]);
    assert_eq!(more.open().unwrap().info.end_tokens, [7, 9, 256, 5]);
    fs::write(
        path.join("generation_config.json"),
        r#"{"eos_token_id": [7, 100000]}"#,
    )
    .unwrap();
    let error = ModelFolder::new(&path).open().err().unwrap().to_string();
    assert!(error.contains("eos_token_id 100000"), "{error}");
    fs::remove_file(path.join("generation_config.json")).unwrap();
    fs::remove_file(path.join("tokenizer.json")).unwrap();
    assert_eq!(ModelFolder::new(&path).open().unwrap().info.tokenizer, None);

    let cached = Path::new("/c/models--Qwen--Qwen3-0.6B/snapshots/0123abcd");
    assert_eq!(name_of(cached), "Qwen/Qwen3-0.6B");
    assert_eq!(name_of(Path::new("/m/Qwen3-0.6B")), "Qwen3-0.6B");
}

#[test]
fn a_folder_that_is_none_is_said_to_be() {
    let (_place, path) = written(&RandomFolder::llama().with_shards(2));
    let error = |path: &Path| ModelFolder::new(path).open().unwrap_err().report();
    assert!(error(&path.join("absent")).contains("absent: can't be opened"));
    let config = fs::read_to_string(path.join("config.json")).unwrap();
    fs::write(
        path.join("config.json"),
        config.replace("\"attention_bias\": false", "\"attention_bias\": true"),
    )
    .unwrap();
    assert!(
        error(&path).contains("no file holds model.layers.0.self_attn.q_proj.bias, [48]"),
        "{}",
        error(&path)
    );
    fs::write(
        path.join("config.json"),
        config
            .replace("\"llama\"", "\"qwen3\"")
            .replace("Llama", "Qwen3"),
    )
    .unwrap();
    assert!(error(&path).contains("q_norm.weight"), "{}", error(&path));
    fs::remove_file(path.join("config.json")).unwrap();
    assert!(
        error(&path).contains("config.json: does not exist"),
        "{}",
        error(&path)
    );
}

/// Writes a folder and sets its `tie_word_embeddings` to true.
fn tied(folder: &RandomFolder) -> (tempfile::TempDir, PathBuf) {
    let (place, path) = written(folder);
    let config = path.join("config.json");
    let text = fs::read_to_string(&config).unwrap().replace(
        "\"tie_word_embeddings\": false",
        "\"tie_word_embeddings\": true",
    );
    assert!(text.contains("\"tie_word_embeddings\": true"));
    fs::write(config, text).unwrap();
    (place, path)
}

#[test]
fn a_tied_head_that_differs_is_used() {
    let folder = RandomFolder::llama();
    let (_place, path) = tied(&folder);
    let model = ModelFolder::new(&path);
    assert!(!model.open().unwrap().config.tie_word_embeddings);
    let found = logprobs(&mut CpuBackend::from_folder(&model).unwrap());
    assert_eq!(found, loaded(&folder), "as with an untied head");
}

#[test]
fn an_equal_copy_of_a_tied_head_is_tied() {
    let (_place, path) = tied(&RandomFolder::llama());
    let weights = path.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let (header, all) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let at = |name: &str| {
        let (from, to) = all.info(name).unwrap().data_offsets;
        8 + header + from..8 + header + to
    };
    let mut copied = bytes.clone();
    copied[at(HEAD)].copy_from_slice(&bytes[at(EMBEDDING)]);
    fs::write(&weights, copied).unwrap();
    let model = ModelFolder::new(&path);
    assert!(model.open().unwrap().config.tie_word_embeddings);
    CpuBackend::from_folder(&model).unwrap();
}

#[test]
fn files_that_were_not_fetched_are_named() {
    let (_place, path) = written(&RandomFolder::qwen3().with_shards(3));
    let error = |path: &Path| ModelFolder::new(path).open().unwrap_err().report();
    let second = path.join("model-00002-of-00003.safetensors");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abab\nsize 397304\n";
    fs::write(&second, pointer).unwrap();
    assert!(
        error(&path)
            .contains("00002-of-00003.safetensors: is a Git LFS pointer; run `git lfs pull`"),
        "{}",
        error(&path)
    );
    fs::remove_file(&second).unwrap();
    assert!(
        error(&path)
            .contains("lists 3 files, and 1 of them do not exist, first model-00002-of-00003"),
        "{}",
        error(&path)
    );
}

fn job() -> SampleJob {
    SampleJob {
        weights: None,
        prompt: vec![1],
        num_samples: 1,
        max_tokens: Some(2),
        temperature: 1.0,
        top_k: None,
        top_p: 1.0,
        seed: Some(0),
        stop: StopRule::Text(vec!["a".to_owned()]),
        prompt_logprobs: false,
        prompt_logprobs_last_n: None,
        topk_prompt_logprobs: 0,
        target_prompt_logprobs: Vec::new(),
        prompt_alternatives: 0,
        topk_sample_logprobs: 0,
    }
}

#[test]
fn ids_without_a_token_can_be_kept_from_being_drawn() {
    let (_place, path) = written(&RandomFolder::qwen3());
    let drawn = |folder: &ModelFolder| {
        let mut backend = CpuBackend::from_folder(folder).unwrap();
        let job = SampleJob {
            max_tokens: Some(100),
            num_samples: 8,
            stop: StopRule::Never,
            ..job()
        };
        backend.submit(job).unwrap();
        let mut tokens = Vec::new();
        while backend.live_jobs() > 0 {
            for (_, output) in backend.advance() {
                tokens.extend(
                    output
                        .unwrap()
                        .sequences
                        .into_iter()
                        .flat_map(|sample| sample.tokens),
                );
            }
        }
        tokens
    };
    let folder = ModelFolder::new(&path);
    let any = drawn(&folder);
    assert!(any.iter().any(|token| *token > 256), "{any:?}");
    let known = drawn(&folder.clone().with_known_tokens_only());
    assert!(
        known.len() == 800 && known.iter().all(|token| *token <= 256),
        "{known:?}"
    );
    fs::remove_file(path.join("tokenizer.json")).unwrap();
    let error = folder.with_known_tokens_only().open().unwrap_err().report();
    assert!(error.contains("holds no tokenizer.json"), "{error}");
}

#[test]
fn stop_texts_need_a_tokenizer() {
    let (_place, path) = written(&RandomFolder::qwen3());
    CpuBackend::from_folder(&ModelFolder::new(&path))
        .unwrap()
        .submit(job())
        .unwrap();
    fs::remove_file(path.join("tokenizer.json")).unwrap();
    let error = CpuBackend::from_folder(&ModelFolder::new(&path))
        .unwrap()
        .submit(job())
        .unwrap_err();
    assert!(error.message().contains("no tokenizer.json"), "{error}");
}

#[test]
fn a_model_is_recognized_by_its_weights() {
    let fingerprint = |folder: &RandomFolder| {
        let (_place, path) = written(folder);
        ModelFolder::new(path).fingerprint().unwrap()
    };
    let half = RandomFolder::qwen3().with_storage(Storage::Bf16);
    let original = fingerprint(&half);
    assert_eq!(original, fingerprint(&half.clone().with_shards(3)));
    assert_ne!(original, fingerprint(&half.clone().with_seed(1)));
    assert_ne!(original, fingerprint(&RandomFolder::llama()));

    // The same numbers in a wider type.
    let (place, path) = written(&half);
    let wide = place.path().join("wide");
    crate::export::BaseModelSource::Folder(ModelFolder::new(path))
        .write(Some(Storage::F32), &crate::export::ExportTarget::new(&wide))
        .unwrap();
    assert_eq!(original, ModelFolder::new(wide).fingerprint().unwrap());
}
