//! Goldens: results of PyTorch, transformers and peft for tiny models, which the engine's tests compare with.

use std::path::{Path, PathBuf};

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::output::{Mode, workspace_root};
use crate::workspace::Workspace;

const GOLDENS: &str = "tinker-local/tests/fixtures/golden";
const SCRIPTS: &str = "tests/python/golden";
/// Adapters of peft in its variants, and the golden whose model they adapt.
const VARIANTS: &str = "tests/fixtures/peft";
const VARIANTS_BASE: &str = "llama3";

/// Default interpreter with PyTorch, transformers and peft.
const PYTHON: &str = "target/golden/bin/python";

/// Makes the goldens, or compares them with freshly made ones. Then runs the tests that compare the engine with them,
/// and loads the adapters and merged models that these tests saved with peft and transformers.
pub(crate) fn run(mode: Mode, python: Option<PathBuf>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    let python = python.unwrap_or_else(|| root.join(PYTHON));
    find_oracles(&shell, &python)?;
    match mode {
        Mode::Write => {
            cmd!(shell, "{python} {SCRIPTS}/make.py {GOLDENS}").run()?;
            let base = format!("{GOLDENS}/{VARIANTS_BASE}/model");
            cmd!(shell, "{python} {SCRIPTS}/variants.py {base} {VARIANTS}").run()?;
        }
        Mode::Check => {
            let fresh = tempfile::tempdir()?;
            let folder = fresh.path();
            cmd!(shell, "{python} {SCRIPTS}/make.py {folder}").run()?;
            cmd!(shell, "{python} {SCRIPTS}/compare.py {GOLDENS} {folder}").run()?;
        }
    }
    cmd!(
        shell,
        "cargo test --package tinker-local --test it -- golden"
    )
    .run()?;
    let saved = Workspace::read(&root)?.target_directory.join("tmp/golden");
    for script in ["saved.py", "merged.py"] {
        cmd!(shell, "{python} {SCRIPTS}/{script} {GOLDENS} {saved}").run()?;
    }
    Ok(())
}

fn find_oracles(shell: &Shell, python: &Path) -> anyhow::Result<()> {
    let oracles = cmd!(shell, "{python} -c 'import torch, transformers, peft'")
        .quiet()
        .ignore_stdout()
        .ignore_stderr();
    if oracles.run().is_ok() {
        return Ok(());
    }
    let (python, folder) = (python.display(), Path::new(PYTHON).ancestors().nth(2));
    let folder = folder.unwrap_or(Path::new("")).display();
    bail!(
        "{python} has no torch, transformers and peft; make one with `python3 -m venv {folder}` and \
         `{folder}/bin/pip install torch transformers peft` (some gigabytes), or name another with --python"
    )
}
