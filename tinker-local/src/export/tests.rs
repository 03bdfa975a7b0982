use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, LossKind, TrainBatch, TrainDatum,
};
use tinker_engine::export::{ExportError, ExportTarget};
use tinker_engine::testing::RandomFolder;
use tinker_engine::{CpuBackend, ModelFolder, Storage};
use tinker_types::CheckpointPath;

use super::*;
use crate::store::{NewCheckpoint, Store};

fn batch(forward_only: bool) -> TrainBatch {
    // Likely text: unlikely text has large log probabilities, whose last digits differ more.
    let text = "User: What is the opposite of big?\nAssistant: The opposite of big is small.";
    let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
    let datum = TrainDatum {
        targets: tokens[1..].to_vec(),
        tokens: tokens[..tokens.len() - 1].to_vec(),
        targets_per_position: 1,
        ..TrainDatum::default()
    };
    TrainBatch {
        data: vec![datum],
        loss: LossKind::CrossEntropy,
        forward_only,
    }
}

fn logprobs(backend: &mut CpuBackend, adapter: AdapterId) -> Vec<f32> {
    backend
        .train(adapter, &batch(true))
        .unwrap()
        .logprobs
        .remove(0)
}

/// An adapter with an effect, and the log probabilities under it.
fn trained(backend: &mut CpuBackend, unembed: bool) -> (AdapterState, Vec<f32>) {
    let spec = AdapterSpec {
        rank: 4,
        seed: 1,
        attention: true,
        mlp: true,
        unembed,
    };
    let adapter = backend.create(&spec).unwrap();
    let before = logprobs(backend, adapter);
    let constants = AdamStep {
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.0,
        grad_clip_norm: 0.0,
    };
    for _ in 0..4 {
        backend.train(adapter, &batch(false)).unwrap();
        backend.step(adapter, &constants).unwrap();
    }
    let after = logprobs(backend, adapter);
    assert!(apart(&before, &after) > 0.1, "{}", apart(&before, &after));
    (backend.export(adapter, false).unwrap(), after)
}

fn apart(x: &[f32], y: &[f32]) -> f32 {
    x.iter()
        .zip(y)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

/// Log probabilities under the model of a folder.
fn of_folder(folder: &Path) -> Vec<f32> {
    let mut backend = CpuBackend::from_folder(&ModelFolder::new(folder)).unwrap();
    let spec = AdapterSpec {
        rank: 1,
        seed: 0,
        attention: true,
        mlp: false,
        unembed: false,
    };
    let fresh = backend.create(&spec).unwrap();
    logprobs(&mut backend, fresh)
}

/// A data folder with one checkpoint.
fn saved(
    state: &AdapterState,
    base_folder: Option<PathBuf>,
) -> (tempfile::TempDir, CheckpointPath) {
    let data = tempfile::tempdir().unwrap();
    let path: CheckpointPath = "tinker://s-1:train:0/sampler_weights/a".parse().unwrap();
    let checkpoint = NewCheckpoint {
        path: path.clone(),
        base_model: "base".to_owned(),
        base_folder,
        overwrite: false,
        lifetime: None,
        user_metadata: BTreeMap::new(),
    };
    Store::open(data.path())
        .unwrap()
        .save(&checkpoint, state)
        .unwrap();
    (data, path)
}

#[test]
fn a_checkpoint_is_exported_while_its_data_folder_is_in_use() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("base");
    RandomFolder::qwen3().write(&base).unwrap();
    let (state, with_adapter) = trained(
        &mut CpuBackend::from_folder(&ModelFolder::new(&base)).unwrap(),
        false,
    );
    let (data, path) = saved(&state, Some(base.clone()));
    let _in_use = Store::open(data.path()).unwrap();
    let adapter = SavedAdapter::open(data.path(), &path).unwrap();
    assert_eq!((adapter.base_model(), adapter.rank()), ("base", 4));
    assert_eq!(adapter.base_folder().as_deref(), Some(base.as_path()));

    let peft = place.path().join("peft");
    adapter.write_peft(&ExportTarget::new(&peft)).unwrap();
    let config: serde_json::Value =
        serde_json::from_slice(&fs::read(peft.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["base_model_name_or_path"], base.to_str().unwrap());
    assert_eq!(
        (&config["peft_type"], &config["r"]),
        (&"LORA".into(), &4.into())
    );
    assert!(peft.join("adapter_model.safetensors").exists());

    // The base has moved; the new folder is given.
    let moved = place.path().join("moved");
    fs::rename(&base, &moved).unwrap();
    let merged = ExportTarget::new(place.path().join("merged"));
    let error = adapter
        .write_merged(&adapter.base(None), None, &merged)
        .unwrap_err();
    assert!(matches!(error, ExportError::Base(_)), "{error:?}");
    adapter
        .write_merged(&adapter.base(Some(&moved)), Some(Storage::F32), &merged)
        .unwrap();
    assert!(apart(&of_folder(&place.path().join("merged")), &with_adapter) < 1e-5);

    let absent = "tinker://s-1:train:0/sampler_weights/b".parse().unwrap();
    let error = SavedAdapter::open(data.path(), &absent)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no checkpoint") && error.contains("in the data folder"),
        "{error}"
    );
}
