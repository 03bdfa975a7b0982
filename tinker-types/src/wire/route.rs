//! Route templates, `sessions/{session}/finish` for example, in the syntax of axum.
//!
//! Those of an [`Endpoint`](crate::Endpoint) are its [`ROUTE`](crate::Endpoint::ROUTE); the others stand here.

use std::borrow::Cow;

/// Path that precedes every route of the API.
pub const PREFIX: &str = "/api/v1/";

/// A sample whose tokens arrive as they are drawn: takes a [`SampleRequest`](crate::SampleRequest), answers with the
/// events of [`stream`](super::stream). An addition of this project.
pub const STREAM_SAMPLE: &str = "stream_sample";

/// A pass without gradients in older clients; newer ones use [`ForwardBackward`](crate::ForwardBackward).
pub const FORWARD: &str = "forward";

/// Releases a model. Takes its `model_id`, answers with a promise.
pub const UNLOAD_MODEL: &str = "unload_model";

/// Older name of [`ListRunCheckpoints`](crate::ListRunCheckpoints).
pub const MODEL_CHECKPOINTS: &str = "models/{run}/checkpoints";

/// Path that precedes the files of a local server; they are outside the API.
pub const FILES: &str = "/files/";

/// A file of a checkpoint, below [`FILES`].
pub const FILE: &str = "{run}/{kind}/{name}/{file}";

/// All files of a checkpoint as a tar archive, below [`FILES`].
pub const ARCHIVE: &str = "{run}/{kind}/{name}.tar";

/// A file of an upload, below [`FILES`].
pub const UPLOAD: &str = "uploads/{upload}/{file}";

/// The trace of a session, below [`FILES`].
pub const TRACE: &str = "traces/{session}";

/// The path of a template: `values` replace its placeholders in order. Nothing is escaped.
///
/// ```
/// use tinker_types::wire::route;
///
/// assert_eq!(route::fill("sessions/{session}/finish", &["s-1"]), "sessions/s-1/finish");
/// ```
pub fn fill(template: &'static str, values: &[&str]) -> Cow<'static, str> {
    if values.is_empty() {
        return Cow::Borrowed(template);
    }
    let mut path = String::with_capacity(template.len() + 32);
    let mut rest = template;
    for value in values {
        let Some((before, (_, after))) = placeholder(rest) else {
            break;
        };
        path.push_str(before);
        path.push_str(value);
        rest = after;
    }
    path.push_str(rest);
    Cow::Owned(path)
}

/// The values of a template's placeholders, in order, where `path` matches it. A placeholder stands for one path
/// segment or the beginning of one. Values may be empty: whether one is valid is checked where it is parsed.
///
/// ```
/// use tinker_types::wire::route;
///
/// assert_eq!(route::captures("traces/{session}", "traces/s-1"), Some(vec!["s-1"]));
/// assert_eq!(route::captures("traces/{session}", "traces/s-1/x"), None);
/// ```
pub fn captures<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
    // Most templates differ from the path before their first placeholder, which is cheaper to see than to split.
    let pairs = template.bytes().zip(path.bytes());
    let same = pairs.take_while(|(a, b)| a == b && *a != b'{').count();
    if same < path.len() && template.as_bytes().get(same) != Some(&b'{') {
        return None;
    }
    let mut segments = path.split('/');
    let mut values = Vec::new();
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match placeholder(wanted) {
            Some((before, (_, after))) => {
                let value = segment.strip_prefix(before)?.strip_suffix(after)?;
                values.push(value);
            }
            None if segment == wanted => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(values)
}

/// The text before the first placeholder, its name, and the text after it.
fn placeholder(template: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = template.split_once('{')?;
    Some((before, rest.split_once('}')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_undo_fill() {
        for (template, values) in [
            ("healthz", &[] as &[&str]),
            (FILE, &["s:train:0", "weights", "a b", "f.json"]),
            (ARCHIVE, &["s:train:0", "weights", "a.tar"]),
            (TRACE, &["s-1"]),
        ] {
            let path = fill(template, values);
            assert_eq!(captures(template, &path), Some(values.to_vec()));
        }
        assert_eq!(captures(ARCHIVE, "r/weights/a"), None);
        assert_eq!(
            captures(ARCHIVE, "r/weights/.tar"),
            Some(vec!["r", "weights", ""])
        );
        assert_eq!(captures(TRACE, "traces/"), Some(vec![""]));
        assert_eq!(captures("healthz", "healthz/"), None);
    }
}
