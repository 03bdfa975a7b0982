//! Metrics as TensorBoard events: a file of records that only grows.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::SystemTime;

use crate::error::TrainError;
use crate::row::StepRow;

/// Name of the file. Readers look for the second part.
pub const EVENTS: &str = "events.out.tfevents.0.tinker";

/// An open event file.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: File,
    name: String,
}

impl EventFile {
    /// Opens or creates the file in a run folder. The part of a record of a process that was killed is cut. Events of steps
    /// behind `done` no longer count: readers drop them at the mark that is written.
    pub(crate) fn open(folder: &Path, done: usize) -> Result<Self, TrainError> {
        let path = folder.join(EVENTS);
        let name = path.display().to_string();
        let failed = |error| TrainError::file(format!("cannot open {name}"), error);
        let mut options = File::options();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = whole_records(&bytes);
        file.set_len(whole as u64).map_err(failed)?;
        let mut events = Self { file, name };
        if whole == 0 {
            events.add(&version(now()))?;
        } else {
            events.add(&restart(now(), done + 1))?;
        }
        Ok(events)
    }

    /// Appends the measurements of a step.
    pub(crate) fn add_row(&mut self, row: &StepRow) -> Result<(), TrainError> {
        self.add(&scalars(row, now()))
    }

    fn add(&mut self, event: &[u8]) -> Result<(), TrainError> {
        let failed = |error| TrainError::file(format!("cannot write {}", self.name), error);
        self.file.write_all(&record(event)).map_err(failed)
    }
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "readers show the wall-clock time of an event"
)]
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The first event of a file.
fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.bytes(3, b"brain.Event:2");
    event.0
}

/// The start of a process that goes on with a step: readers drop earlier events of this and later steps.
fn restart(wall_time: f64, step: usize) -> Vec<u8> {
    let mut log = Message::default();
    // SessionLog.START
    log.number(1, 1);
    let mut event = Message::default();
    event.double(1, wall_time);
    event.number(2, step as u64);
    event.bytes(7, &log.0);
    event.0
}

fn scalars(row: &StepRow, wall_time: f64) -> Vec<u8> {
    let mut values = vec![
        ("tokens", Some(row.tokens as f64)),
        ("learned_tokens", Some(row.learned_tokens as f64)),
        ("loss", row.loss),
        ("learning_rate", Some(row.learning_rate)),
        ("grad_norm", row.grad_norm),
        ("seconds", Some(row.seconds)),
    ];
    values.extend(
        row.metrics
            .iter()
            .map(|(name, value)| (name.as_str(), Some(*value))),
    );
    let mut summary = Message::default();
    for (name, value) in values {
        let Some(value) = value else { continue };
        let mut scalar = Message::default();
        scalar.bytes(1, name.as_bytes());
        scalar.float(2, value as f32);
        summary.bytes(1, &scalar.0);
    }
    let mut event = Message::default();
    event.double(1, wall_time);
    event.number(2, row.number as u64);
    event.bytes(5, &summary.0);
    event.0
}

/// A message in the wire format of protocol buffers. The fields are those of `tensorflow.Event` and its parts.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u8, kind: u8) {
        self.0.push((field << 3) | kind);
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u8, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u8, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }
}

/// A record: its length, the checksum of the length, the data and their checksum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked(&length).to_le_bytes(),
        data,
        &masked(data).to_le_bytes(),
    ];
    parts.concat()
}

/// Number of bytes of the whole records at the start of a file.
fn whole_records(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(length) = bytes[whole..].first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let end = length
            .checked_add(whole + 16)
            .filter(|end| *end <= bytes.len());
        let Some(end) = end else { break };
        let data = &bytes[whole + 12..end - 4];
        if record(data) != bytes[whole..end] {
            break;
        }
        whole = end;
    }
    whole
}

/// The checksum of records: CRC-32C, rotated and shifted, so that checksums of checksums differ.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize) -> StepRow {
        let mut row = StepRow::new(number);
        (row.tokens, row.learned_tokens, row.loss) = (300, 100, Some(1.5));
        row.metrics.insert("exact_match".to_owned(), 0.25);
        row
    }

    #[test]
    fn the_checksum_is_that_of_its_definition() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    /// The bytes that the event writer of PyPI `tensorboard` writes for the same events.
    #[test]
    fn records_are_those_of_tensorboard() {
        let golden = include_bytes!("../../tests/fixtures/events.out.tfevents.golden");
        let events = [version(1.5), restart(2.5, 3), scalars(&row(300), 3.5)];
        let records: Vec<u8> = events.iter().flat_map(|event| record(event)).collect();
        assert_eq!(records, golden);
    }

    #[test]
    fn a_part_of_a_record_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::open(folder.path(), 0).unwrap();
        events.add_row(&row(1)).unwrap();
        drop(events);
        let path = folder.path().join(EVENTS);
        let whole = std::fs::read(&path).unwrap();
        let first = record(&version(1.0)).len();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            drop(EventFile::open(folder.path(), 1).unwrap());
            let bytes = std::fs::read(&path).unwrap();
            let kept = if cut < first {
                0
            } else if cut < whole.len() {
                first
            } else {
                cut
            };
            assert_eq!(bytes[..kept], whole[..kept], "cut at {cut}");
            assert_eq!(whole_records(&bytes), bytes.len(), "cut at {cut}");
        }
    }
}
