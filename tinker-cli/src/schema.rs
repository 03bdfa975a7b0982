//! JSON Schemas of results, in `schemas/commands`.

use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// Compares the schema of a result with the file of the command. `UPDATE_SNAPSHOTS=1` rewrites it.
pub(crate) fn check<T: JsonSchema>(command: &str) {
    let generator = SchemaSettings::draft2020_12().for_serialize();
    let schema = generator.into_generator().into_root_schema_for::<T>();
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/commands");
    let path = folder.join(format!("{command}.json"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, schema).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == schema,
        "{} is not the schema of the result; UPDATE_SNAPSHOTS=1 rewrites it",
        path.display()
    );
}
