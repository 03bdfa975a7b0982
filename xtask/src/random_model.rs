//! Hugging Face folders with random weights.

use anyhow::{Context, bail};
use tinker_engine::Storage;
use tinker_engine::testing::RandomFolder;

use crate::flags::RandomModel;

pub(crate) fn run(flags: &RandomModel) -> anyhow::Result<()> {
    let folder = match flags.shape.as_deref() {
        None | Some("qwen3") => RandomFolder::qwen3(),
        Some("qwen2") => RandomFolder::qwen2(),
        Some("llama") => RandomFolder::llama(),
        Some("qwen3-0.5b") => RandomFolder::qwen3_half_billion(),
        Some(other) => bail!("there is no shape {other:?}; qwen3, qwen2, llama and qwen3-0.5b are"),
    };
    let storage = match flags.dtype.as_deref() {
        None | Some("bf16") => Storage::Bf16,
        Some("f16") => Storage::F16,
        Some("f32") => Storage::F32,
        Some(other) => bail!("there is no dtype {other:?}; f32, f16 and bf16 are"),
    };
    let folder = folder
        .with_storage(storage)
        .with_shards(flags.shards.unwrap_or(1))
        .with_seed(flags.seed.unwrap_or(0));
    let place = || format!("cannot write {}", flags.out.display());
    folder.write(&flags.out).with_context(place)?;
    let parameters = folder.parameters() as f64 / 1e6;
    eprintln!(
        "{}: {parameters:.1} million parameters",
        flags.out.display()
    );
    Ok(())
}
