//! Options of every search.

use std::collections::BTreeMap;

use tinker_types::SessionOwner;

use crate::exit::Usage;

/// Options of every search.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SearchArgs {
    /// Only those of a project; may be repeated.
    #[arg(long, value_name = "ID")]
    project: Vec<String>,
    /// Only those with this entry of metadata; with several, all must be there.
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Those of this user; may be repeated.
    #[arg(long, value_name = "URN", conflicts_with = "all_owners")]
    owner: Vec<String>,
    /// All that the key may read, not only those of its owner.
    #[arg(long)]
    all_owners: bool,
}

impl SearchArgs {
    /// The projects to search; `None` for all.
    pub(crate) fn projects(&self) -> Option<Vec<String>> {
        (!self.project.is_empty()).then(|| self.project.clone())
    }

    /// Entries of the metadata, all of which must be there.
    pub(crate) fn metadata(&self) -> Result<BTreeMap<String, String>, Usage> {
        let pair = |entry: &String| match entry.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Usage(format!("--meta {entry}: give KEY=VALUE"))),
        };
        self.meta.iter().map(pair).collect()
    }

    /// The users whose objects are searched.
    pub(crate) fn owner(&self) -> SessionOwner {
        if self.all_owners {
            SessionOwner::Accessible
        } else if self.owner.is_empty() {
            SessionOwner::Own
        } else {
            SessionOwner::User {
                owner_urns: self.owner.clone(),
            }
        }
    }
}
