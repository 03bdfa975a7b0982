//! Protobuf forms: training requests and the results of training and sampling.
//!
//! Arrays travel as raw little-endian bytes: encoding copies them once, into the body, or not at all
//! ([`encode_pieces`]), and decoding copies them once out of it, or not at all ([`view_sample`]).

mod array;
mod array_view;
mod datum;
mod output;
mod pieces;
mod request;
mod sample;
mod sample_view;
mod span;
mod tensor;

#[expect(
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; described in proto/tinker_public.proto"
)]
mod generated {
    include!("generated/tinker_public.rs");
}

pub use array_view::{ArrayElement, ArrayView};
pub use output::{decode_output, encode_output};
pub use request::{decode_request, encode_pieces, encode_request};
pub use sample::{decode_sample, encode_sample, view_sample};
pub use sample_view::{SampleView, SequenceView, TopkView};

/// Media type of the protobuf forms.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

#[cfg(target_endian = "big")]
compile_error!(
    "the protobuf forms need a little-endian target: their arrays are shared, not converted"
);
