//! `tinker checkpoint search`.

use tinker_types::{Checkpoint, CheckpointType, SearchCheckpoints, SessionOwner};

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::listing::ListArgs;

/// Largest page of the search.
const PAGE: u64 = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only checkpoints of a project; may be repeated.
    #[arg(long, value_name = "ID")]
    project: Vec<String>,
    /// Only checkpoints of a base model; may be repeated.
    #[arg(long, value_name = "NAME")]
    base_model: Vec<String>,
    /// Only checkpoints with this entry of metadata; with several, all must be there.
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Only checkpoints of a type.
    #[arg(long = "type", value_enum)]
    kind: Option<Type>,
    /// Checkpoints of this user; may be repeated.
    #[arg(long, value_name = "URN", conflicts_with = "all_owners")]
    owner: Vec<String>,
    /// All checkpoints that the key may read, not only those of its owner.
    #[arg(long)]
    all_owners: bool,
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
    query.project_ids = (!args.project.is_empty()).then_some(args.project);
    query.base_models = (!args.base_model.is_empty()).then_some(args.base_model);
    query.checkpoint_type = args.kind.map(|kind| match kind {
        Type::Training => CheckpointType::Training,
        Type::Sampler => CheckpointType::Sampler,
        Type::External => CheckpointType::External,
    });
    query.owner = if args.all_owners {
        SessionOwner::Accessible
    } else if args.owner.is_empty() {
        SessionOwner::Own
    } else {
        SessionOwner::User {
            owner_urns: args.owner,
        }
    };
    for entry in &args.meta {
        let pair = entry.split_once('=');
        let (key, value) = pair.ok_or_else(|| Usage(format!("--meta {entry}: give KEY=VALUE")))?;
        query.user_metadata.insert(key.to_owned(), value.to_owned());
    }
    let service = args.service.open(context)?;
    list.print(service.client.checkpoints().search(query), context)
        .await
}
