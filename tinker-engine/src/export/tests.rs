use std::fs;
use std::path::Path;

use super::*;
use crate::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, LossKind, NamedTensor, TrainBatch,
    TrainDatum,
};
use crate::testing::RandomFolder;
use crate::{CpuBackend, ModelFolder, Storage};

fn batch(forward_only: bool) -> TrainBatch {
    // Likely text: of unlikely one the log probabilities are large, and so are the differences of their last digits.
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

/// An adapter that changes something, with the log probabilities it gives.
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

/// Log probabilities of a folder's model as it is.
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

fn config(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap()
}

#[test]
fn a_merged_model_is_the_adapter_on_its_base() {
    for random in [
        RandomFolder::qwen3(),
        RandomFolder::qwen2(),
        RandomFolder::llama(),
    ] {
        for unembed in [false, true] {
            let place = tempfile::tempdir().unwrap();
            let (base, merged) = (place.path().join("base"), place.path().join("merged"));
            random.clone().with_shards(2).write(&base).unwrap();
            let base = ModelFolder::new(base);
            let (state, with_adapter) =
                trained(&mut CpuBackend::from_folder(&base).unwrap(), unembed);
            let base = BaseModelSource::Folder(base);
            let exported = base
                .write_merged(&state, Some(Storage::F32), &ExportTarget::new(&merged))
                .unwrap();
            let names: Vec<&str> = exported
                .files
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(
                names,
                [
                    "config.json",
                    "model.safetensors",
                    "tokenizer.json",
                    "tokenizer_config.json"
                ]
            );
            let apart = apart(&of_folder(&merged), &with_adapter);
            assert!(apart < 1e-5, "{apart}");
            assert_eq!(config(&merged)["torch_dtype"], "float32");
            let is_tied = random.config.tie_word_embeddings && !unembed;
            assert_eq!(config(&merged)["tie_word_embeddings"], is_tied);

            // In the base's own precision it is a little off, and as large as the base.
            let narrow = place.path().join("narrow");
            base.write_merged(&state, None, &ExportTarget::new(&narrow))
                .unwrap();
            assert_eq!(config(&narrow)["torch_dtype"], "bfloat16");
            let off = super::tests::apart(&of_folder(&narrow), &with_adapter);
            assert!(off > 0.0 && off < 0.2, "{off}");
        }
    }
}

#[test]
fn a_base_is_written_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (base, copy, wide) = (
        place.path().join("base"),
        place.path().join("copy"),
        place.path().join("wide"),
    );
    RandomFolder::llama().write(&base).unwrap();
    let model = BaseModelSource::Folder(ModelFolder::new(&base));
    model.write(None, &ExportTarget::new(&copy)).unwrap();
    model
        .write(Some(Storage::F32), &ExportTarget::new(&wide))
        .unwrap();
    assert_eq!(of_folder(&base), of_folder(&copy));
    assert_eq!(
        of_folder(&base),
        of_folder(&wide),
        "bf16 widens without a change"
    );
}

#[test]
fn an_export_has_all_end_tokens() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("base"), place.path().join("out"));
    RandomFolder::qwen3().write(&from).unwrap();
    let settings = "generation_config.json";
    fs::write(from.join(settings), r#"{"eos_token_id": 7, "top_k": 20}"#).unwrap();
    let folder = ModelFolder::new(&from).with_end_tokens([5]);
    BaseModelSource::Folder(folder)
        .write(None, &ExportTarget::new(&to))
        .unwrap();
    assert_eq!(config(&to)["eos_token_id"], serde_json::json!([7, 256, 5]));
    let settings = fs::read(to.join(settings)).unwrap();
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap();
    assert_eq!(
        settings,
        serde_json::json!({"eos_token_id": [7, 256, 5], "top_k": 20})
    );
}

#[cfg(feature = "base-model")]
#[test]
fn the_built_in_model_becomes_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let (base, merged) = (place.path().join("base"), place.path().join("merged"));
    BaseModelSource::Builtin
        .write(None, &ExportTarget::new(&base))
        .unwrap();
    let mut backend = CpuBackend::builtin().unwrap();
    let spec = AdapterSpec {
        rank: 1,
        seed: 0,
        attention: true,
        mlp: false,
        unembed: false,
    };
    let fresh = backend.create(&spec).unwrap();
    let unadapted = logprobs(&mut backend, fresh);
    assert_eq!(of_folder(&base), unadapted);
    let info = CpuBackend::from_folder(&ModelFolder::new(&base)).unwrap();
    let (ours, theirs) = (backend.model(), info.model());
    assert_eq!(
        (ours.context, &ours.end_tokens),
        (theirs.context, &theirs.end_tokens)
    );

    let (state, with_adapter) = trained(&mut backend, true);
    BaseModelSource::Builtin
        .write_merged(&state, Some(Storage::F32), &ExportTarget::new(&merged))
        .unwrap();
    // Merged weights round where an adapter does not, and this model, larger than those above and trained, makes more
    // of that. So the limit is a share of what the adapter does: a scale wrong in the fourth digit goes beyond it.
    let off = apart(&of_folder(&merged), &with_adapter) / apart(&unadapted, &with_adapter);
    assert!(off < 2e-5, "{off}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (base, other) = (place.path().join("base"), place.path().join("other"));
    RandomFolder::qwen3().write(&base).unwrap();
    let mut wider = RandomFolder::qwen3();
    wider.config.intermediate_size += 8;
    wider.write(&other).unwrap();
    let (state, _) = trained(
        &mut CpuBackend::from_folder(&ModelFolder::new(&base)).unwrap(),
        false,
    );
    let source = |folder: &Path| BaseModelSource::Folder(ModelFolder::new(folder));
    let output = ExportTarget::new(place.path().join("merged"));
    let error = source(&other)
        .write_merged(&state, None, &output)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("mlp.") && error.contains("it was trained on"),
        "{error}"
    );
    let mut trained_head = state.clone();
    trained_head.tensors.push(NamedTensor {
        name: "base_model.model.lm_head.base_layer.weight".to_owned(),
        shape: vec![1],
        data: vec![0.0].into(),
    });
    let error = source(&base)
        .write_merged(&trained_head, None, &output)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("lm_head.weight differs from the base"),
        "{error}"
    );
    wider.config.intermediate_size -= 8;
    wider.config.num_hidden_layers = 1;
    let small = place.path().join("small");
    wider.write(&small).unwrap();
    let error = source(&small)
        .write_merged(&state, None, &output)
        .unwrap_err()
        .to_string();
    assert!(error.contains("which the base model lacks"), "{error}");
    assert!(!place.path().join("merged").exists());
}
