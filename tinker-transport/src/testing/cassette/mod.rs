//! Recordings of real traffic.

mod content;
mod error;
mod exchange;
mod player;
mod record;
mod scrub;
mod tape;

#[cfg(test)]
mod tests;

pub use error::CassetteError;
pub use player::Player;
pub use record::{RecordLayer, Recorded};
pub use scrub::Scrub;
pub use tape::Cassette;
