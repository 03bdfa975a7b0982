//! The detail of an error body.

use serde_json::Value;

/// Largest number of characters that are kept.
const MOST: usize = 500;

/// The detail of an error body: its `detail` or `error` if it is JSON, otherwise its text, shortened.
///
/// Lists of field errors become `field: message`, without the quoted values, which are the caller's data.
pub(crate) fn detail_of(body: &[u8]) -> String {
    let detail = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => match object.get("detail").or_else(|| object.get("error")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(errors)) => {
                let errors: Vec<String> = errors.iter().map(field_error).collect();
                errors.join("; ")
            }
            Some(other) => other.to_string(),
            None => Value::Object(object).to_string(),
        },
        Ok(other) => other.to_string(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    shortened(detail.trim())
}

/// One entry of the list with which web frameworks answer a malformed body.
fn field_error(error: &Value) -> String {
    let field: Vec<String> = match &error["loc"] {
        Value::Array(parts) => parts
            .iter()
            .map(|part| {
                part.as_str()
                    .map_or_else(|| part.to_string(), str::to_owned)
            })
            .collect(),
        _ => Vec::new(),
    };
    let message = error["msg"].as_str().unwrap_or("invalid");
    format!("{}: {message}", field.join("."))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{} ...", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Whether the refusal of a protobuf body comes from a server that expects JSON.
///
/// A framework that reads JSON refuses the whole body: with a list of field errors at the body itself, at a position in
/// it, or at the field that holds everything in the JSON form.
pub(crate) fn wants_json(status: u16, body: &[u8]) -> bool {
    if status == 415 {
        return true;
    }
    if !matches!(status, 400 | 422) {
        return false;
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    match &body["detail"] {
        Value::Array(errors) => errors.iter().any(|error| {
            let place = error["loc"].as_array().map_or(&[][..], Vec::as_slice);
            match place {
                [body] => body == "body",
                [body, inner, ..] => {
                    let is_whole = inner.is_number()
                        || inner == "forward_backward_input"
                        || inner == "forward_input";
                    body == "body" && is_whole
                }
                [] => false,
            }
        }),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            text.contains("json") || text.contains("parsing the body")
        }
        _ => false,
    }
}

/// Whether the refusal of a JSON body comes from a server that expects protobuf.
pub(crate) fn wants_protobuf(status: u16, body: &[u8]) -> bool {
    let says = || detail_of(body).to_ascii_lowercase().contains("protobuf");
    status == 415 || (matches!(status, 400 | 422) && says())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_found_and_cut() {
        assert_eq!(detail_of(br#"{"detail":"no such model"}"#), "no such model");
        assert_eq!(detail_of(br#"{"error":"boom"}"#), "boom");
        assert_eq!(detail_of(b""), "");
        assert_eq!(detail_of(b"<html>"), "<html>");
        let fields = br#"{"detail":[{"loc":["body","data",0],"msg":"too long","input":"secret"}]}"#;
        assert_eq!(detail_of(fields), "body.data.0: too long");
        assert_eq!(detail_of("x".repeat(9000).as_bytes()).len(), MOST + 4);
    }

    #[test]
    fn servers_that_expect_json_show_it() {
        let whole = br#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary"}]}"#;
        let parse =
            br#"{"detail":[{"type":"json_invalid","loc":["body",0],"msg":"JSON decode error"}]}"#;
        let field = br#"{"detail":[{"type":"missing","loc":["body","forward_backward_input"],"msg":"Field required"}]}"#;
        let text = br#"{"detail":"There was an error parsing the body"}"#;
        for body in [&whole[..], parse, field] {
            assert!(wants_json(422, body));
        }
        assert!(wants_json(400, text));
        assert!(wants_json(415, b"") && wants_protobuf(415, b""));
        assert!(wants_protobuf(
            400,
            br#"{"detail":"expected application/x-protobuf"}"#
        ));
        assert!(!wants_protobuf(422, field) && !wants_protobuf(500, b"protobuf"));

        let data = br#"{"detail":[{"loc":["body","data",0,"weights"],"msg":"too long"}]}"#;
        assert!(!wants_json(422, data));
        assert!(!wants_json(422, br#"{"detail":"unknown loss"}"#));
        assert!(!wants_json(404, whole) && !wants_json(500, text));
    }
}
