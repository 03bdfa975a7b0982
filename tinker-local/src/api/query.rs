//! Query parameters.

use percent_encoding::percent_decode_str;
use tinker_types::Cursor;

use crate::refusal::Refusal;

/// Decoded query parameters.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = query.unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// A parameter. An empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name);
        value
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .ok_or_else(|| Refusal::invalid(format!("{name}: is missing")))
    }

    fn number(&self, name: &str, default: usize) -> Result<usize, Refusal> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::invalid(format!("{name}: {text:?} is not a whole number"))),
        }
    }

    /// Checks `access_scope`. Everything belongs to the local user, so that both scopes are the same.
    pub(super) fn check_scope(&self) -> Result<(), Refusal> {
        match self.text("access_scope") {
            None | Some("owned" | "accessible") => Ok(()),
            Some(other) => Err(Refusal::invalid(format!(
                "access_scope: {other:?} is not known; give owned or accessible"
            ))),
        }
    }

    /// The page that `limit` and `offset` ask for.
    pub(super) fn page<T>(&self, all: Vec<T>, limit: usize) -> Result<(Vec<T>, Cursor), Refusal> {
        let (limit, offset) = (self.number("limit", limit)?, self.number("offset", 0)?);
        let cursor = Cursor {
            offset: offset as u64,
            limit: limit as u64,
            total_count: all.len() as u64,
        };
        Ok((all.into_iter().skip(offset).take(limit).collect(), cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some("limit=2&day=&project_id=a%20b+c%2F&x"));
        assert_eq!(query.text("project_id"), Some("a b c/"));
        assert_eq!((query.text("day"), query.text("x")), (None, None));
        let (page, cursor) = query.page(vec![1, 2, 3], 20).unwrap();
        assert_eq!((page.len(), cursor.total_count), (2, 3));
        let bad = Query::parse(Some("limit=-1&access_scope=all"));
        assert!(bad.page(vec![1], 20).unwrap_err().detail.contains("limit"));
        assert!(bad.check_scope().is_err());
        let beyond = Query::parse(Some(
            "offset=18446744073709551615&limit=18446744073709551615",
        ));
        assert!(beyond.page(vec![1], 20).unwrap().0.is_empty());
    }
}
