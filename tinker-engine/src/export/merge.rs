//! Merge of an adapter into the weights of its base model, tensor by tensor: at most one is in memory.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, View};

use super::error::ExportError;
use crate::backend::{AdapterState, NamedTensor};
use crate::folder::Storage;
use crate::model::{Layout, ModelConfig, Slot, TensorSource};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// A merge, ready to be written.
pub(super) struct Merge<'a> {
    tensors: &'a dyn TensorSource,
    parts: Vec<Part<'a>>,
    unties_head: bool,
}

/// One tensor.
struct Part<'a> {
    /// Name in the output.
    name: String,
    /// Its tensor of the base model.
    slot: Slot,
    storage: Storage,
    low_rank: Option<LowRank<'a>>,
}

/// `scale B A`, with `A` of shape `[rank, in]` and `B` of shape `[out, rank]`.
struct LowRank<'a> {
    a: &'a [f32],
    b: &'a [f32],
    rank: usize,
    scale: f32,
}

impl<'a> Merge<'a> {
    /// Matches adapter and weights. Every tensor of the adapter must have its weight.
    pub(super) fn new(
        model: &ModelConfig,
        tensors: &'a dyn TensorSource,
        adapter: Option<&'a AdapterState>,
        storage: Option<Storage>,
    ) -> Result<Self, ExportError> {
        let slots = Layout::new(model).table.slots;
        let mut low_rank = adapter.map(low_rank).transpose()?.unwrap_or_default();
        for tensor in adapter.map_or(&[][..], |adapter| &adapter.tensors) {
            check_copy(tensor, &slots, tensors)?;
        }
        let mut parts = Vec::with_capacity(slots.len() + 1);
        for slot in slots {
            parts.push((slot.name.clone(), slot));
        }
        // A tied head with an adapter is no longer the embedding.
        let unties_head = model.tie_word_embeddings && low_rank.contains_key(HEAD);
        if unties_head
            && let Some((_, embedding)) = parts.iter().find(|(name, _)| name == EMBEDDING)
        {
            parts.push((HEAD.to_owned(), embedding.clone()));
        }
        let parts = parts.into_iter().map(|(name, slot)| {
            let stored = tensors.tensor(&slot).map_err(|error| ExportError::Merge(error.to_string()))?;
            let storage = storage.unwrap_or_else(|| Storage::of(stored.kind));
            tensors.release(&slot);
            let low_rank = low_rank.remove(&name);
            if let Some(part) = &low_rank
                && slot.shape != [part.b.len() / part.rank, part.a.len() / part.rank]
            {
                let (has, rank) = (&slot.shape, part.rank);
                let fits = [part.b.len() / rank, part.a.len() / rank];
                return Err(ExportError::Merge(format!(
                    "its part for {name} is made for {fits:?}, and the weight is {has:?}; give the base model it was \
                     trained on"
                )));
            }
            Ok(Part { name, slot, storage, low_rank })
        });
        let parts = parts.collect::<Result<_, ExportError>>()?;
        match low_rank.into_keys().next() {
            Some(name) => Err(ExportError::Merge(format!(
                "it has a part for {name}, which the base model lacks; give the one it was trained on"
            ))),
            None => Ok(Self {
                tensors,
                parts,
                unties_head,
            }),
        }
    }

    /// Whether the result has a separate head where the base model had none.
    pub(super) fn unties_head(&self) -> bool {
        self.unties_head
    }

    /// Writes a safetensors file.
    pub(super) fn write(&self, path: &Path) -> Result<(), ExportError> {
        let failed = RefCell::new(None);
        let views = self.parts.iter().map(|part| {
            let view = Merged {
                part,
                tensors: self.tensors,
                failed: &failed,
            };
            (part.name.as_str(), view)
        });
        let info = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        // The file is replaced by one that only its owner can read; a model is as readable as any new file.
        let file = std::fs::File::create(path).and_then(|file| file.metadata());
        let permissions = file.map_err(ExportError::io("write", path))?.permissions();
        safetensors::serialize_to_file(views, Some(info), path).map_err(|error| match error {
            SafeTensorError::IoError(source) => ExportError::io("write", path)(source),
            other => ExportError::Merge(other.to_string()),
        })?;
        std::fs::set_permissions(path, permissions).map_err(ExportError::io("write", path))?;
        failed
            .into_inner()
            .map_or(Ok(()), |why| Err(ExportError::Merge(why)))
    }
}

/// A tensor that is computed when it is written.
struct Merged<'a> {
    part: &'a Part<'a>,
    tensors: &'a dyn TensorSource,
    /// The first error, as a view can't return one.
    failed: &'a RefCell<Option<String>>,
}

impl Merged<'_> {
    fn compute(&self) -> Result<Vec<u8>, String> {
        let Part {
            name,
            slot,
            storage,
            low_rank,
        } = self.part;
        let stored = self
            .tensors
            .tensor(slot)
            .map_err(|error| error.to_string())?;
        let is_same = low_rank.is_none() && Storage::of(stored.kind) == *storage;
        let bytes = if is_same {
            stored.bytes.to_vec()
        } else {
            let mut numbers = vec![0.0; slot.at.len()];
            stored.widen(&mut numbers);
            if let Some(low_rank) = low_rank {
                low_rank.add_to(&mut numbers);
            }
            if numbers
                .iter()
                .any(|x| !x.is_finite() || (*storage == Storage::F16 && x.abs() > 65_504.0))
            {
                return Err(format!(
                    "{name} would hold numbers beyond {}",
                    storage.name()
                ));
            }
            let mut bytes = Vec::with_capacity(self.data_len());
            storage.encode(&numbers, &mut bytes);
            bytes
        };
        self.tensors.release(slot);
        Ok(bytes)
    }
}

impl View for Merged<'_> {
    fn dtype(&self) -> Dtype {
        self.part.storage.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.part.slot.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.compute().unwrap_or_else(|why| {
            self.failed.borrow_mut().get_or_insert(why);
            vec![0; self.data_len()]
        }))
    }

    fn data_len(&self) -> usize {
        self.part.slot.at.len() * self.part.storage.size()
    }
}

impl LowRank<'_> {
    fn add_to(&self, weight: &mut [f32]) {
        let input = self.a.len() / self.rank;
        for (row, b) in weight
            .chunks_exact_mut(input)
            .zip(self.b.chunks_exact(self.rank))
        {
            for (b, a) in b.iter().zip(self.a.chunks_exact(input)) {
                let factor = self.scale * b;
                for (w, a) in row.iter_mut().zip(a) {
                    *w += factor * a;
                }
            }
        }
    }
}

/// Refuses a tensor in an adapter's file that is neither part of the adapter nor a copy of a base weight.
fn check_copy(
    tensor: &NamedTensor,
    slots: &[Slot],
    tensors: &dyn TensorSource,
) -> Result<(), ExportError> {
    let name = tensor.name.strip_prefix("base_model.model.");
    let Some(name) = name.filter(|name| !name.contains(".lora_")) else {
        return Ok(());
    };
    let name = name.replace(".base_layer.", ".");
    let of_name = |name: &str| slots.iter().find(|slot| slot.name == name);
    // A tied head is stored under the embedding's name.
    let tied = || of_name(EMBEDDING).filter(|_| name == HEAD);
    let Some(slot) = of_name(&name).or_else(tied) else {
        return Err(ExportError::Merge(format!(
            "it holds {}, which is not part of a LoRA adapter",
            tensor.name
        )));
    };
    let mut own = vec![0.0; slot.at.len()];
    let stored = tensors.tensor(slot);
    stored
        .map_err(|error| ExportError::Merge(error.to_string()))?
        .widen(&mut own);
    tensors.release(slot);
    if *own == *tensor.data {
        return Ok(());
    }
    Err(ExportError::Merge(format!(
        "its {name} differs from the base model's; give the base it was trained on"
    )))
}

/// The low-rank updates of an adapter by the weight they are added to.
fn low_rank(adapter: &AdapterState) -> Result<BTreeMap<String, LowRank<'_>>, ExportError> {
    let by_name: HashMap<&str, &NamedTensor> = adapter
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let (rank, alpha) = (adapter.spec.rank, adapter.alpha);
    let mut parts = BTreeMap::new();
    for (name, a) in &by_name {
        let Some(place) = name.strip_suffix(".lora_A.weight") else {
            continue;
        };
        let weight = place.strip_prefix("base_model.model.").unwrap_or(place);
        let b = by_name.get(format!("{place}.lora_B.weight").as_str());
        let fits =
            |b: &&&NamedTensor| a.shape.first() == Some(&rank) && b.shape.get(1) == Some(&rank);
        let Some(b) = b.filter(fits) else {
            return Err(ExportError::Merge(format!("{name} has no fitting lora_B")));
        };
        let part = LowRank {
            a: &a.data,
            b: &b.data,
            rank,
            scale: alpha / rank as f32,
        };
        parts.insert(format!("{weight}.weight"), part);
    }
    Ok(parts)
}
