//! A client in steady use while its server is killed and started again: what it called, what the servers executed.

mod ledger;
mod traffic;

pub use ledger::{Figures, Ledger};
pub use traffic::{Limits, Traffic};
