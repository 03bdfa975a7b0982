//! A list as a command prints it: filtered, sorted, limited, in bounded memory.

use std::cmp::Ordering;

use futures_util::{Stream, TryStreamExt as _};
use jiff::Timestamp;
use tinker_client::Error;

use super::column::{Chosen, Row};
use super::filter::Filters;
use super::lines::{Format, Lines};
use super::watch::Seen;
use crate::clock;
use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::format;
use crate::progress::Counter;

/// Rows printed at once.
const BATCH: usize = 500;

/// A checked list. Rows are printed as they arrive; a sorted list holds at most twice its limit.
#[derive(Debug)]
pub(crate) struct List<T: Row> {
    pub(super) columns: Vec<Chosen<T>>,
    pub(super) filters: Filters<T>,
    pub(super) order: Option<Order<T>>,
    /// Largest number of rows; 0 for all.
    pub(super) limit: usize,
    pub(super) as_csv: bool,
    pub(super) now: Timestamp,
}

/// The column to sort by.
#[derive(Debug)]
pub(super) struct Order<T: 'static> {
    pub(super) column: Chosen<T>,
    pub(super) is_reversed: bool,
}

impl<T: Row> Order<T> {
    /// Missing values come last in both directions.
    fn compare(&self, a: &T, b: &T) -> Ordering {
        let (a, b) = (self.column.cell(a), self.column.cell(b));
        let is_missing = |cell: &super::Cell| matches!(cell, super::Cell::Missing(_));
        let order = a.order(&b);
        if self.is_reversed && !is_missing(&a) && !is_missing(&b) {
            order.reverse()
        } else {
            order
        }
    }
}

impl<T: Row> List<T> {
    /// Number of entries to request per page: few if a few are wanted, else the most.
    pub(crate) fn page_size(&self, most: u64) -> u64 {
        let needs_all = self.limit == 0 || self.order.is_some() || !self.filters.is_empty();
        // One more than wanted, which shows whether there are more.
        let wanted = (self.limit as u64).saturating_add(1);
        if needs_all { most } else { wanted.min(most) }
    }

    /// Prints entries. When a stop is requested, those that were read.
    pub(crate) async fn print(
        &self,
        entries: impl Stream<Item = Result<T, Error>>,
        context: &Context,
    ) -> anyhow::Result<()> {
        let format = if self.as_csv {
            Format::Csv
        } else if context.report.is_text() {
            Format::Table(context.printer.style)
        } else {
            Format::Json
        };
        let mut lines = Lines::new(&self.columns, format, self.now);
        let mut counter = Counter::start(context.printer, T::NOUN);
        let mut entries = std::pin::pin!(entries);
        let limit = self.most();
        let (mut rows, mut shown, mut read, mut has_more) = (Vec::new(), 0, 0, false);
        let mut is_stopped = false;
        let interrupt = &context.interrupt;
        loop {
            let row = tokio::select! {
                biased;
                () = interrupt.requested() => {
                    is_stopped = true;
                    break;
                }
                row = entries.try_next() => row?,
            };
            let Some(row) = row else {
                break;
            };
            read += 1;
            counter.update(read);
            if !self.filters.accepts(&row) {
                continue;
            }
            if self.order.is_none() && shown + rows.len() == limit {
                has_more = true;
                break;
            }
            rows.push(row);
            if self.order.is_some() {
                if rows.len() >= limit.saturating_mul(2) {
                    has_more = true;
                    self.cut(&mut rows, limit);
                }
            } else if rows.len() == BATCH {
                shown += rows.len();
                counter.pause(|| lines.print(&rows))?;
                rows.clear();
            }
        }
        drop(counter);
        if is_stopped && self.order.is_some() {
            // Of a part of the list it is not known which rows come first.
            rows.clear();
        }
        has_more |= rows.len() > limit;
        self.cut(&mut rows, limit);
        shown += rows.len();
        if !rows.is_empty() {
            lines.print(&rows)?;
        }
        if is_stopped {
            let (read, shown) = (format::count(read, T::NOUN), format::number(shown as u64));
            let line = format!("\nstopped: {read} read, {shown} shown; the list is not complete");
            context.printer.print_line(&line);
            return Err(Interrupted.into());
        }
        Self::finish(shown, read, has_more, context);
        Ok(())
    }

    /// Reads the entries that are shown, for a list that is watched.
    pub(crate) async fn see(
        &self,
        entries: impl Stream<Item = Result<T, Error>>,
        context: &Context,
    ) -> anyhow::Result<Seen> {
        if self.as_csv {
            let message = "--watch prints a table, or JSON with --json; leave out --csv";
            return Err(Usage(message.to_owned()).into());
        }
        let mut entries = std::pin::pin!(entries);
        let most = self.most();
        let mut rows = Vec::new();
        let mut is_whole = true;
        while let Some(row) = entries.try_next().await? {
            if !self.filters.accepts(&row) {
                continue;
            }
            rows.push(row);
            if rows.len() > most && self.order.is_none() {
                is_whole = false;
                break;
            }
            if rows.len() >= most.saturating_mul(2) {
                is_whole = false;
                self.cut(&mut rows, most);
            }
        }
        is_whole &= rows.len() <= most;
        self.cut(&mut rows, most);
        let name = |row: &T| (T::COLUMNS[0].get)(row).to_raw();
        let object = |row: &T| Ok((name(row), serde_json::to_value(row)?));
        let format = Format::Table(context.printer.style);
        Ok(Seen {
            objects: rows.iter().map(object).collect::<anyhow::Result<_>>()?,
            text: Lines::new(&self.columns, format, clock::moment()).render(&rows)?,
            is_whole,
        })
    }

    /// The largest number of rows.
    fn most(&self) -> usize {
        if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        }
    }

    /// Sorts rows, if the list is sorted, and keeps the first ones.
    fn cut(&self, rows: &mut Vec<T>, limit: usize) {
        if let Some(order) = &self.order {
            rows.sort_by(|a, b| order.compare(a, b));
        }
        rows.truncate(limit);
    }

    fn finish(shown: usize, read: usize, has_more: bool, context: &Context) {
        if has_more {
            let shown = format::count(shown, T::NOUN);
            let note = format!("{shown} shown; there are more, --limit 0 shows all");
            context.printer.print_line(&note);
        } else if shown == 0 && read == 0 {
            context.printer.print_line(&format!("no {}s", T::NOUN));
        } else if shown == 0 {
            let read = format::count(read, T::NOUN);
            context
                .printer
                .print_line(&format!("no match among {read}"));
        }
    }
}
