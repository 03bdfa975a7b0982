//! Entry points of the folder decoders for fuzz targets and tests.
//!
//! Not covered by semantic versioning. Each function takes any bytes and runs one decoder; it must return without a
//! panic.

use std::path::Path;

use safetensors::SafeTensors;

use super::config::ConfigFile;
use super::model::generation_ends;
use super::tensors;
use super::vocabulary::TokenizerVocabulary;
use crate::model::Layout;

/// Decodes `config.json`, up to the list of tensors of the model.
///
/// # Panics
/// An accepted configuration gives tensors with gaps or frequencies that are not finite.
pub fn model_config(bytes: &[u8]) {
    let path = Path::new("config.json");
    let Ok(file) = ConfigFile::parse(path, bytes) else {
        return;
    };
    for context in [None, Some(64)] {
        if let Ok(config) = file.model(path, context) {
            let layout = Layout::new(&config);
            assert_eq!(
                layout.table.slots.last().map(|slot| slot.at.end),
                Some(layout.table.len)
            );
            if config.head_dim < 1024 {
                assert!(config.rope_frequencies().iter().all(|x| x.is_finite()));
            }
        }
    }
}

/// Decodes the header of a safetensors file.
///
/// # Panics
/// An accepted header places a tensor outside the file, or a valid file is refused.
pub fn weights_header(bytes: &[u8]) {
    let path = Path::new("model.safetensors");
    let Ok(found) = tensors::parse_header(path, bytes, 0) else {
        assert!(
            SafeTensors::deserialize(bytes).is_err(),
            "a good file is refused"
        );
        return;
    };
    for (name, place) in &found {
        assert!(
            bytes.get(place.bytes.clone()).is_some(),
            "{name} lies at {place:?}"
        );
    }
}

/// Decodes `model.safetensors.index.json`.
///
/// # Panics
/// An accepted index lists a file whose name is a path.
pub fn weights_index(bytes: &[u8]) {
    if let Ok(files) = tensors::parse_index(Path::new("index.json"), bytes) {
        for name in files.values() {
            assert!(tensors::is_plain(name), "{name:?}");
        }
    }
}

/// Decodes `tokenizer.json`.
pub fn model_tokenizer(bytes: &[u8]) {
    let _text = TokenizerVocabulary::parse(Path::new("tokenizer.json"), bytes, 320);
}

/// Decodes `generation_config.json`.
pub fn generation_config(bytes: &[u8]) {
    let _ends = generation_ends(Path::new("generation_config.json"), bytes);
}
