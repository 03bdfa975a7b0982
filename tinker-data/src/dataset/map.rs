//! One pass over the rows of data files.

use super::entry::Entry;
use super::error::DatasetError;
use super::index::Index;
use super::parallel;
use super::row::Row;

impl Index {
    /// Applies a function to all rows, on all cores, and hands the results over in the order of the rows. Memory: the results of
    /// at most 4,096 rows. `progress` receives the number of rows that are done, from any thread.
    ///
    /// ```
    /// use tinker_data::{DatasetError, Index, ReadOptions};
    ///
    /// let mut index = Index::new(ReadOptions::new());
    /// index.add_source("-", &b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n"[..])?;
    /// let mut lines = Vec::new();
    /// index.map(
    ///     |row| row.line,
    ///     |line| {
    ///         lines.push(line);
    ///         Ok::<_, DatasetError>(())
    ///     },
    ///     &|_| (),
    /// )?;
    /// assert_eq!(lines, [1, 2]);
    /// # Ok::<(), DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// A file that cannot be read any more, or the first error of `take`, which ends the pass.
    pub fn map<T: Send, E: From<DatasetError>>(
        &self,
        apply: impl Fn(&Row) -> T + Sync,
        mut take: impl FnMut(T) -> Result<(), E>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(), E> {
        let mut start = 0;
        while start < self.len() {
            let batch = self.batch(start)?;
            let apply = |entry: &Entry| self.row_of(entry).map(|row| apply(&row));
            for result in parallel::map(&batch, apply, &|done| progress(start + done)) {
                take(result?)?;
            }
            start += batch.len();
        }
        Ok(())
    }
}
