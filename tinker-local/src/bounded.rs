//! Texts of bounded length.

/// Longest text of an error, in bytes. Some repeat a part of the request, which may be large.
const LONGEST: usize = 2000;

/// The text, cut off where it is too long to be read by anybody.
pub(crate) fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str("...");
    }
    text
}
