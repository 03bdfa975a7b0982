//! `Pages`: a list of any length, fetched a page at a time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::error::Error;

/// The entries of a list, in the server's order. A page is fetched when its first entry is wanted,
/// so that a list of any length can be begun, and left, at the cost of what was looked at.
///
/// A [`Stream`], and usable without one: [`try_next`](Self::try_next) in a loop,
/// [`all`](Self::all) for the whole. It ends after the first error. Dropping it stops fetching.
///
/// ```no_run
/// # async fn list(rest: tinker_client::RestClient) -> Result<(), tinker_client::Error> {
/// let mut runs = rest.training_runs();
/// while let Some(run) = runs.try_next().await? {
///     println!("{} over {}", run.training_run_id, run.base_model);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is fetched before an entry is asked for"]
pub struct Pages<T>(BoxStream<'static, Result<T, Error>>);

impl<T: Send + 'static> Pages<T> {
    /// Pages that `fetch` gets one after the other, each told by the one before where it begins.
    /// The state after the last page is `None`.
    pub(crate) fn new<S, F>(first: S, fetch: impl Fn(S) -> F + Send + 'static) -> Self
    where
        S: Send + 'static,
        F: Future<Output = Result<(Vec<T>, Option<S>), Error>> + Send + 'static,
    {
        let pages = stream::try_unfold(Some(first), move |state| {
            let page = state.map(&fetch);
            async move {
                match page {
                    Some(page) => page.await.map(Some),
                    None => Ok(None),
                }
            }
        });
        let entries = pages.map_ok(|page| stream::iter(page.into_iter().map(Ok)));
        Self(entries.try_flatten().boxed())
    }

    /// Pages of a list that is counted from 0. `fetch` gets the entries after an offset, and how
    /// many there are in all where the server says so.
    ///
    /// Without a count the list ends at an empty page, because servers cut pages shorter than asked
    /// for as they like; a page that begins like the one before ends it too, as a server that
    /// knows no offsets would repeat itself for ever.
    pub(crate) fn by_offset<F>(fetch: impl Fn(u64) -> F + Send + 'static) -> Self
    where
        T: PartialEq + Clone,
        F: Future<Output = Result<(Vec<T>, Option<u64>), Error>> + Send + 'static,
    {
        Self::new((0, None::<T>), move |(offset, before)| {
            let page = fetch(offset);
            async move {
                let (entries, total) = page.await?;
                let first = entries.first().cloned();
                if first.is_none() || first == before {
                    return Ok((Vec::new(), None));
                }
                let end = offset + entries.len() as u64;
                let is_last = total.is_some_and(|total| end >= total);
                Ok((entries, (!is_last).then_some((end, first))))
            }
        })
    }
}

impl<T> Pages<T> {
    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// Its page could not be fetched.
    pub async fn try_next(&mut self) -> Result<Option<T>, Error> {
        self.0.try_next().await
    }

    /// All entries that are left.
    ///
    /// # Errors
    /// A page could not be fetched; entries of earlier pages are lost.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        self.0.try_collect().await
    }
}

impl<T> Stream for Pages<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A server that cuts pages of a list of `count` numbers to `cut`.
    fn list(count: u64, cut: u64, counts: bool) -> (Pages<u64>, Arc<AtomicU64>) {
        let fetched = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&fetched);
        let pages = Pages::by_offset(move |offset| {
            seen.fetch_add(1, Ordering::Relaxed);
            let page = (offset..count.min(offset + cut)).collect();
            async move { Ok((page, counts.then_some(count))) }
        });
        (pages, fetched)
    }

    #[tokio::test]
    async fn every_entry_comes_once_however_pages_are_cut() {
        for (count, cut, counts, requests) in [
            (7, 3, true, 3),
            (7, 3, false, 4),
            (6, 3, true, 2),
            (0, 3, true, 1),
            (0, 3, false, 1),
        ] {
            let (pages, fetched) = list(count, cut, counts);
            let expected: Vec<u64> = (0..count).collect();
            assert_eq!(pages.all().await.unwrap(), expected);
            assert_eq!(
                fetched.load(Ordering::Relaxed),
                requests,
                "{count} {counts}"
            );
        }
    }

    #[tokio::test]
    async fn a_page_is_fetched_when_it_is_wanted() {
        let (mut pages, fetched) = list(100, 2, true);
        for expected in 0..3 {
            assert_eq!(pages.try_next().await.unwrap(), Some(expected));
        }
        assert_eq!(fetched.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_server_without_offsets_is_not_asked_for_ever() {
        let pages = Pages::by_offset(|_| async { Ok((vec![1, 2], None)) });
        assert_eq!(pages.all().await.unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let mut pages: Pages<u64> = Pages::by_offset(|offset| async move {
            if offset > 0 {
                return Err(crate::error::Closed::by_server().into());
            }
            Ok((vec![1], None))
        });
        assert_eq!(pages.try_next().await.unwrap(), Some(1));
        assert!(pages.try_next().await.is_err());
        assert_eq!(pages.try_next().await.unwrap(), None);
    }
}
