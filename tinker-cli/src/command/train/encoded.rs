//! The encoded data of a run: from the cache, or made now.

use tinker_client::cache_folder;
use tinker_data::{LengthLimit, Renderer, Sequences};

use super::args::Args;
use super::cache::{Cache, Key};
use super::source::Source;
use super::split::Origin;
use crate::context::Context;
use crate::encoding::encode;

/// Encodes the training data, unless the cache has the result for the same files, tokenizer, template and options.
pub(super) fn encoded(
    args: &Args,
    source: &Source,
    renderer: &Renderer,
    limit: LengthLimit,
    context: &Context,
) -> anyhow::Result<Sequences> {
    let printer = context.printer;
    let train = &source.split.train;
    let digest = renderer.digest().filter(|_| !args.no_cache);
    let Some((digest, folder)) = digest.zip(cache_folder()) else {
        return Ok(encode(train, renderer, limit, printer)?);
    };
    let (cache, key) = (
        Cache::new(folder.join("encoded")),
        key(args, source, &digest, limit),
    );
    match cache.open(&key) {
        Ok(Some(sequences)) => {
            let text = format!("from the cache, {}", cache.path(&key).display());
            printer.print_labelled("encoded", &text);
            return Ok(sequences);
        }
        Ok(None) => {}
        Err(error) => {
            let path = cache.path(&key);
            let note = format!("{}: {error}; encoding anew", path.display());
            printer.print_note(&note);
        }
    }
    let sequences = encode(train, renderer, limit, printer)?;
    if let Err(error) = cache.save(&key, &sequences) {
        let error: &dyn std::error::Error = &error;
        tracing::info!(error, "the encoded data could not be kept");
        printer.print_note(&format!("the encoded data could not be kept: {error}"));
    }
    Ok(sequences)
}

/// Everything that the encoded data depend on.
fn key(args: &Args, source: &Source, renderer: &str, limit: LengthLimit) -> Key {
    let held_out = match &source.split.origin {
        Origin::File { .. } => "file",
        Origin::Share { .. } => "share",
    };
    let mut key = Key::default()
        .with(env!("CARGO_PKG_VERSION"))
        .with(&program())
        .with(&source.sha256)
        .with(renderer)
        .with(&format!("{limit:?} {:?} {held_out}", args.read));
    // Files that were joined otherwise can have the same digest, and names tell tables from lines.
    for path in source.split.train.paths() {
        let length = path.metadata().map(|metadata| metadata.len());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        key = key.with(&format!("{} {name}", length.unwrap_or_default()));
    }
    if !args.mix.is_empty() {
        key = key.with(&format!("{:?} {}", args.mix, args.seed));
    }
    key
}

/// Identity of this build of the program: length and time of its file.
fn program() -> String {
    let file = std::env::current_exe().and_then(|path| path.metadata());
    let file = file.map(|file| (file.len(), file.modified().ok()));
    format!("{:?}", file.ok())
}
