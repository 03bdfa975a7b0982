//! Options of every list.

use super::column::{Chosen, Row};
use super::filter::Filters;
use super::list::{List, Order};
use crate::clock;
use crate::exit::Usage;

/// Options of every list.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "List")]
pub(crate) struct ListArgs {
    /// Number of entries; 0 for all.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u64,
    /// Columns of the table, separated by commas; `all` for all, `meta.KEY` for an entry of the metadata.
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// Show only rows that fulfil a condition on a column: `name~text` (contains), `=`, `!=`, `!~`, `<`, `<=`, `>`, `>=`.
    /// Sizes may have a unit (10MB); times are a date, or an age such as 7d. With several, all must hold.
    #[arg(short, long = "filter", value_name = "CONDITION")]
    pub(super) filters: Vec<String>,
    /// Sort by a column; a minus before the name reverses the order. Without --limit 0 the first N of all are shown.
    #[arg(long, value_name = "[-]COLUMN", allow_hyphen_values = true)]
    pub(super) sort: Option<String>,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
}

impl ListArgs {
    /// Checks the options against the columns of a list.
    pub(crate) fn plan<T: Row>(&self) -> Result<List<T>, Usage> {
        let mut names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        if names.is_empty() {
            names = T::DEFAULT.to_vec();
        }
        let all = || T::COLUMNS.iter().map(|column| column.name);
        let names = names.into_iter().flat_map(|name| match name {
            "all" => all().collect(),
            name => vec![name],
        });
        let columns: Result<Vec<_>, _> = names
            .map(|name| Chosen::find("--columns", name.trim()))
            .collect();
        let order = self.sort.as_deref().map(|text| {
            let name = text.trim_start_matches('-');
            Ok(Order {
                column: Chosen::find("--sort", name)?,
                is_reversed: name != text,
            })
        });
        Ok(List {
            columns: columns?,
            filters: Filters::parse(&self.filters)?,
            order: order.transpose()?,
            limit: usize::try_from(self.limit).unwrap_or(usize::MAX),
            as_csv: self.csv,
            now: clock::moment(),
        })
    }
}
