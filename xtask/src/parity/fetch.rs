//! Packages of the npm registry.

use std::path::PathBuf;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// Folder of fetched and intermediate files.
pub(super) fn folder() -> PathBuf {
    workspace_root().join("target/parity")
}

/// The unpacked folder of a package, fetched unless it is there.
pub(super) fn package(shell: &Shell, name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let file = format!(
        "{}-{version}",
        name.trim_start_matches('@').replace('/', "-")
    );
    let folder = folder().join("npm");
    let (package, archive) = (folder.join(&file), format!("{file}.tgz"));
    if package.join("package.json").is_file() {
        return Ok(package);
    }
    shell.create_dir(&package)?;
    let _inside = shell.push_dir(&folder);
    cmd!(shell, "npm pack --silent {name}@{version}")
        .quiet()
        .ignore_stdout()
        .run()
        .with_context(|| format!("cannot fetch {name} with npm"))?;
    cmd!(
        shell,
        "tar -xzf {archive} -C {package} --strip-components=1"
    )
    .quiet()
    .run()?;
    shell.remove_path(&archive)?;
    Ok(package)
}
