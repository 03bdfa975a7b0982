//! Python environments of the servers.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// Pythons that are tried if none is given; the servers need 3.12.
const PYTHONS: [&str; 4] = ["python3.12", "python3.13", "python3.14", "python3"];

/// Folder of the locks and the scripts.
pub(super) fn scripts() -> PathBuf {
    workspace_root().join("tests/python/servers")
}

/// An environment with exactly the packages of a lock.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) folder: PathBuf,
}

impl Environment {
    /// Installs the packages of `NAME.lock` into `ROOT/NAME`, unless an earlier run did. Dependencies are not resolved:
    /// the locks leave out the CUDA libraries, and `cuda_stubs.py` makes torch importable without them.
    pub(super) fn install(
        shell: &Shell,
        root: &Path,
        name: &str,
        python: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let lock = scripts().join(format!("{name}.lock"));
        let wanted = shell.read_file(&lock)?;
        let environment = Self {
            folder: root.join(name),
        };
        let complete = environment.folder.join("installed.lock");
        if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        eprintln!(
            "{name}: installing about 2.6 GB into {}",
            environment.folder.display()
        );
        let base = match python {
            Some(python) => python.to_owned(),
            None => find_python(shell)?,
        };
        shell.remove_path(&environment.folder)?;
        let folder = &environment.folder;
        cmd!(shell, "{base} -m venv {folder}").quiet().run()?;
        let python = environment.python();
        cmd!(
            shell,
            "{python} -m pip install --quiet --disable-pip-version-check --no-deps --requirement {lock}"
        )
        .quiet()
        .run()?;
        let find = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let packages = cmd!(shell, "{python} -c {find}").quiet().read()?;
        let stubs = scripts().join("cuda_stubs.py");
        cmd!(shell, "{python} {stubs} {packages}")
            .quiet()
            .ignore_stdout()
            .run()?;
        cmd!(shell, "{python} -c 'import torch, peft'")
            .quiet()
            .run()?;
        shell.write_file(complete, wanted)?;
        Ok(environment)
    }

    pub(super) fn python(&self) -> PathBuf {
        self.program("python")
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }
}

fn find_python(shell: &Shell) -> anyhow::Result<PathBuf> {
    let is_new = "import sys, venv; sys.exit(sys.version_info < (3, 12))";
    for python in PYTHONS {
        let check = cmd!(shell, "{python} -c {is_new}").quiet();
        if check.ignore_stdout().ignore_stderr().run().is_ok() {
            return Ok(python.into());
        }
    }
    bail!("no Python 3.12 or newer on the path; name one with --python")
}

/// The folder of all environments and data, below the target folder.
pub(super) fn root(target: &Path) -> anyhow::Result<PathBuf> {
    let root = target.join("servers");
    std::fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    Ok(root)
}
