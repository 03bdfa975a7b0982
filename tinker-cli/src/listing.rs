//! Lists of objects: columns, filters, order, pages; as a table, JSON lines or CSV.

mod args;
mod cell;
mod column;
mod filter;
mod lines;
mod list;
mod properties;
mod search;
mod table;
mod watch;

pub(crate) use args::ListArgs;
pub(crate) use cell::{Cell, Kind, parse_duration, parse_time};
pub(crate) use column::{Column, Row};
pub(crate) use filter::Filters;
pub(crate) use properties::Properties;
pub(crate) use search::SearchArgs;
pub(crate) use watch::{Seen, WatchArgs, watch};
