//! `cargo xtask dist`: what people download who have no Rust toolchain.

use std::path::Path;

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use super::package::Package;
use crate::flags::Dist;
use crate::output::workspace_root;
use crate::workspace::Workspace;

/// The systems that binaries are made for. They link no library of the system, so that one file runs on all of Linux.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// Programs that are not part of Rust, each with the command that installs it.
const NEEDS: [(&str, &str); 2] = [
    ("zigbuild", "pip install cargo-zigbuild ziglang"),
    ("cyclonedx", "cargo install cargo-cyclonedx --locked"),
];

/// The shells that completions are made for, with the name of the file that each expects.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "tinker.bash"),
    ("zsh", "_tinker"),
    ("fish", "tinker.fish"),
];

/// Compresses without the name and time of the file.
const GZIP: &str = "gzip --best --no-name";

/// Writes an archive of the command for each system, the list of what is in it, the installer and the checksums.
pub(crate) fn run(flags: &Dist) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    for (program, install) in NEEDS {
        let version = cmd!(shell, "cargo {program} --version").quiet();
        if version.ignore_stdout().ignore_stderr().run().is_err() {
            bail!("cargo-{program} is not installed; run `{install}`");
        }
    }
    let version = command_version(&shell)?;
    let target = Workspace::read(&root)?.target_directory;
    let out = flags.out.clone().unwrap_or_else(|| target.join("dist"));
    shell.remove_path(&out)?;
    let out = shell.create_dir(&out)?;

    let mut binaries = Vec::new();
    for triple in TARGETS {
        cmd!(shell, "rustup target add {triple}").quiet().run()?;
        cmd!(
            shell,
            "cargo zigbuild --release --locked --package tinker-cli --target {triple}"
        )
        .run()?;
        binaries.push((triple, target.join(triple).join("release/tinker")));
    }
    let own = binaries
        .iter()
        .find(|(triple, _)| triple.starts_with(std::env::consts::ARCH));
    let (_, own) = own.context("binaries for Linux are made on Linux, x86-64 or aarch64")?;
    for (triple, binary) in &binaries {
        archive(
            &shell,
            &format!("tinker-{version}-{triple}"),
            binary,
            own,
            &out,
        )?;
    }
    bill_of_materials(&shell, &version, &out)?;
    shell.copy_file(root.join("install.sh"), &out)?;
    checksums(&shell, &out)?;
    eprintln!("{} can be uploaded as it is", out.display());
    Ok(())
}

fn command_version(shell: &Shell) -> anyhow::Result<String> {
    let packages = Package::published(shell)?;
    let command = packages
        .into_iter()
        .find(|package| package.name == "tinker-cli");
    Ok(command.context("tinker-cli is not published")?.version)
}

/// Writes the archive of one system. Equal contents give equal bytes.
fn archive(shell: &Shell, name: &str, binary: &Path, own: &Path, out: &Path) -> anyhow::Result<()> {
    let scratch = shell.create_temp_dir()?;
    let folder = scratch.path().join(name);
    for file in ["LICENSE", "CHANGELOG.md", "tinker-cli/README.md"] {
        shell.copy_file(workspace_root().join(file), shell.create_dir(&folder)?)?;
    }
    shell.copy_file(binary, &folder)?;
    let completions = shell.create_dir(folder.join("completions"))?;
    for (language, file) in SHELLS {
        let text = cmd!(shell, "{own} completions {language}").quiet().read()?;
        shell.write_file(completions.join(file), text + "\n")?;
    }
    let pages = folder.join("man");
    cmd!(shell, "{own} man {pages}").quiet().run()?;
    let time = cmd!(shell, "git log -1 --format=@%ct").quiet().read()?;
    let file = out.join(format!("{name}.tar.gz"));
    let scratch = scratch.path();
    cmd!(
        shell,
        "tar --create --file {file} --use-compress-program {GZIP} --sort=name --owner=0 --group=0 --numeric-owner
         --mode=u+rwX,go+rX,go-w --mtime {time} --directory {scratch} {name}"
    )
    .run()?;
    Ok(())
}

/// Writes the crates in the command with their versions and licences, as `CycloneDX`.
fn bill_of_materials(shell: &Shell, version: &str, out: &Path) -> anyhow::Result<()> {
    let name = format!("tinker-{version}.cdx");
    let (manifest, target) = ("tinker-cli/Cargo.toml", TARGETS[0]);
    cmd!(
        shell,
        "cargo cyclonedx --manifest-path {manifest} --format json --spec-version 1.5 --target {target} --override-filename {name}"
    )
    .quiet()
    .run()?;
    // It writes one beside the manifest of each crate of the workspace, with the folder of this machine in it.
    let root = workspace_root();
    let file = format!("{name}.json");
    let text = shell.read_file(root.join("tinker-cli").join(&file))?;
    shell.write_file(out.join(&file), without_folder(&text, &root))?;
    for folder in shell.read_dir(&root)? {
        shell.remove_path(folder.join(&file))?;
    }
    Ok(())
}

/// The text with paths that begin at the workspace.
fn without_folder(text: &str, root: &Path) -> String {
    text.replace(&format!("{}/", root.display()), "")
}

fn checksums(shell: &Shell, out: &Path) -> anyhow::Result<()> {
    let _there = shell.push_dir(out);
    let files: Vec<_> = shell
        .read_dir(out)?
        .iter()
        .filter_map(|file| file.file_name().map(ToOwned::to_owned))
        .collect();
    let sums = cmd!(shell, "sha256sum {files...}").quiet().read()?;
    shell.write_file(out.join("SHA256SUMS"), sums + "\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A release whose command is a script, in a temporary folder, as [`run`] lays it out.
    fn release(shell: &Shell) -> anyhow::Result<xshell::TempDir> {
        let folder = shell.create_temp_dir()?;
        let out = folder.path().join("release");
        shell.create_dir(&out)?;
        for triple in TARGETS {
            let name = format!("tinker-0.1.0-{triple}");
            let content = folder.path().join(&name);
            shell.write_file(content.join("tinker"), "#!/bin/sh\necho tinker 0.1.0\n")?;
            let (file, from) = (out.join(format!("{name}.tar.gz")), folder.path());
            cmd!(
                shell,
                "tar --create --gzip --file {file} --directory {from} {name}"
            )
            .run()?;
        }
        shell.copy_file(workspace_root().join("install.sh"), &out)?;
        checksums(shell, &out)?;
        Ok(folder)
    }

    #[test]
    fn the_installer_puts_the_command_in_a_folder() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        let folder = release(&shell)?;
        let script = folder.path().join("release/install.sh");
        let to = folder.path().join("a folder/bin");
        let said = cmd!(shell, "sh {script} --to {to}").quiet().read()?;
        assert!(
            said.contains("installed") && said.contains("add it to the path"),
            "{said}"
        );
        let command = to.join("tinker");
        assert_eq!(cmd!(shell, "{command}").quiet().read()?, "tinker 0.1.0");
        assert_eq!(shell.read_dir(&to)?, [command], "nothing else is left");
        Ok(())
    }

    #[test]
    fn a_damaged_or_missing_archive_is_refused() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        let folder = release(&shell)?;
        let out = folder.path().join("release");
        let script = out.join("install.sh");
        let to = folder.path().join("bin");
        let refused = || -> anyhow::Result<String> {
            let output = cmd!(shell, "sh {script} --to {to}")
                .quiet()
                .ignore_status()
                .output()?;
            assert!(!output.status.success());
            assert!(!to.exists(), "nothing is installed");
            Ok(String::from_utf8(output.stderr)?)
        };
        for archive in shell.read_dir(&out)? {
            if archive
                .extension()
                .is_some_and(|extension| extension == "gz")
            {
                shell.write_file(archive, "something else")?;
            }
        }
        let said = refused()?;
        assert!(said.contains("is damaged"), "{said}");
        shell.write_file(out.join("SHA256SUMS"), "")?;
        let said = refused()?;
        assert!(said.contains("lists no archive for"), "{said}");
        shell.remove_path(out.join("SHA256SUMS"))?;
        let said = refused()?;
        assert!(said.contains("there is no SHA256SUMS in"), "{said}");
        Ok(())
    }

    #[test]
    fn an_address_without_encryption_or_another_system_is_refused() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        let script = workspace_root().join("install.sh");
        let said = |arguments: &[&str]| -> anyhow::Result<String> {
            let command = cmd!(shell, "sh {script} {arguments...}").quiet();
            Ok(String::from_utf8(command.ignore_status().output()?.stderr)?)
        };
        let plain = said(&["--from", "http://example.com/tinker"])?;
        assert!(plain.contains("is not an https:// address"), "{plain}");
        assert!(said(&["--form", "x"])?.contains("unknown argument --form"));

        let bin = shell.create_temp_dir()?;
        let uname = bin.path().join("uname");
        shell.write_file(&uname, "#!/bin/sh\necho riscv64\n")?;
        cmd!(shell, "chmod +x {uname}").quiet().run()?;
        let path = std::env::var("PATH")?;
        let _first = shell.push_env("PATH", format!("{}:{path}", bin.path().display()));
        let other = said(&[])?;
        assert!(
            other.contains("no binary for riscv64") && other.contains("cargo install"),
            "{other}"
        );
        Ok(())
    }
}
