//! Encoded messages whose large arrays are not copied.

use std::sync::Arc;

use bytemuck::NoUninit;
use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

use super::array::share;

/// Arrays below this size are copied: a piece costs as much.
const LARGE: usize = 4096;
/// Bytes reserved for what is between two arrays.
const BETWEEN: usize = 64;

/// The pieces so far: large arrays as they are, and copies of the bytes between them.
pub(super) struct Pieces {
    done: Vec<Bytes>,
    /// Copied bytes behind the last array.
    rest: BytesMut,
}

impl Pieces {
    /// Room for so many arrays.
    pub(super) fn new(arrays: usize) -> Self {
        Self {
            done: Vec::with_capacity(2 * arrays + 1),
            rest: BytesMut::with_capacity((arrays + 1) * BETWEEN),
        }
    }

    pub(super) fn put_message(&mut self, message: &impl Message) {
        message.encode_raw(self);
    }

    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    pub(super) fn put_array<T: NoUninit + Send + Sync>(&mut self, array: &Arc<[T]>) {
        if size_of_val(&**array) < LARGE {
            self.rest.extend_from_slice(bytemuck::cast_slice(array));
        } else {
            self.end();
            self.done.push(share(array));
        }
    }

    /// The pieces, in order.
    pub(super) fn finish(mut self) -> Vec<Bytes> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        if !self.rest.is_empty() {
            self.done.push(self.rest.split().freeze());
        }
    }
}

// SAFETY: the methods that concern memory are those of `BytesMut`.
#[expect(unsafe_code, reason = "the trait is unsafe; its calls are forwarded")]
unsafe impl BufMut for Pieces {
    fn remaining_mut(&self) -> usize {
        self.rest.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.rest.advance_mut(count) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.rest.chunk_mut()
    }

    /// Receives arrays as `Bytes`, which give themselves away without a copy.
    fn put<T: Buf>(&mut self, mut source: T) {
        let length = source.remaining();
        if length < LARGE {
            return self.rest.put(source);
        }
        self.end();
        self.done.push(source.copy_to_bytes(length));
    }

    fn put_slice(&mut self, source: &[u8]) {
        self.rest.extend_from_slice(source);
    }
}
