//! Elements of one JSON array, as text.

use std::io::{self, BufRead};

use super::position::{LONGEST, Position};

/// The elements of an array, one at a time.
#[derive(Debug)]
pub(super) struct Array<R> {
    text: R,
    at: Position,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before `[`.
    Start,
    /// After `[`, where an element or `]` may come.
    First,
    /// After `,`.
    Element,
    /// After an element.
    Separator,
    /// After `]`.
    End,
}

/// Result of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// An element that is in the buffer.
    Whole(Position),
    /// An element longer than [`LONGEST`], which was skipped.
    TooLong(Position),
    /// Text that is not an array, with the place and what was expected there. Nothing can be read after it.
    Broken(Position, &'static str),
    /// The end.
    End,
}

impl<R: BufRead> Array<R> {
    pub(super) fn new(text: R) -> Self {
        Self {
            text,
            at: Position::START,
            state: State::Start,
        }
    }

    /// Reads the next element into `buffer`.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Element> {
        buffer.clear();
        loop {
            let Some(byte) = self.skip_blanks()? else {
                let expected = match self.state {
                    State::End => return Ok(Element::End),
                    State::Start => "a list",
                    State::First | State::Element => "a row or ]",
                    State::Separator => ", or ]",
                };
                return Ok(Element::Broken(self.at, expected));
            };
            match (self.state, byte) {
                (State::Start, b'[') => self.advance(State::First)?,
                (State::First | State::Separator, b']') => self.advance(State::End)?,
                (State::Separator, b',') => self.advance(State::Element)?,
                (State::First | State::Element, byte) if !matches!(byte, b']' | b',' | b'}') => {
                    return self.element(buffer);
                }
                (State::Start, _) => return Ok(Element::Broken(self.at, "a list")),
                (State::First | State::Element, _) => {
                    return Ok(Element::Broken(self.at, "a row"));
                }
                (State::Separator, _) => return Ok(Element::Broken(self.at, ", or ]")),
                (State::End, _) => return Ok(Element::Broken(self.at, "nothing after the list")),
            }
        }
    }

    /// Reads an element: up to the bracket that closes it, or, for other values, up to a separator.
    fn element(&mut self, buffer: &mut Vec<u8>) -> io::Result<Element> {
        let start = self.at;
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        loop {
            let bytes = self.text.fill_buf()?;
            if bytes.is_empty() {
                return Ok(Element::Broken(self.at, "the end of a row"));
            }
            let mut taken = bytes.len();
            let mut ended = false;
            for (index, byte) in bytes.iter().enumerate() {
                if in_text {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => in_text = false,
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth > 0 => {
                        depth -= 1;
                        if depth == 0 {
                            (taken, ended) = (index + 1, true);
                            break;
                        }
                    }
                    b',' | b']' | b'}' if depth == 0 => {
                        (taken, ended) = (index, true);
                        break;
                    }
                    _ => {}
                }
            }
            let part = &bytes[..taken];
            // One byte more than allowed tells that the element is too long.
            let room = (LONGEST + 1).saturating_sub(buffer.len());
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            self.at = moved(self.at, part);
            self.text.consume(taken);
            if ended {
                self.state = State::Separator;
                return Ok(if buffer.len() > LONGEST {
                    Element::TooLong(start)
                } else {
                    Element::Whole(start)
                });
            }
        }
    }

    /// The next byte that is not blank.
    fn skip_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.text.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let blanks = bytes.iter().take_while(|byte| is_blank(byte)).count();
            let next = bytes.get(blanks).copied();
            self.at = moved(self.at, &bytes[..blanks]);
            self.text.consume(blanks);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Consumes one byte.
    fn advance(&mut self, state: State) -> io::Result<()> {
        self.text.fill_buf()?;
        self.text.consume(1);
        self.at.column += 1;
        self.at.offset += 1;
        self.state = state;
        Ok(())
    }
}

/// The position after some bytes.
fn moved(mut at: Position, bytes: &[u8]) -> Position {
    let breaks = memchr::memchr_iter(b'\n', bytes);
    let line = match breaks.clone().next_back() {
        Some(last) => {
            at.line += breaks.count();
            at.column = 1;
            &bytes[last + 1..]
        }
        None => bytes,
    };
    at.column += line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    at.offset += bytes.len() as u64;
    at
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, capacity: usize) -> (Vec<(usize, usize, String)>, Element) {
        let mut array = Array::new(BufReader::with_capacity(capacity, text.as_bytes()));
        let mut buffer = Vec::new();
        let mut all = Vec::new();
        loop {
            match array.read(&mut buffer).unwrap() {
                Element::Whole(at) => {
                    assert_eq!(text.as_bytes()[at.offset as usize], buffer[0]);
                    let element = String::from_utf8(buffer.clone()).unwrap();
                    all.push((at.line, at.column, element));
                }
                other => return (all, other),
            }
        }
    }

    #[test]
    fn elements_have_their_places() {
        let text = "\n[\n {\"a\": \"]}\\\"\"},\r\n\t[1, [2]] , \"é,\", 7 ]\n";
        let expected = [
            (3, 2, r#"{"a": "]}\""}"#),
            (4, 2, "[1, [2]]"),
            (4, 13, r#""é,""#),
            (4, 19, "7 "),
        ];
        let expected = expected.map(|(line, column, text)| (line, column, text.to_owned()));
        for capacity in 1..40 {
            let (elements, end) = read(text, capacity);
            assert_eq!(elements, expected, "in parts of {capacity}");
            assert_eq!(end, Element::End);
        }
    }

    #[test]
    fn a_broken_array_is_one_fault() {
        for (text, line, column, expected) in [
            ("[{} {}]", 1, 5, ", or ]"),
            ("[{},", 1, 5, "a row or ]"),
            ("[{},\n{\"a\":", 2, 6, "the end of a row"),
            ("[,]", 1, 2, "a row"),
            ("[{}] x", 1, 6, "nothing after the list"),
            ("[{}", 1, 4, ", or ]"),
        ] {
            let (_, end) = read(text, 8);
            let Element::Broken(at, what) = end else {
                panic!("{text}: {end:?}");
            };
            assert_eq!(
                (at.line, at.column, what),
                (line, column, expected),
                "{text}"
            );
        }
    }
}
