//! Tokenizer of a model, by the id that its server reports.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_client::DownloadOptions;
use tinker_client::hub::{Hub, HubConfig, HubFiles, Repository};
use tinker_data::{Renderer, Tokenizer};

use super::template::TemplateArgs;
use crate::exit::Usage;
use crate::printer::Printer;

/// The files of a tokenizer, for messages.
const FILES: &str = "tokenizer.json and tokenizer_config.json";

/// The renderer of a model whose server reports this tokenizer id: a folder, as `tinker serve` reports it, or a name on
/// the Hugging Face Hub, whose files are taken from its cache or fetched.
pub(super) async fn of_model(
    model: &str,
    id: &str,
    template: &TemplateArgs,
    printer: Printer,
) -> anyhow::Result<Renderer> {
    let id = reported(model, id);
    if let Some(tokenizer) = Tokenizer::from_id(id) {
        return Ok(Renderer::new(tokenizer, template.plain()?));
    }
    let folder = Path::new(id);
    if folder.is_absolute() {
        if folder.join("tokenizer.json").is_file() {
            return from_files(folder, template);
        }
        let message = format!(
            "the tokenizer of {model} is in {id} on the server's machine, and this machine has no such folder; copy its \
             {FILES} into a folder here and name that with --tokenizer"
        );
        return Err(Usage(message).into());
    }
    let (name, revision) = id.split_once(':').unwrap_or((id, "main"));
    let Ok(repository) = name.parse() else {
        let message = format!(
            "the tokenizer of {model} is {name:?}, which is not a name on the Hugging Face Hub; name a folder that holds \
             {FILES} with --tokenizer"
        );
        return Err(Usage(message).into());
    };
    let hub = Hub::new(HubConfig::from_env()?)?;
    from_hub(&hub, &repository, revision, template, printer)
        .await
        .with_context(|| {
            format!(
                "the tokenizer of {model} is not on this machine and cannot be fetched; name a folder that holds {FILES} \
                 with --tokenizer, or fetch it where there is a network: tinker pull {name} --tokenizer-only"
            )
        })
}

/// The id that the server reports, or that of the model's name, which stands for a missing one.
fn reported<'a>(model: &str, id: &'a str) -> &'a str {
    if id == model {
        Tokenizer::id_of_model(id)
    } else {
        id
    }
}

/// Finds the tokenizer of a model on this machine: its place, or why it is not usable. Nothing is downloaded.
pub(crate) fn find(model: &str, id: &str) -> Result<String, String> {
    let usable = |folder: &Path| {
        from_files(folder, &TemplateArgs::default()).map_err(|error| error.to_string())
    };
    let id = reported(model, id);
    if Tokenizer::from_id(id).is_none() {
        let (name, revision) = id.split_once(':').unwrap_or((id, "main"));
        let folder = if Path::new(id).is_absolute() {
            Some(PathBuf::from(id))
        } else {
            let config = HubConfig::from_env().and_then(Hub::new);
            let hub = config.map_err(|error| error.to_string())?;
            name.parse()
                .ok()
                .and_then(|repository: Repository| hub.cached(&repository, revision))
        };
        let folder = folder.filter(|folder| folder.join("tokenizer.json").is_file());
        let folder = folder.ok_or_else(|| {
            format!(
                "the tokenizer {name} of {model} is not on this machine; fetch it with `tinker pull {name} --tokenizer-only`"
            )
        })?;
        usable(&folder)?;
    }
    Ok(format!("{id} is on this machine"))
}

/// The renderer of the tokenizer that the user names with `option`: a folder, a file in one, the built-in model, or a name
/// on the Hugging Face Hub, whose files are taken from its cache or fetched.
pub(crate) async fn named(
    option: &str,
    path: &Path,
    template: &TemplateArgs,
    printer: Printer,
) -> anyhow::Result<Renderer> {
    if path.exists() {
        return from_files(path, template);
    }
    if let Some(tokenizer) = path.to_str().and_then(Tokenizer::from_id) {
        return Ok(Renderer::new(tokenizer, template.plain()?));
    }
    let Some(Ok(repository)) = path.to_str().map(str::parse) else {
        let message = format!(
            "{option} {}: does not exist; give a folder with {FILES}, or a name on the Hugging Face Hub",
            path.display()
        );
        return Err(Usage(message).into());
    };
    let hub = Hub::new(HubConfig::from_env()?)?;
    from_hub(&hub, &repository, "main", template, printer)
        .await
        .with_context(|| format!("{option} {repository}: is no folder, and cannot be fetched"))
}

/// The renderer of a repository, from the cache or fetched.
async fn from_hub(
    hub: &Hub,
    repository: &Repository,
    revision: &str,
    template: &TemplateArgs,
    printer: Printer,
) -> anyhow::Result<Renderer> {
    let has_tokenizer = |folder: &Path| folder.join("tokenizer.json").exists();
    let cached = hub.cached(repository, revision);
    if let Some(folder) = cached.filter(|folder| has_tokenizer(folder)) {
        return from_files(&folder, template);
    }
    let endpoint = &hub.config().endpoint;
    printer.print_labelled("tokenizer", &format!("{repository}, from {endpoint}"));
    let options = DownloadOptions::default();
    let pulled = Box::pin(hub.pull(repository, revision, HubFiles::Tokenizer, &options)).await?;
    if !has_tokenizer(&pulled.folder) {
        let message =
            format!("{repository} has no tokenizer.json; name the folder of one with --tokenizer");
        return Err(Usage(message).into());
    }
    from_files(&pulled.folder, template)
}

/// The renderer of a folder, or of a file in one.
#[cfg(feature = "tokenizers")]
pub(crate) fn from_files(path: &Path, template: &TemplateArgs) -> anyhow::Result<Renderer> {
    let folder = path.parent().filter(|_| path.is_file()).unwrap_or(path);
    let tokenizer = Tokenizer::from_folder(folder)?;
    tracing::info!(folder = %folder.display(), "tokenizer");
    Ok(Renderer::new(tokenizer, template.of_folder(folder)?))
}

#[cfg(not(feature = "tokenizers"))]
pub(crate) fn from_files(path: &Path, _: &TemplateArgs) -> anyhow::Result<Renderer> {
    let message = format!(
        "this build cannot read the tokenizer in {}; build it with the feature `tokenizers`",
        path.display()
    );
    Err(Usage(message).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::TerminalStyle;

    fn quiet() -> Printer {
        Printer {
            quiet: true,
            is_live: false,
            style: TerminalStyle::detect(true),
        }
    }

    #[tokio::test]
    async fn errors_name_the_fix_for_a_missing_tokenizer() {
        for (id, message) in [
            ("/no/such/folder", "on the server's machine"),
            (
                "org/no/ne",
                "\"org/no/ne\", which is not a name on the Hugging Face Hub",
            ),
        ] {
            let error = of_model("m", id, &TemplateArgs::default(), quiet())
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(message) && error.contains("--tokenizer"),
                "{error}"
            );
        }
        for (model, tokenizer) in [
            ("m", "tinker-local/bytes:v1"),
            ("m", "/data/tokenizers/tinker-local/bytes"),
            ("tinker-local/tiny", "tinker-local/tiny"),
        ] {
            let found = of_model(model, tokenizer, &TemplateArgs::default(), quiet()).await;
            assert!(found.is_ok(), "{model} {tokenizer}");
        }
        let error = named(
            "--tokenizer",
            Path::new("/no/such/folder"),
            &TemplateArgs::default(),
            quiet(),
        )
        .await
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("--tokenizer /no/such/folder: does not exist"),
            "{error}"
        );
    }

    #[test]
    fn a_variant_of_a_model_has_the_tokenizer_of_the_model() {
        for (model, id, tokenizer) in [
            ("org/name:long", "org/name:long", "org/name"),
            ("org/name:long", "org/other:main", "org/other:main"),
        ] {
            assert_eq!(reported(model, id), tokenizer);
        }
    }

    #[cfg(feature = "tokenizers")]
    #[tokio::test]
    async fn the_cache_comes_before_the_hub() {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub::new(HubConfig::new(cache.path()).with_offline(true)).unwrap();
        let repository: Repository = "org/name".parse().unwrap();
        let error = from_hub(&hub, &repository, "main", &TemplateArgs::default(), quiet())
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("HF_HUB_OFFLINE is set"),
            "{error}"
        );
        let folder = cache.path().join("models--org--name");
        for (folder, file, text) in [
            (folder.join("refs"), "main", "abc\n"),
            (
                folder.join("snapshots/abc"),
                "tokenizer.json",
                r#"{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 7}, "unk_token": "a"}}"#,
            ),
        ] {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(file), text).unwrap();
        }
        let renderer = from_hub(&hub, &repository, "main", &TemplateArgs::default(), quiet())
            .await
            .unwrap();
        assert_eq!(renderer.tokenizer().encode("a").unwrap(), [7]);
    }
}
