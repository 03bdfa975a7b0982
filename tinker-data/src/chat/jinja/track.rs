//! Output of a rendering, and the parts of it that `generation` blocks wrote.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Kwargs, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Output, State, Value};

use super::print;
use super::refusal::refuse;

/// The function that `generation` blocks call. It notes where their text begins.
///
/// The text goes to the end of the output directly after the call, unless the block is inside of a macro or of a `set`
/// block. The formatter sees whether it did.
#[derive(Debug, Default)]
pub(super) struct Track {
    written: AtomicUsize,
    blocks: Mutex<Vec<Block>>,
}

#[derive(Debug)]
struct Block {
    range: Range<usize>,
    is_placed: bool,
}

impl Track {
    /// A writer that appends to the text and refuses more than `most` bytes.
    pub(super) fn writer(self: &Arc<Self>, most: usize) -> Writer {
        Writer {
            track: self.clone(),
            most,
            text: Vec::new(),
        }
    }

    fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Byte ranges of the blocks in order; `None` if one is in a macro or in a `set` block, so that its place is not known.
    pub(super) fn ranges(&self) -> Option<Vec<Range<usize>>> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |block: &Block| block.is_placed.then(|| block.range.clone());
        blocks.iter().map(place).collect()
    }
}

impl Object for Track {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let caller = match args {
            [named] => Kwargs::try_from(named.clone())?.get::<Value>("caller")?,
            _ => return Err(Error::from(ErrorKind::MissingArgument)),
        };
        // Before the body runs, which itself may contain blocks.
        let start = self.written();
        let text = caller.call(state, &[])?;
        let text = text.as_str().unwrap_or_default();
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let index = blocks.len();
        blocks.push(Block {
            range: start..start + text.len(),
            is_placed: text.is_empty(),
        });
        Ok(Value::from_object(Generated {
            track: self.clone(),
            index,
            text: text.to_owned(),
        }))
    }
}

/// The text of a block.
#[derive(Debug)]
struct Generated {
    track: Arc<Track>,
    index: usize,
    text: String,
}

impl Object for Generated {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Writes a value as Python prints it.
pub(super) fn format(
    out: &mut Output<'_>,
    _: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let Some(generated) = value.downcast_object_ref::<Generated>() else {
        if !print::has_text(value) {
            return Err(refuse("this function or generator has no text"));
        }
        return print::write(value, out);
    };
    let start = generated.track.written();
    out.write_str(&generated.text)?;
    let range = start..generated.track.written();
    let blocks = generated.track.blocks.lock();
    let mut blocks = blocks.unwrap_or_else(PoisonError::into_inner);
    if let Some(block) = blocks.get_mut(generated.index) {
        block.is_placed |= block.range == range;
    }
    Ok(())
}

/// The text so far.
#[derive(Debug)]
pub(super) struct Writer {
    track: Arc<Track>,
    most: usize,
    text: Vec<u8>,
}

impl Writer {
    /// The whole text.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.most {
            let message = format!("the text is longer than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.text.extend_from_slice(bytes);
        self.track.written.store(self.text.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
