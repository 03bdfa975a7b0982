//! The chat templates of a model folder.

use std::path::Path;

use crate::error::ChatError;
use crate::model_file;
use crate::model_folder::TokenizerConfig;

/// One chat template as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TemplateFile {
    /// `default`, `tool_use` or another name.
    pub(super) name: String,
    /// Where it is, for error messages.
    pub(super) place: String,
    /// The template.
    pub(super) source: String,
}

/// The chat templates of a folder, from the first of these places that has any, as `transformers` reads them:
/// `chat_template.jinja` with the folder `additional_chat_templates`, `chat_template` in `tokenizer_config.json`,
/// `chat_template.json`.
pub(super) fn of_folder(
    folder: &Path,
    config: &TokenizerConfig,
) -> Result<Vec<TemplateFile>, ChatError> {
    let mut files = Vec::new();
    let path = folder.join("chat_template.jinja");
    if path.exists() {
        files.push(file("default", &path)?);
    }
    files.extend(additional(&folder.join("additional_chat_templates"))?);
    if !files.is_empty() {
        return Ok(files);
    }
    let within = |path: &Path, (name, source): (String, String)| TemplateFile {
        place: format!("chat template {name:?} of {}", path.display()),
        name,
        source,
    };
    let path = folder.join("tokenizer_config.json");
    let named = config.chat_templates()?;
    files.extend(named.into_iter().map(|named| within(&path, named)));
    if !files.is_empty() {
        return Ok(files);
    }
    let path = folder.join("chat_template.json");
    let named = TokenizerConfig::read_file(&path)?.chat_templates()?;
    files.extend(named.into_iter().map(|named| within(&path, named)));
    Ok(files)
}

/// The template in a file.
pub(super) fn file(name: &str, path: &Path) -> Result<TemplateFile, ChatError> {
    let refuse = |reason: &str| ChatError::new(format!("{}: {reason}", path.display()));
    let bytes = model_file::read(path)?.ok_or_else(|| refuse("does not exist"))?;
    let source = String::from_utf8(bytes)
        .map_err(|error| refuse("is not UTF-8 text").with_source(error.utf8_error()))?;
    Ok(TemplateFile {
        name: name.to_owned(),
        place: path.display().to_string(),
        source,
    })
}

/// The templates `NAME.jinja` of a folder.
fn additional(folder: &Path) -> Result<Vec<TemplateFile>, ChatError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let refuse =
        |error| ChatError::new(format!("{}: cannot be read", folder.display())).with_source(error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        let is_template = path
            .extension()
            .is_some_and(|extension| extension == "jinja");
        if let Some(name) = path.file_stem().filter(|_| is_template) {
            files.push(file(&name.to_string_lossy(), &path)?);
        }
    }
    Ok(files)
}
