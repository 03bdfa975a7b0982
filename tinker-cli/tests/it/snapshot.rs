//! Expected outputs in files. `UPDATE_SNAPSHOTS=1` rewrites them.

use std::path::Path;

/// Compares an output with the file of this name.
pub(crate) fn check(name: &str, found: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == found,
        "{} differs; UPDATE_SNAPSHOTS=1 rewrites it. Found:\n{found}",
        path.display()
    );
}
