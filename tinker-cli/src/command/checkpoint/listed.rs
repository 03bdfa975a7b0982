//! `tinker checkpoint list` and `tinker checkpoint info`.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use tinker_client::ListOptions;
use tinker_types::{Checkpoint, WeightsInfo};

use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::listing::{self, Cell, Column, Kind, ListArgs, Properties, Row, WatchArgs};

/// Largest page of the list.
const PAGE: u64 = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct ListCheckpointsArgs {
    /// Only checkpoints of this run: its id, its folder, the address of a checkpoint, or `latest`.
    #[arg(long, value_name = "RUN", alias = "run-id", add = crate::completion::runs())]
    run: Option<String>,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

macro_rules! columns {
    ($row:ty: $checkpoint:ident => $get:expr; $($more:tt)*) => {
        &[
            Column { name: "path", kind: Kind::Text, get: |$checkpoint: &$row| Cell::Text($get.tinker_path.to_string()) },
            Column { name: "id", kind: Kind::Text, get: |$checkpoint: &$row| Cell::Text($get.checkpoint_id.clone()) },
            Column { name: "type", kind: Kind::Text, get: |$checkpoint: &$row| Cell::text(Some($get.checkpoint_type.as_str())) },
            Column { name: "size", kind: Kind::Bytes, get: |$checkpoint: &$row| Cell::of($get.size_bytes, Cell::Bytes) },
            Column { name: "created", kind: Kind::Time, get: |$checkpoint: &$row| Cell::Time($get.time) },
            Column {
                name: "expires",
                kind: Kind::Time,
                get: |$checkpoint: &$row| $get.expires_at.map_or(Cell::Missing("never"), Cell::Time),
            },
            Column { name: "public", kind: Kind::Flag, get: |$checkpoint: &$row| Cell::Flag($get.public) },
            Column { name: "run", kind: Kind::Text, get: |$checkpoint: &$row| Cell::Text($get.tinker_path.run().to_string()) },
            Column { name: "model", kind: Kind::Text, get: |$checkpoint: &$row| Cell::text($get.base_model.as_deref()) },
            $($more)*
        ]
    };
}

impl Row for Checkpoint {
    const NOUN: &'static str = "checkpoint";
    const COLUMNS: &'static [Column<Self>] = columns!(Checkpoint: checkpoint => checkpoint;);
    const DEFAULT: &'static [&'static str] =
        &["path", "type", "size", "created", "expires", "public"];

    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.user_metadata.as_ref()
    }
}

/// A checkpoint with the properties of its weights.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Details {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    #[serde(flatten, serialize_with = "without_base_model")]
    #[cfg_attr(test, schemars(with = "WeightsInfo"))]
    weights: WeightsInfo,
}

/// The properties without the name of the base model, which the checkpoint has: an object has each key once.
fn without_base_model<S: Serializer>(weights: &WeightsInfo, to: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(weights).map_err(S::Error::custom)?;
    if let Some(object) = value.as_object_mut() {
        object.remove("base_model");
    }
    value.serialize(to)
}

impl Row for Details {
    const NOUN: &'static str = "checkpoint";
    const COLUMNS: &'static [Column<Self>] = columns! {
        Details: details => details.checkpoint;
        Column {
            name: "rank",
            kind: Kind::Number,
            get: |details| match details.weights.lora_rank {
                _ if !details.weights.is_lora => Cell::Missing("none"),
                rank => Cell::of(rank, |rank| Cell::Count(rank.into())),
            },
        },
        Column {
            name: "attention",
            kind: Kind::Flag,
            get: |details| Cell::of(details.weights.train_attn, Cell::Flag),
        },
        Column {
            name: "mlp",
            kind: Kind::Flag,
            get: |details| Cell::of(details.weights.train_mlp, Cell::Flag),
        },
        Column {
            name: "unembed",
            kind: Kind::Flag,
            get: |details| Cell::of(details.weights.train_unembed, Cell::Flag),
        },
    };
    const DEFAULT: &'static [&'static str] = &["path"];

    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.checkpoint.metadata()
    }
}

/// Lists checkpoints.
pub(super) async fn list(args: ListCheckpointsArgs, context: &Context) -> anyhow::Result<()> {
    let every = args.watch.every(context)?;
    let list = args.list.plan::<Checkpoint>()?;
    let service = args.service.open(context)?;
    let checkpoints = service.client.checkpoints();
    let run = match args.run {
        Some(run) => Some(reference::run(&run, &service.client, context.printer).await?),
        None => None,
    };
    let read = async || {
        let Some(run) = &run else {
            let options = ListOptions::default().with_page_size(list.page_size(PAGE));
            return anyhow::Ok(checkpoints.list(options).boxed_local());
        };
        let of_run = checkpoints.list_by_run(run).await?;
        Ok(stream::iter(of_run.into_iter().map(Ok)).boxed_local())
    };
    match every {
        None => list.print(read().await?, context).await,
        Some(every) => {
            let read = async || list.see(read().await?, context).await;
            listing::watch(every, context, read).await
        }
    }
}

/// Shows one checkpoint.
pub(super) async fn info(text: &str, args: &ServiceArgs, context: &Context) -> anyhow::Result<()> {
    let service = args.open(context)?;
    let path = reference::checkpoint(text, &[], &service.client, context.printer).await?;
    let checkpoints = service.client.checkpoints();
    let weights = checkpoints.get(&path).await?;
    let of_run = checkpoints.list_by_run(path.run()).await?;
    let found = of_run.into_iter().find(|found| found.tinker_path == path);
    let mut checkpoint = found.ok_or_else(|| {
        anyhow::anyhow!(
            "{path} can be read, but its run {} does not list it",
            path.run()
        )
    })?;
    checkpoint.base_model = Some(weights.base_model.clone());
    context.report.print(&Properties(Details {
        checkpoint,
        weights,
    }))
}
