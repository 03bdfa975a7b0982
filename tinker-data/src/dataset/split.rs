//! Splits into training data and held-out data.

use std::hash::Hasher as _;
use std::io;

use siphasher::sip::SipHasher13;

use super::distinct::Distinct;
use super::entries::Entries;
use super::entry::Entry;
use super::error::DatasetError;
use super::index::Index;

impl Index {
    /// Takes the rows of some prompts out of the index, and returns them as an index of their own: those of `count(n)` out of
    /// `n` different prompts. The rows of one prompt stay together, and the order of the rows remains.
    ///
    /// The choice depends on the prompts and the seed, not on the order of the rows, so that a longer file keeps most of it. A
    /// row without a prompt counts as its own one. Memory does not grow with the number of rows: prompts are
    /// sorted in parts of 1 MiB in a temporary file.
    ///
    /// ```
    /// use tinker_data::{Index, ReadOptions};
    ///
    /// let rows = b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"a\"}\n{\"text\": \"c\"}\n";
    /// let mut train = Index::new(ReadOptions::new());
    /// train.add_source("-", &rows[..])?;
    /// let held_out = train.hold_out(0, |prompts| prompts / 3)?;
    /// assert_eq!(train.len() + held_out.len(), 4);
    /// # Ok::<(), tinker_data::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// A temporary file that cannot be written or read.
    pub fn hold_out(
        &mut self,
        seed: u64,
        count: impl FnOnce(usize) -> usize,
    ) -> Result<Self, DatasetError> {
        self.divided(seed, |_| true, count)
    }

    /// The same as [`Self::hold_out`], for the prompts of questions only: rows without an answer to a prompt, such as texts,
    /// stay in the index, see [`Row::question`](super::Row::question).
    ///
    /// # Errors
    /// See [`Self::hold_out`].
    pub fn hold_out_questions(
        &mut self,
        seed: u64,
        count: impl FnOnce(usize) -> usize,
    ) -> Result<Self, DatasetError> {
        self.divided(seed, |entry| entry.is_question, count)
    }

    fn divided(
        &mut self,
        seed: u64,
        is_meant: impl Fn(&Entry) -> bool,
        count: impl FnOnce(usize) -> usize,
    ) -> Result<Self, DatasetError> {
        let failed = |error: io::Error| self.failed(self.first_path(), &error);
        let mut keys = Distinct::new(self.folder());
        for entry in self.entries() {
            let entry = entry.map_err(failed)?;
            if is_meant(&entry) {
                keys.add(key(entry.prompt, seed)).map_err(failed)?;
            }
        }
        let count = count(keys.count().map_err(failed)?);
        let mut last = None;
        for key in keys.values().map_err(failed)?.take(count) {
            last = Some(key.map_err(failed)?);
        }
        drop(keys);
        let mut train = Entries::new(self.folder());
        let mut held_out = Entries::new(self.folder());
        for entry in self.entries() {
            let entry = entry.map_err(failed)?;
            let is_held_out = is_meant(&entry) && Some(key(entry.prompt, seed)) <= last;
            let part = if is_held_out {
                &mut held_out
            } else {
                &mut train
            };
            part.push(entry.to_bytes()).map_err(failed)?;
        }
        let held_out = self.with_entries(held_out);
        *self = self.with_entries(train);
        Ok(held_out)
    }
}

/// The place of a prompt in the order of the choice.
fn key(prompt: u128, seed: u64) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0);
    hasher.write(&prompt.to_le_bytes());
    u128::from(hasher.finish()) << 64 | prompt >> 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ReadOptions;

    fn index(prompts: impl Iterator<Item = usize>) -> Index {
        let line = |prompt| format!("{{\"prompt\":\"{prompt}\",\"completion\":\"x\"}}\n");
        let text: String = prompts.map(line).collect();
        let mut index = Index::new(ReadOptions::new());
        let source = io::Cursor::new(text);
        index.add_source("x.jsonl", source).unwrap();
        index
    }

    fn prompts(index: &Index) -> Vec<String> {
        let rows = index.rows().map(Result::unwrap);
        let prompts = rows.map(|row| row.question().unwrap().prompt.text().to_owned());
        let mut prompts: Vec<String> = prompts.collect();
        prompts.sort();
        prompts
    }

    #[test]
    fn prompts_stay_together_and_order_does_not_matter() {
        let all = || (0..100).chain(0..100);
        let mut train = index(all());
        let held_out = train.hold_out(7, |prompts| prompts / 10).unwrap();
        assert_eq!((held_out.len(), train.len()), (20, 180));
        let first = prompts(&held_out);
        assert!(first.chunks(2).all(|pair| pair[0] == pair[1]));
        assert!(prompts(&train).iter().all(|prompt| !first.contains(prompt)));
        let lines =
            |index: &Index| -> Vec<usize> { index.rows().map(|row| row.unwrap().line).collect() };
        assert!(lines(&train).is_sorted() && lines(&held_out).is_sorted());

        let mut turned = index(all().rev());
        let second = turned.hold_out(7, |prompts| prompts / 10).unwrap();
        assert_eq!(first, prompts(&second));
        let mut other = index(all());
        let third = other.hold_out(8, |prompts| prompts / 10).unwrap();
        assert_ne!(first, prompts(&third));
    }

    #[test]
    fn all_and_none_can_be_held_out() {
        let mut train = index(0..3);
        assert!(train.hold_out(0, |_| 0).unwrap().is_empty());
        assert_eq!(train.len(), 3);
        assert_eq!(train.hold_out(0, |prompts| prompts).unwrap().len(), 3);
        assert!(train.is_empty() && train.hold_out(0, |_| 9).unwrap().is_empty());
    }

    #[test]
    fn texts_are_no_questions() {
        let text = "{\"text\":\"a\"}\n{\"prompt\":\"b\",\"completion\":\"c\"}\n";
        let read = || {
            let mut index = Index::new(ReadOptions::new());
            index.add_source("x.jsonl", io::Cursor::new(text)).unwrap();
            index
        };
        assert_eq!(read().hold_out(0, |prompts| prompts).unwrap().len(), 2);
        let held_out = read().hold_out_questions(0, |prompts| prompts).unwrap();
        assert_eq!(prompts(&held_out), ["b"]);
    }
}
