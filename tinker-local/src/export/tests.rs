use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tinker_engine::backend::{AdapterSpec, AdapterState, Backend};
use tinker_engine::export::{ExportError, ExportTarget};
use tinker_engine::testing::RandomFolder;
use tinker_engine::{CpuBackend, ModelFolder, Storage};
use tinker_types::CheckpointPath;

use super::*;
use crate::store::{NewCheckpoint, Store};

/// An adapter that changes every weight it is added to.
fn adapter_of(base: &Path) -> AdapterState {
    let mut backend = CpuBackend::from_folder(&ModelFolder::new(base)).unwrap();
    let spec = AdapterSpec {
        rank: 4,
        seed: 1,
        attention: true,
        mlp: true,
        unembed: false,
    };
    let id = backend.create(&spec).unwrap();
    let mut state = backend.export(id, false).unwrap();
    for tensor in &mut state.tensors {
        tensor.data = (0..tensor.data.len())
            .map(|i| (i % 7 + 1) as f32 * 1e-3)
            .collect();
    }
    state
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
        base_fingerprint: None,
        overwrite: false,
        lifetime: None,
        user_metadata: BTreeMap::new(),
        uploaded: false,
        owner: None,
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
    let state = adapter_of(&base);
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
    // The same weights as from a merge without a checkpoint.
    let weights = |name: &str| fs::read(place.path().join(name).join("model.safetensors")).unwrap();
    let (source, storage) = (adapter.base(Some(&moved)), Some(Storage::F32));
    let target = |name: &str| ExportTarget::new(place.path().join(name));
    source
        .write_merged(&state, storage, &target("direct"))
        .unwrap();
    source.write(storage, &target("plain")).unwrap();
    assert!(weights("merged") == weights("direct"));
    assert!(weights("merged") != weights("plain"));

    let absent = "tinker://s-1:train:0/sampler_weights/b".parse().unwrap();
    let error = SavedAdapter::open(data.path(), &absent)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no checkpoint") && error.contains("in the data folder"),
        "{error}"
    );
}
