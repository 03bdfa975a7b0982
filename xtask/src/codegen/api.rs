//! Public API of each library as text, so that changes and foreign types are visible in the diff.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use super::gated::{Features, Gates};
use crate::output::{CODEGEN, Mode, workspace_root};
use crate::workspace::Workspace;

/// The libraries, each with the foreign crates that its public API may mention.
/// Crates that are not listed, reqwest and prost above all, can be replaced without breaking users.
const LIBRARIES: [(&str, &[&str]); 7] = [
    (
        "tinker-types",
        &[
            "bytes",
            "jiff",
            "schemars",
            "serde",
            "serde_core",
            "serde_json",
        ],
    ),
    (
        "tinker-data",
        &["serde", "serde_core", "serde_json", "tinker_types"],
    ),
    (
        "tinker-transport",
        &[
            "bytes",
            "http",
            "http_body",
            "tokio",
            "tower",
            "tower_layer",
            "tower_service",
        ],
    ),
    (
        "tinker-client",
        &[
            "bytes",
            "futures_core",
            "futures_util",
            "http",
            "http_body",
            "jiff",
            "serde",
            "serde_core",
            "serde_json",
            "tinker_data",
            "tinker_transport",
            "tinker_types",
            "tower",
            "tower_layer",
            "tower_service",
        ],
    ),
    ("tinker-engine", &[]),
    (
        "tinker-local",
        &[
            "jiff",
            "bytes",
            "http",
            "http_body",
            "tinker_engine",
            "tinker_types",
            "tokio",
            "tower_service",
        ],
    ),
    (
        "tinker-train",
        &[
            "futures_core",
            "futures_util",
            "regex",
            "serde",
            "serde_core",
            "tinker_client",
            "tinker_data",
            "tinker_types",
            "tokio",
        ],
    ),
];

/// Crates that every public API may mention.
const STANDARD: [&str; 4] = ["alloc", "core", "f64", "std"];

pub(super) fn run(mode: Mode) -> anyhow::Result<()> {
    let docs = Docs::new()?;
    let mut faults = Vec::new();
    for (library, allowed) in LIBRARIES {
        let lines = docs.lines(library)?;
        for foreign in foreign(library, allowed, &lines) {
            faults.push(format!("{library}: {foreign}"));
        }
        mode.apply(
            &format!("api/{library}.txt"),
            &(lines.join("\n") + "\n"),
            CODEGEN,
        )?;
    }
    if !faults.is_empty() {
        let faults = faults.join("\n  ");
        bail!("the public API mentions crates that it should not:\n  {faults}");
    }
    Ok(())
}

/// Lines of the API that mention a crate that is not allowed.
fn foreign(library: &str, allowed: &[&str], lines: &[String]) -> Vec<String> {
    let own = library.replace('-', "_");
    let is_known = |name: &str| name == own || allowed.contains(&name) || STANDARD.contains(&name);
    let mut found = Vec::new();
    for line in lines {
        let unknown = crates(line).into_iter().find(|name| !is_known(name));
        found.extend(unknown.map(|name| format!("{name} in {line}")));
    }
    found
}

/// The crate names of all paths in a line.
fn crates(line: &str) -> BTreeSet<&str> {
    let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = line.split(|letter| !is_path(letter));
    let heads = words.filter_map(|word| word.split_once("::"));
    let heads = heads.map(|(head, _)| head);
    heads
        .filter(|head| head.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect()
}

/// Runs rustdoc for its JSON output.
struct Docs {
    shell: Shell,
    workspace: Workspace,
    rustdoc: PathBuf,
    _folder: tempfile::TempDir,
}

impl Docs {
    /// Rustdoc's JSON is unstable, so `RUSTC_BOOTSTRAP` is needed. Only rustdoc gets the variable: cargo would
    /// rebuild everything for a variable in its own environment.
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let rustdoc = folder.path().join("rustdoc");
        std::fs::write(
            &rustdoc,
            "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n",
        )?;
        make_executable(&rustdoc)?;
        let shell = Shell::new()?;
        shell.change_dir(workspace_root());
        Ok(Self {
            shell,
            workspace: Workspace::read(&workspace_root())?,
            rustdoc,
            _folder: folder,
        })
    }

    /// The public API of a library, an item a line.
    fn lines(&self, library: &str) -> anyhow::Result<Vec<String>> {
        // Of all items first, as both are written to one file.
        let all = std::fs::read_to_string(self.json(library, true)?)?;
        let json = self.json(library, false)?;
        let public = std::fs::read_to_string(&json)?;
        check_format(&public)?;
        let gates = Gates::read(&public, &all)?;
        let optional = self.optional(library);
        let read = |without_derived| {
            public_api::Builder::from_rustdoc_json(&json)
                .omit_blanket_impls(true)
                .omit_auto_trait_impls(true)
                .omit_auto_derived_impls(without_derived)
                .sorted(true)
                .build()
                .with_context(|| format!("cannot read {}", json.display()))
        };
        let known: BTreeSet<String> = read(true)?.items().map(ToString::to_string).collect();
        let mut lines = Vec::new();
        for item in read(false)?.items() {
            let line = item.to_string();
            // A derived trait is part of the API; its methods are implied.
            if !known.contains(&line) && !line.starts_with("impl") {
                continue;
            }
            let line = with_colons(&line);
            let mut features = gates.of(&item.id().0.to_string());
            // A derived trait of an optional crate has no attribute of its own.
            let crates = crates(&line).into_iter();
            features.extend(crates.filter_map(|name| optional.get(name)).cloned());
            lines.push(marked(line, &features));
        }
        Ok(lines)
    }

    /// The optional dependencies of a library that one feature switches on, with that feature.
    fn optional(&self, library: &str) -> BTreeMap<String, String> {
        let package = self.workspace.package(library);
        let features = package.into_iter().flat_map(|package| &package.features);
        let mut found: BTreeMap<String, Features> = BTreeMap::new();
        for (feature, parts) in features {
            for name in parts.iter().filter_map(|part| part.strip_prefix("dep:")) {
                let switches = found.entry(name.replace('-', "_")).or_default();
                switches.insert(feature.clone());
            }
        }
        let single = |(name, mut features): (String, Features)| {
            let first = features.pop_first()?;
            features.is_empty().then_some((name, first))
        };
        found.into_iter().filter_map(single).collect()
    }

    fn json(&self, library: &str, with_private: bool) -> anyhow::Result<PathBuf> {
        let shell = &self.shell;
        let private = with_private.then_some("--document-private-items");
        let _rustdoc = shell.push_env("RUSTDOC", &self.rustdoc);
        cmd!(
            shell,
            "cargo rustdoc --quiet --package {library} --lib --all-features -- -Zunstable-options --output-format=json --cap-lints=allow {private...}"
        )
        .run()?;
        let name = library.replace('-', "_");
        let docs = self.workspace.target_directory.join("doc");
        Ok(docs.join(name).with_extension("json"))
    }
}

/// The version of rustdoc's JSON that the `public-api` crate reads.
const FORMAT: u32 = 57;

#[derive(serde::Deserialize)]
struct Format {
    format_version: u32,
}

/// Fails for the JSON of another toolchain, so that the API is never left unchecked.
fn check_format(json: &str) -> anyhow::Result<()> {
    let Format { format_version } = serde_json::from_str(json)?;
    if format_version != FORMAT {
        bail!(
            "rustdoc writes JSON of format {format_version} and `public-api` reads format {FORMAT}: use the toolchain \
             of rust-toolchain.toml, or change both together"
        );
    }
    Ok(())
}

/// A line with the colons that `public-api` leaves out before the bounds of associated types: `Itemcore::marker::Send`
/// is `Item: core::marker::Send`.
fn with_colons(line: &str) -> String {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let names = LIBRARIES.iter().map(|(name, _)| name.replace('-', "_"));
    let foreign = LIBRARIES.iter().flat_map(|(_, foreign)| foreign.iter());
    let names: BTreeSet<String> = names
        .chain(foreign.chain(&STANDARD).map(ToString::to_string))
        .collect();
    let mut text = String::new();
    for part in line.split_inclusive("::") {
        let word = part.trim_end_matches("::");
        let word = word.rsplit(|letter| !is_name(letter)).next();
        let word = word.filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
        let heads = word.into_iter().flat_map(|word| {
            let heads = names.iter().filter(move |name| word.ends_with(*name));
            heads.map(|name| name.len() + 2)
        });
        match heads.max().filter(|_| part.ends_with("::")) {
            Some(head) => {
                let (before, head) = part.split_at(part.len() - head);
                text.extend([before, ": ", head]);
            }
            None => text.push_str(part),
        }
    }
    text
}

/// A line with the features that its item needs.
fn marked(line: String, features: &Features) -> String {
    if features.is_empty() {
        return line;
    }
    let names = features.iter().map(String::as_str).collect::<Vec<_>>();
    format!("{line} [feature: {}]", names.join(", "))
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Err(std::io::Error::other("needs a Unix shell"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_another_toolchain_is_an_error() {
        assert!(check_format("{\"format_version\": 57, \"root\": 0}").is_ok());
        let error = check_format("{\"format_version\": 58}").unwrap_err();
        assert!(error.to_string().contains("rust-toolchain.toml"), "{error}");
    }

    #[test]
    fn bounds_of_associated_types_have_a_colon() {
        let line = "where I: core::iter::IntoIterator<Itemcore::convert::Into<tinker_x::Prompt>, Errorserde_core::A>";
        let read = "where I: core::iter::IntoIterator<Item: core::convert::Into<tinker_x::Prompt>, Error: serde_core::A>";
        assert_eq!(with_colons(line), read);
        assert_eq!(with_colons(read), read);
    }

    #[test]
    fn a_foreign_crate_is_found_wherever_it_stands() {
        let lines = [
            "pub fn tinker_x::a(core::option::Option<&http::Uri>) -> Self::Item".to_owned(),
            "impl core::convert::From<reqwest::Error> for tinker_x::Error".to_owned(),
        ];
        let found = foreign("tinker-x", &["http"], &lines);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("reqwest in impl"), "{found:?}");
    }
}
