//! Plots of a curve, for terminals and browsers.

mod axis;
mod curve;
mod svg;
mod terminal;

pub(crate) use curve::Curve;
pub(crate) use svg::svg;
pub(crate) use terminal::{HEIGHT, terminal};

#[cfg(test)]
mod tests;
