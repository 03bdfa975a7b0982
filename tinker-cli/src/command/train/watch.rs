//! Watch for a server that was replaced by another process during a run.

use super::record::Record;
use super::recovery::Restarted;
use crate::connect::Connection;
use crate::printer::Printer;

/// Refused connections since the run began or was continued.
///
/// Some servers restore the runs of their last checkpoints when they start, and accept later steps without an error:
/// the steps in between would be missing.
pub(super) struct Watch<'a> {
    connection: &'a Connection,
    printer: Printer,
    seen: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(connection: &'a Connection, printer: Printer) -> Self {
        Self {
            connection,
            printer,
            seen: connection.refusals(),
        }
    }

    /// An error if connections were refused and there is a checkpoint to go back to; without one, a note.
    pub(super) fn check(&mut self, record: &Record) -> Result<(), Restarted> {
        let refusals = self.connection.refusals();
        if refusals == self.seen {
            return Ok(());
        }
        self.seen = refusals;
        if record.saved.is_some() {
            return Err(Restarted);
        }
        let note = "the server refused connections in between; if it has restarted, steps may be missing, as no checkpoint \
                    was saved to go back to (--save-every N saves some)";
        self.printer.print_note(note);
        Ok(())
    }
}
