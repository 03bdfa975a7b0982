//! Fuzzing entry point of the checkpoint decoders.

use std::path::Path;

use super::origin;
use super::peft::ReadConfig;
use super::record::Record;
use super::tensors::{decode_adapter, decode_optimizer};

/// Decodes bytes as each kind of file of a data folder. `file` is a name for messages.
pub(crate) fn read_any(bytes: &[u8], file: &Path) {
    let _config = serde_json::from_slice::<ReadConfig>(bytes).map(|config| config.check());
    let _record = serde_json::from_slice::<Record>(bytes);
    let _origin = origin::decode(bytes);
    if let Ok(tensors) = decode_adapter(bytes, file) {
        let _optimizer = decode_optimizer(bytes, &tensors, file);
    }
}
