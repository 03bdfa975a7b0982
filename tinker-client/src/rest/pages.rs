//! `Pages`: a list as a stream, fetched page by page.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use tinker_types::InvalidValue;

use crate::error::Error;
use crate::rest::list_options::ListOptions;

/// The entries of a list, in the server's order. A page is fetched when its first entry is polled, so reading the start
/// of a long list costs no more than the pages that were read.
///
/// A [`Stream`]; [`try_next`](Self::try_next) and [`all`](Self::all) work without stream combinators. The list ends
/// after the first error. Dropping it stops fetching.
///
/// ```no_run
/// # async fn list(service: tinker_client::ServiceClient) -> Result<(), tinker_client::Error> {
/// let mut runs = service.runs().list(Default::default());
/// while let Some(run) = runs.try_next().await? {
///     println!("{} of {}", run.training_run_id, run.base_model);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is fetched before an entry is polled"]
pub struct Pages<T>(BoxStream<'static, Result<T, Error>>);

impl<T: Send + 'static> Pages<T> {
    /// A list whose pages `fetch` returns one after the other. Each page comes with the state for the next one; the
    /// state after the last page is `None`.
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

    /// The results of a search. `fetch` returns a page and the cursor of the next one, `cursor` is its place in the query.
    ///
    /// The search ends at a cursor that was sent already: a server that ignores cursors would repeat its first page forever.
    pub(crate) fn search<Q, C, F>(
        first: Q,
        cursor: fn(&mut Q) -> &mut Option<C>,
        fetch: impl Fn(Q) -> F + Send + 'static,
    ) -> Self
    where
        Q: Clone + Send + 'static,
        C: PartialEq + Send + 'static,
        F: Future<Output = Result<(Vec<T>, Option<C>), Error>> + Send + 'static,
    {
        Self::new(first, move |mut query| {
            let page = fetch(query.clone());
            async move {
                let (entries, next) = page.await?;
                let place = cursor(&mut query);
                if next.is_none() || next == *place {
                    return Ok((entries, None));
                }
                *place = next;
                Ok((entries, Some(query)))
            }
        })
    }

    /// A list by offset. `fetch` returns the entries after the offset of its options, and the total count if the
    /// server reports it.
    ///
    /// Without a count the list ends at an empty page, because servers may return shorter pages than requested. A page
    /// that starts like the one before ends it too: a server that ignores offsets would repeat its first page forever.
    pub(crate) fn list<C, F>(
        client: &C,
        options: ListOptions,
        fetch: impl Fn(C, ListOptions) -> F + Send + 'static,
    ) -> Self
    where
        C: Clone + Send + 'static,
        T: PartialEq + Clone,
        F: Future<Output = Result<(Vec<T>, Option<u64>), Error>> + Send + 'static,
    {
        let client = client.clone();
        Self::new((options, None::<T>), move |(options, before)| {
            let page = fetch(client.clone(), options.clone());
            async move {
                if options.page_size == 0 {
                    return Err(InvalidValue::new("page_size", "is 0; give at least 1").into());
                }
                let (entries, total) = page.await?;
                let first = entries.first().cloned();
                if first.is_none() || first == before {
                    return Ok((Vec::new(), None));
                }
                let end = options.offset + entries.len() as u64;
                let is_last = total.is_some_and(|total| end >= total);
                let next = (options.with_offset(end), first);
                Ok((entries, (!is_last).then_some(next)))
            }
        })
    }
}

impl<T> Pages<T> {
    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// The page of the entry could not be fetched.
    pub async fn try_next(&mut self) -> Result<Option<T>, Error> {
        self.0.try_next().await
    }

    /// All remaining entries.
    ///
    /// # Errors
    /// A page could not be fetched; the entries of earlier pages are discarded.
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

    /// A list of `count` numbers from a server that returns pages of at most `cut` entries.
    fn list(count: u64, cut: u64, counts: bool) -> (Pages<u64>, Arc<AtomicU64>) {
        let fetched = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&fetched);
        let pages = Pages::list(&(), ListOptions::default(), move |(), options| {
            let offset = options.offset;
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
        let list = ListOptions::default();
        let pages = Pages::list(&(), list, |(), _| async { Ok((vec![1, 2], None)) });
        assert_eq!(pages.all().await.unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn a_page_has_at_least_one_entry() {
        let options = ListOptions::default().with_page_size(0);
        let pages = Pages::list(&(), options, |(), _| async { Ok((vec![1], Some(1))) });
        assert!(pages.all().await.unwrap_err().is_user_error());
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let mut pages: Pages<u64> =
            Pages::list(&(), ListOptions::default(), |(), options| async move {
                if options.offset > 0 {
                    return Err(crate::error::Closed::by_caller().into());
                }
                Ok((vec![1], None))
            });
        assert_eq!(pages.try_next().await.unwrap(), Some(1));
        assert!(pages.try_next().await.is_err());
        assert_eq!(pages.try_next().await.unwrap(), None);
    }
}
