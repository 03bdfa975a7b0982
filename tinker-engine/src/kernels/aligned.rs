//! Memory aligned to a cache line.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest register.
const LINE: usize = 64;

/// Numbers, initially zero, aligned to a cache line, so that a register never spans two lines. For numbers that are read
/// once, such as keys and values, that saves a fifth of the time.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros. The system provides memory as it is written.
    pub(crate) fn zeros(len: usize) -> Self {
        let data = vec![0.0_f32; len + LINE / size_of::<f32>()];
        // The address of a vector's memory does not change while it neither grows nor is cloned.
        let start = data.as_ptr().align_offset(LINE);
        Self { data, start, len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_line_and_so_do_copies() {
        let mut some = Vec::new();
        for len in [0, 1, 16, 100, 5000] {
            let mut numbers = Aligned::zeros(len);
            assert_eq!(numbers.len(), len);
            numbers.fill(1.5);
            let copy = numbers.clone();
            assert_eq!(*copy, *numbers);
            some.extend([numbers, copy]);
        }
        for numbers in some {
            assert_eq!(numbers.as_ptr().addr() % LINE, 0);
        }
    }
}
