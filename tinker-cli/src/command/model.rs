//! `tinker model`: base models of a server.

use futures_util::stream;
use tinker_types::SupportedModel;

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::listing::{Cell, Column, Kind, ListArgs, Properties, Row};

/// Show the base models of a server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: model, context, trainable, sampleable, tokenizer.

Examples:
  tinker model list
  tinker model list qwen --filter 'context>=32768'
  tinker model info Qwen/Qwen3-8B --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List models.
    List {
        /// Show only models whose name contains this text, in any case.
        text: Option<String>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Show one model.
    Info {
        /// Name of the model.
        model: String,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

impl Row for SupportedModel {
    const NOUN: &'static str = "model";
    const COLUMNS: &'static [Column<Self>] = &[
        Column {
            name: "model",
            kind: Kind::Text,
            get: |model| Cell::text(model.model_name.as_deref()),
        },
        Column {
            name: "context",
            kind: Kind::Number,
            get: |model| Cell::of(model.max_context_length, Cell::Count),
        },
        Column {
            name: "trainable",
            kind: Kind::Flag,
            get: |model| Cell::of(model.trainable, Cell::Flag),
        },
        Column {
            name: "sampleable",
            kind: Kind::Flag,
            get: |model| Cell::of(model.sampleable, Cell::Flag),
        },
        Column {
            name: "tokenizer",
            kind: Kind::Text,
            get: |model| Cell::text(model.tokenizer_id.as_deref()),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["model", "context", "trainable", "sampleable"];
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::List {
            text,
            list,
            service,
        } => {
            let list = list.plan::<SupportedModel>()?;
            let service = service.open(context)?;
            let mut models = service.client.server_capabilities().await?.supported_models;
            if let Some(text) = text.map(|text| text.to_lowercase()) {
                let name = |model: &SupportedModel| model.model_name.clone().unwrap_or_default();
                models.retain(|model| name(model).to_lowercase().contains(&text));
            }
            list.print(stream::iter(models.into_iter().map(Ok)), context)
                .await
        }
        Action::Info { model, service } => {
            let service = service.open(context)?;
            let models = service.client.server_capabilities().await?.supported_models;
            let names: Vec<String> = models
                .iter()
                .filter_map(|model| model.model_name.clone())
                .collect();
            let is_wanted = |found: &SupportedModel| found.model_name.as_ref() == Some(&model);
            let Some(found) = models.into_iter().find(is_wanted) else {
                let message = format!(
                    "model {model:?} does not exist on {}; it has {}",
                    service.name,
                    names.join(", ")
                );
                return Err(Usage(message).into());
            };
            context.report.print(&Properties(found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<SupportedModel>("model");
    }
}
