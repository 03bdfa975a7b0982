//! Golden fixtures: a tiny model, an adapter, and reference results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Value, json};
use tinker_types::Datum;

/// Path of the adapter that peft made.
pub(super) const PEFT_ADAPTER: &str = "tinker://golden:train:0/weights/peft";

/// One folder of `tests/fixtures/golden`.
pub(super) struct Fixture {
    pub(super) name: &'static str,
    folder: PathBuf,
    pub(super) cases: Cases,
    expected: Vec<u8>,
}

/// `cases.json`.
#[derive(Deserialize)]
pub(super) struct Cases {
    pub(super) adapter_shape: Value,
    pub(super) base: Plain,
    pub(super) adapter: Plain,
    pub(super) decode: Vec<Decode>,
    pub(super) losses: Vec<LossCase>,
    pub(super) training: Vec<Training>,
}

/// Log probabilities of the targets of some data.
#[derive(Deserialize)]
pub(super) struct Plain {
    pub(super) data: Vec<Datum>,
    pub(super) logprobs: Vec<Vec<f32>>,
}

/// The most likely continuation of a prompt.
#[derive(Deserialize)]
pub(super) struct Decode {
    pub(super) adapter: bool,
    pub(super) prompt: Vec<u32>,
    pub(super) tokens: Vec<u32>,
    pub(super) logprobs: Vec<f32>,
    pub(super) prompt_logprobs: Vec<f32>,
}

/// One pass with the adapter. The expected tensors include its gradients.
#[derive(Deserialize)]
pub(super) struct LossCase {
    pub(super) name: String,
    pub(super) loss_fn: String,
    pub(super) config: BTreeMap<String, f64>,
    /// A loss to upload first.
    pub(super) upload: Option<Value>,
    pub(super) data: Vec<Datum>,
    pub(super) logprobs: Vec<Vec<f32>>,
    pub(super) loss: f64,
    pub(super) metrics: BTreeMap<String, f64>,
}

/// Steps of the optimizer. The expected tensors include the weights after them.
#[derive(Deserialize)]
pub(super) struct Training {
    pub(super) name: String,
    pub(super) adam_params: Value,
    pub(super) steps: usize,
    pub(super) batches: Vec<Vec<Datum>>,
    pub(super) losses: Vec<f64>,
    pub(super) norms: Vec<f64>,
}

pub(super) type Tensors = BTreeMap<String, Vec<f32>>;

impl Fixture {
    pub(super) fn open(name: &'static str) -> Self {
        let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
        let folder = goldens.join(name);
        let cases = read(&folder.join("cases.json"));
        Self {
            name,
            cases: serde_json::from_slice(&cases).unwrap(),
            expected: read(&folder.join("expected.safetensors")),
            folder,
        }
    }

    pub(super) fn model(&self) -> PathBuf {
        self.folder.join("model")
    }

    /// Copies the adapter that peft saved into a data folder, as checkpoint [`PEFT_ADAPTER`].
    pub(super) fn lay_adapter(&self, data: &Path) {
        let place = data.join("checkpoints/golden_train_0/weights/peft");
        std::fs::create_dir_all(&place).unwrap();
        let files = ["adapter_config.json", "adapter_model.safetensors"].map(|name| {
            let bytes = read(&self.folder.join("adapter").join(name));
            std::fs::write(place.join(name), &bytes).unwrap();
            (name, bytes.len())
        });
        let mut adapter = self.cases.adapter_shape.clone();
        adapter["seed"] = 0.into();
        let record = json!({
            "layout": 1, "path": PEFT_ADAPTER, "base_model": self.name, "created": "2026-01-01T00:00:00Z",
            "adapter": adapter, "files": BTreeMap::from(files),
        });
        std::fs::write(place.join("checkpoint.json"), record.to_string()).unwrap();
    }

    /// The expected tensors of a case, by their names in the adapter.
    pub(super) fn expected(&self, case: &str) -> Tensors {
        let prefix = format!("{case}/");
        let mut found = tensors(&self.expected);
        found.retain(|name, _| name.starts_with(&prefix));
        assert!(
            !found.is_empty(),
            "{}: nothing is expected of {case}",
            self.name
        );
        found
            .into_iter()
            .map(|(name, values)| (name[prefix.len()..].to_owned(), values))
            .collect()
    }
}

pub(super) fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The f32 tensors of a file.
pub(super) fn tensors(bytes: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let floats = |bytes: &[u8]| {
        let (numbers, _) = bytes.as_chunks::<4>();
        numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    file.tensors()
        .into_iter()
        .map(|(name, view)| (name, floats(view.data())))
        .collect()
}
