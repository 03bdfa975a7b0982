//! Lines of a text.

use std::io::{self, BufRead};

use super::position::{LONGEST, Position};

/// Lines that end in `\n`, `\r\n` or `\r`.
#[derive(Debug)]
pub(super) struct Lines<R> {
    text: R,
    next: Position,
    /// The line before ended in `\r`, so that a `\n` belongs to its end.
    after_return: bool,
}

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It is in the buffer.
    Whole(Position),
    /// It is longer than [`LONGEST`]; the rest of it was skipped.
    TooLong(Position),
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(text: R) -> Self {
        Self {
            text,
            next: Position::START,
            after_return: false,
        }
    }

    /// Reads the next line into `buffer`, without its end. `None` at the end of the text.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Line>> {
        buffer.clear();
        let mut position = self.next;
        let mut length = 0_u64;
        loop {
            let mut bytes = self.text.fill_buf()?;
            if self.after_return && !bytes.is_empty() {
                self.after_return = false;
                if bytes[0] == b'\n' {
                    self.text.consume(1);
                    self.next.offset += 1;
                    position.offset += 1;
                    bytes = self.text.fill_buf()?;
                }
            }
            if bytes.is_empty() {
                let ended = length == 0;
                self.next.offset += length;
                self.next.line += 1;
                return Ok((!ended).then(|| line(position, length)));
            }
            let end = memchr::memchr2(b'\n', b'\r', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = LONGEST.saturating_sub(buffer.len());
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len() as u64;
            let consumed = part.len() + usize::from(end.is_some());
            if let Some(end) = end {
                self.after_return = bytes[end] == b'\r';
                self.text.consume(consumed);
                self.next.offset += length + 1;
                self.next.line += 1;
                return Ok(Some(line(position, length)));
            }
            self.text.consume(consumed);
        }
    }
}

fn line(position: Position, length: u64) -> Line {
    if length > LONGEST as u64 {
        Line::TooLong(position)
    } else {
        Line::Whole(position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, capacity: usize) -> Vec<(usize, u64, String)> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, text.as_bytes()));
        let mut buffer = Vec::new();
        let mut all = Vec::new();
        while let Some(Line::Whole(at)) = lines.read(&mut buffer).unwrap() {
            all.push((
                at.line,
                at.offset,
                String::from_utf8(buffer.clone()).unwrap(),
            ));
        }
        all
    }

    #[test]
    fn all_line_ends_are_known() {
        let text = "a\r\nbc\rd\n\n\r\nefg";
        let expected = [
            (1, 0, "a"),
            (2, 3, "bc"),
            (3, 6, "d"),
            (4, 8, ""),
            (5, 9, ""),
            (6, 11, "efg"),
        ];
        let expected = expected.map(|(line, at, text)| (line, at, text.to_owned()));
        for capacity in 1..20 {
            assert_eq!(read(text, capacity), expected, "in parts of {capacity}");
        }
    }

    #[test]
    fn a_long_line_is_skipped() {
        let mut text = vec![b'x'; LONGEST + 1];
        text.extend(b"\nb");
        let mut lines = Lines::new(&text[..]);
        let mut buffer = Vec::new();
        assert!(matches!(
            lines.read(&mut buffer).unwrap(),
            Some(Line::TooLong(_))
        ));
        assert_eq!(buffer.len(), LONGEST);
        assert!(matches!(lines.read(&mut buffer).unwrap(), Some(Line::Whole(at)) if at.line == 2));
        assert_eq!(buffer, b"b");
        assert_eq!(lines.read(&mut buffer).unwrap(), None);
    }
}
