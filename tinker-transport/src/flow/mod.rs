//! Flow control: traffic classes, their limits, and the shared state that holds requests back.

pub(crate) mod aimd;
pub(crate) mod circuit;
pub(crate) mod class;
pub(crate) mod gate;
pub(crate) mod limits;
