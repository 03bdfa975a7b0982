//! Tables of headers that are used again.

use std::cell::RefCell;
use std::ops::Deref;

use http::HeaderMap;

/// Room for the headers of a request with those that transport and hyper add: a poll has thirteen.
const ROOM: usize = 13;
/// Unused tables that a thread keeps, of three kilobytes each.
const MOST: usize = 16;

thread_local! {
    static UNUSED: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty table with room for the headers of a request, so that it is not reallocated.
pub(super) fn empty() -> HeaderMap {
    let unused = UNUSED.with_borrow_mut(Vec::pop);
    unused.unwrap_or_else(|| HeaderMap::with_capacity(ROOM))
}

/// The headers of an answer. Its table serves for a request afterwards: over HTTP/1.1 it is that of the request, which hyper
/// uses again for the answer.
#[derive(Debug)]
pub(crate) struct Table(HeaderMap);

impl From<HeaderMap> for Table {
    fn from(headers: HeaderMap) -> Self {
        Self(headers)
    }
}

impl Deref for Table {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        &self.0
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.0.capacity() < ROOM {
            return;
        }
        let mut headers = std::mem::take(&mut self.0);
        headers.clear();
        // At the end of a thread there is no place left for it.
        let _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < MOST {
                unused.push(headers);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::{ACCEPT, HOST};

    #[test]
    fn a_table_is_used_again_and_keeps_nothing() {
        let mut headers = HeaderMap::with_capacity(40);
        headers.insert(ACCEPT, HeaderValue::from_static("secret"));
        headers.append(ACCEPT, HeaderValue::from_static("secret"));
        let room = headers.capacity();
        drop(Table::from(headers));
        drop(Table::from(HeaderMap::new()));
        let mut again = empty();
        assert_eq!((again.capacity(), again.len()), (room, 0));
        assert!(again.get(ACCEPT).is_none());
        again.insert(HOST, HeaderValue::from_static("h"));
        assert_eq!(again.len(), 1);
        assert!(
            empty().capacity() >= ROOM,
            "a new one, as small ones are not kept"
        );
    }

    #[test]
    fn few_are_kept() {
        let tables: Vec<Table> = (0..2 * MOST).map(|_| Table::from(empty())).collect();
        drop(tables);
        assert_eq!(UNUSED.with_borrow(Vec::len), MOST);
    }
}
