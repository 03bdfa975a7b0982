//! `tinker checkpoint search`.

use tinker_types::{Checkpoint, CheckpointType, SearchCheckpoints};

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::listing::{ListArgs, SearchArgs};

/// Largest page of the search.
const PAGE: u64 = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only checkpoints of a base model; may be repeated.
    #[arg(long, value_name = "NAME")]
    base_model: Vec<String>,
    /// Only checkpoints of a type.
    #[arg(long = "type", value_enum)]
    kind: Option<Type>,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Types of checkpoints.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Type {
    Training,
    Sampler,
    External,
}

/// Searches checkpoints.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let list = args.list.plan::<Checkpoint>()?;
    let mut query = SearchCheckpoints::default();
    query.limit = list.page_size(PAGE) as u32;
    query.project_ids = args.search.projects();
    query.base_models = (!args.base_model.is_empty()).then_some(args.base_model);
    query.checkpoint_type = args.kind.map(|kind| match kind {
        Type::Training => CheckpointType::Training,
        Type::Sampler => CheckpointType::Sampler,
        Type::External => CheckpointType::External,
    });
    query.owner = args.search.owner();
    query.user_metadata = args.search.metadata()?;
    let service = args.service.open(context)?;
    list.print(service.client.checkpoints().search(query), context)
        .await
}
