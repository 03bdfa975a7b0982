//! Texts of bounded length.

/// Most bytes of an error text. Some repeat a part of the request, which may be large.
const LONGEST: usize = 2000;

/// The text, truncated if it is too long.
pub(crate) fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str("...");
    }
    text
}
