//! Tools and tool calls.

use crate::chat::ToolCall;
use crate::dataset::error::ErrorKind;
use crate::dataset::fields::{Fields, embedded};
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

const CALL: &str = r#"{"type": "function", "function": {"name": "...", "arguments": {...}}}"#;

/// Takes the tools of a row: `tools`, or the older `functions`.
pub(super) fn tools(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Json>, ValueError> {
    let tools = match fields.optional_list("tools")? {
        Some(tools) => tools,
        None => match fields.optional_list("functions")? {
            Some(functions) => {
                notes.convert("\"functions\" are read as \"tools\"");
                functions.into_iter().map(wrapped).collect()
            }
            None => return Ok(Vec::new()),
        },
    };
    for (index, tool) in tools.iter().enumerate() {
        if !matches!(tool, Json::Object(_)) {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("is {}, not an object", tool.kind()),
                "give the JSON schema of a function",
            )
            .within(index)
            .under("tools"));
        }
    }
    Ok(tools)
}

/// A function as a tool.
pub(super) fn wrapped(function: Json) -> Json {
    let member = |key: &str, value| (key.to_owned(), value);
    Json::Object(vec![
        member("type", "function".into()),
        member("function", function),
    ])
}

/// Takes the calls of a message: `tool_calls`, or the older `function_call`.
pub(super) fn calls(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<ToolCall>, ValueError> {
    if let Some(function) = fields.take("function_call") {
        notes.convert("\"function_call\" is read as \"tool_calls\"");
        let call = function_of(function, None, notes);
        return Ok(vec![call.map_err(|error| error.under("function_call"))?]);
    }
    let calls = fields.optional_list("tool_calls")?.unwrap_or_default();
    let calls = calls.into_iter().enumerate().map(|(index, call)| {
        call_of(call, notes).map_err(|error| error.within(index).under("tool_calls"))
    });
    calls.collect()
}

fn call_of(value: Json, notes: &mut Notes) -> Result<ToolCall, ValueError> {
    let mut fields = Fields::new(value, CALL)?;
    let id = fields.optional_text("id")?;
    if let Some(kind) = fields.optional_text("type")?
        && kind != "function"
    {
        return Err(ValueError::new(
            ErrorKind::Unsupported,
            format!("has the type {kind:?}"),
            "only calls of the type \"function\" are supported",
        )
        .at_key("type"));
    }
    match fields.take("function") {
        Some(function) => {
            let call = function_of(function, id, notes).map_err(|error| error.under("function"))?;
            fields.finish("messages.tool_calls", notes)?;
            Ok(call)
        }
        None => function_of(Json::Object(fields.rest()), id, notes),
    }
}

/// A call from its name and arguments.
pub(super) fn function_of(
    value: Json,
    id: Option<String>,
    notes: &mut Notes,
) -> Result<ToolCall, ValueError> {
    let mut fields = Fields::new(value, r#"{"name": "...", "arguments": {...}}"#)?;
    fields.take("index");
    let mut call = ToolCall::new(fields.text("name")?, Json::Object(Vec::new()));
    call.id = id;
    call.arguments = match fields.take("arguments") {
        Some(Json::String(text)) if text.trim().is_empty() => Json::Object(Vec::new()),
        Some(Json::String(text)) => match embedded(&text) {
            Some(arguments @ Json::Object(_)) => arguments,
            _ => {
                return Err(ValueError::new(
                    ErrorKind::Value,
                    "has text as \"arguments\" that is not an object in JSON",
                    "write the arguments as an object: {\"city\": \"Oslo\"}",
                )
                .at_key("arguments"));
            }
        },
        Some(arguments @ Json::Object(_)) => arguments,
        None => Json::Object(Vec::new()),
        Some(other) => {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("has {} as \"arguments\", not an object", other.kind()),
                "write the arguments as an object: {\"city\": \"Oslo\"}",
            )
            .at_key("arguments"));
        }
    };
    fields.finish("messages.tool_calls.function", notes)?;
    Ok(call)
}
