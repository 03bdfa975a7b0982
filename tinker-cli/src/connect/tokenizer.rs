//! Tokenizer of a model, by the id that its server reports.

use std::path::{Path, PathBuf};

use tinker_data::{Renderer, Template, Tokenizer};

use crate::exit::Usage;

/// The files of a tokenizer, for messages.
const FILES: &str = "tokenizer.json and tokenizer_config.json";

/// The renderer of a model whose server reports this tokenizer id: a folder, as `tinker serve` reports it, or a name on
/// Hugging Face, whose files are read from the cache of `hf download`. Nothing is downloaded.
pub(super) fn of_model(model: &str, id: &str) -> anyhow::Result<Renderer> {
    if let Some(tokenizer) = Tokenizer::from_id(id) {
        return Ok(Renderer::new(tokenizer, Template::plain()));
    }
    let folder = Path::new(id);
    if folder.is_absolute() {
        if folder.join("tokenizer.json").is_file() {
            return from_files(folder);
        }
        let message = format!(
            "the tokenizer of {model} is in {id} on the server's machine, and this machine has no such folder; copy its \
             {FILES} into a folder here and name that with --tokenizer"
        );
        return Err(Usage(message).into());
    }
    let id = id.split(':').next().unwrap_or(id);
    if let Some(folder) = std::env::home_dir().and_then(|home| downloaded(&home, id)) {
        return from_files(&folder);
    }
    let message = format!(
        "the tokenizer of {model} is not on this machine; fetch it with `hf download {id} tokenizer.json \
         tokenizer_config.json`, or name a folder that holds {FILES} with --tokenizer"
    );
    Err(Usage(message).into())
}

/// Finds the tokenizer of a model: its place, or why it is not usable.
pub(crate) fn find(model: &str, id: &str) -> Result<String, String> {
    match of_model(model, id) {
        Ok(_) => Ok(format!("{id} is on this machine")),
        Err(error) => Err(error.to_string()),
    }
}

/// Folder of the current files of a name in the cache of `hf download`.
fn downloaded(home: &Path, id: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    let name = id.split('/').all(is_plain).then(|| id.replace('/', "--"))?;
    let repository = home
        .join(".cache/huggingface/hub")
        .join(format!("models--{name}"));
    let revision = std::fs::read_to_string(repository.join("refs/main")).ok()?;
    let folder = repository.join("snapshots").join(revision.trim());
    folder.join("tokenizer.json").is_file().then_some(folder)
}

/// The renderer of a folder, or of a file in one. A folder without a chat template gets the plain one.
#[cfg(feature = "tokenizers")]
pub(crate) fn from_files(path: &Path) -> anyhow::Result<Renderer> {
    let folder = path.parent().filter(|_| path.is_file()).unwrap_or(path);
    let tokenizer = Tokenizer::from_folder(folder)?;
    tracing::info!(folder = %folder.display(), "tokenizer");
    Ok(Renderer::from_folder(folder).unwrap_or_else(|error| {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(
            error,
            "no chat template: conversations are rendered as lines of User: and Assistant:"
        );
        Renderer::new(tokenizer, Template::plain())
    }))
}

#[cfg(not(feature = "tokenizers"))]
pub(crate) fn from_files(path: &Path) -> anyhow::Result<Renderer> {
    let message = format!(
        "this build cannot read the tokenizer in {}; build it with `--features tokenizers`",
        path.display()
    );
    Err(Usage(message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_found_by_their_name() {
        let home = tempfile::tempdir().unwrap();
        let hub = home.path().join(".cache/huggingface/hub/models--org--name");
        assert_eq!(downloaded(home.path(), "org/name"), None);
        for (folder, file, text) in [
            ("refs", "main", "abc\n"),
            ("snapshots/abc", "tokenizer.json", "{}"),
        ] {
            std::fs::create_dir_all(hub.join(folder)).unwrap();
            std::fs::write(hub.join(folder).join(file), text).unwrap();
        }
        assert_eq!(
            downloaded(home.path(), "org/name"),
            Some(hub.join("snapshots/abc"))
        );
        for other in ["org/other", "org", "../org/name", "org/../name", ""] {
            assert_eq!(downloaded(home.path(), other), None, "{other}");
        }
    }

    #[test]
    fn errors_name_the_fix_for_a_missing_tokenizer() {
        for (id, message) in [
            ("/no/such/folder", "on the server's machine"),
            ("org/none:main", "hf download org/none tokenizer.json"),
        ] {
            let error = of_model("m", id).unwrap_err().to_string();
            assert!(
                error.contains(message) && error.contains("--tokenizer"),
                "{error}"
            );
        }
        assert!(of_model("m", "tinker-local/bytes:v1").is_ok());
        assert!(of_model("m", "/data/tokenizers/tinker-local/bytes").is_ok());
        assert!(of_model("tinker-local/tiny", "tinker-local/tiny").is_ok());
    }
}
