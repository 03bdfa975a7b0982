//! Removal of `null` from JSON bodies.

/// The text without the object members whose value is `null`: a field that is null is a field that is absent. Elements
/// of arrays stay, and so do the values in `user_metadata`, whose keys are the caller's. The
/// body must be valid JSON.
pub(super) fn without_nulls(body: &[u8]) -> Vec<u8> {
    let mut scan = Scan {
        out: Vec::with_capacity(body.len()),
        open: Vec::new(),
        kept_from: None,
    };
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        let length = match byte {
            b'"' => string_length(rest),
            b'n' if rest.starts_with(b"null") => 4,
            _ => 1,
        };
        let (piece, after) = if length == 1 {
            (&rest[..1], after)
        } else {
            rest.split_at(length)
        };
        scan.take(piece);
        rest = after;
    }
    scan.out
}

/// Length of the string at the beginning of `text`, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().skip(1).position(|&byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// An object or array that has not been closed.
struct Open {
    is_object: bool,
    /// Where its current member begins in the output, with the comma before it.
    member: usize,
    /// The key of the current member is complete.
    has_key: bool,
}

struct Scan {
    out: Vec<u8>,
    open: Vec<Open>,
    /// Depth of an object whose nulls are kept.
    kept_from: Option<usize>,
}

impl Scan {
    fn take(&mut self, piece: &[u8]) {
        match piece[0] {
            b'{' | b'[' => self.enter(piece[0] == b'{'),
            b'}' | b']' => self.leave(piece[0]),
            b',' => self.next(),
            b':' => {
                if let Some(open) = self.open.last_mut() {
                    open.has_key = true;
                }
                self.out.push(b':');
            }
            b'n' if piece.len() == 4 => self.null(),
            _ => self.out.extend_from_slice(piece),
        }
    }

    fn enter(&mut self, is_object: bool) {
        if is_object && self.kept_from.is_none() && self.is_metadata() {
            self.kept_from = Some(self.open.len());
        }
        self.out.push(if is_object { b'{' } else { b'[' });
        self.open.push(Open {
            is_object,
            member: self.out.len(),
            has_key: false,
        });
    }

    /// Whether the current member is the caller's metadata.
    fn is_metadata(&self) -> bool {
        let text = self
            .open
            .last()
            .map(|open| self.out[open.member..].trim_ascii_end());
        let key = text.and_then(|text| text.strip_suffix(b":"));
        key.is_some_and(|key| key.trim_ascii_end().ends_with(b"\"user_metadata\""))
    }

    fn leave(&mut self, end: u8) {
        self.open.pop();
        if self.kept_from == Some(self.open.len()) {
            self.kept_from = None;
        }
        self.out.push(end);
    }

    fn next(&mut self) {
        let is_first = self.begins();
        let at = self.out.len();
        if let Some(open) = self.open.last_mut() {
            open.member = at;
            open.has_key = false;
        }
        // The members before were removed.
        if !is_first {
            self.out.push(b',');
        }
    }

    /// Whether the output of the open object has no member.
    fn begins(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_object)
            && self.out.trim_ascii_end().ends_with(b"{")
    }

    fn null(&mut self) {
        let keeps = self.kept_from.is_some();
        match self.open.last_mut() {
            Some(open) if open.is_object && open.has_key && !keeps => {
                self.out.truncate(open.member);
                open.has_key = false;
            }
            _ => self.out.extend_from_slice(b"null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_members_are_removed_wherever_they_are() {
        for (body, rest) in [
            (r#"{"a":null}"#, "{}"),
            (r#"{ "a" : null , "b":1}"#, r#"{ "b":1}"#),
            (r#"{"b":1,"a":null,"c":{"d":null}}"#, r#"{"b":1,"c":{}}"#),
            (
                r#"{"a":null,"b":null,"c":[1,null,{"x":null,"y":2}]}"#,
                r#"{"c":[1,null,{"y":2}]}"#,
            ),
            (
                r#"{"a":"null","b":"\":null,","null":null}"#,
                r#"{"a":"null","b":"\":null,"}"#,
            ),
            (r#"{"user_metadata":null,"z":null}"#, "{}"),
            (
                r#"{"user_metadata" : {"a":null,"b":{"c":null}},"z":null}"#,
                r#"{"user_metadata" : {"a":null,"b":{"c":null}}}"#,
            ),
            ("null", "null"),
            ("[null]", "[null]"),
        ] {
            let kept = String::from_utf8(without_nulls(body.as_bytes())).unwrap();
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parse(&kept), parse(rest), "{body} -> {kept}");
        }
    }
}
