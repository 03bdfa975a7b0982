//! Constructs of the template language, with the texts that `transformers` renders.

use super::*;
use crate::chat::message::{Message, Role, ToolCall};
use crate::json::Json;

/// The moment at which templates print the date.
const NOW: &str = "2026-03-07T04:05:06";

fn template(source: &str) -> Result<Jinja, ChatError> {
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let tokens = tokens.map(|(name, token)| (name.to_owned(), token.to_owned()));
    Jinja::new("T", source, tokens.into())?.at(NOW)
}

fn render(source: &str, conversation: &Conversation) -> Result<String, ChatError> {
    let rendered = template(source)?.render(conversation, &[], false)?;
    Ok(rendered.text)
}

fn refused(source: &str) -> String {
    let conversation = [Message::user("a")].into();
    let error = render(source, &conversation).unwrap_err();
    error.to_string()
}

/// Each template of the list renders the text beside it, or is refused if that is null.
#[test]
fn constructs_render_as_in_python() {
    let list = include_str!("../../../tests/fixtures/constructs.json");
    let list: Json = serde_json::from_str(list).unwrap();
    let conversation = Conversation {
        messages: vec![Message::user("<think>\na</think>\n\nb")],
        template_args: vec![("args".to_owned(), list.get("args").unwrap().clone())],
        ..Conversation::default()
    };
    let Some(Json::Array(constructs)) = list.get("constructs") else {
        panic!("the list has constructs");
    };
    assert!(constructs.len() > 400, "{}", constructs.len());
    for construct in constructs {
        let Json::Array(construct) = construct else {
            panic!("a construct is a pair");
        };
        let source = construct[0].as_str().unwrap();
        match (render(source, &conversation), construct[1].as_str()) {
            (Ok(text), Some(expected)) => assert_eq!(text, expected, "{source}"),
            (Err(_), None) => {}
            (Ok(text), None) => panic!("{source} is not refused but renders {text:?}"),
            (Err(error), Some(_)) => panic!("{source}: {error}"),
        }
    }
}

#[test]
fn messages_are_those_of_chat_files() {
    let mut call = Message::assistant("");
    call.content = None;
    call.reasoning = Some("hm".into());
    let arguments = serde_json::from_str(r#"{"b": 1e-7, "a": "<é>"}"#).unwrap();
    call.tool_calls = vec![ToolCall::new("f", arguments)];
    let mut answer = Message::new(Role::Other("tool".into()), "1");
    answer.tool_call_id = Some("c1".into());
    answer.name = Some("f".into());
    assert_eq!(
        render(
            "{{ messages }}|{{ tools }}{{ documents }}",
            &[call, answer].into()
        )
        .unwrap(),
        "[{'thinking': 'hm', 'role': 'assistant', 'reasoning_content': 'hm', 'tool_calls': [{'type': 'function', \
         'function': {'name': 'f', 'arguments': {'b': 1e-07, 'a': '<é>'}}}]}, {'role': 'tool', 'content': '1', \
         'tool_call_id': 'c1', 'name': 'f'}]|NoneNone"
    );
}

#[test]
fn arguments_are_variables() {
    let mut conversation = Conversation::from([Message::user("a")]);
    conversation.template_args = vec![
        ("thinking".into(), false.into()),
        ("bos_token".into(), "<b>".into()),
    ];
    let source = "{{ thinking }}{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}";
    assert_eq!(render(source, &conversation).unwrap(), "False<b></s>False");
    conversation.template_args = vec![("messages".into(), false.into())];
    let error = render(source, &conversation).unwrap_err().to_string();
    assert!(
        error.starts_with("messages is not a template argument"),
        "{error}"
    );
}

#[test]
fn generation_blocks_are_ranges_of_bytes() {
    let source = "é{% for m in messages %}<{% generation %}{{ m.content }}\n{% endgeneration %}>{% endfor %}";
    let conversation = [Message::user("ü"), Message::user("{% generation %}")].into();
    let rendered = template(source)
        .unwrap()
        .render(&conversation, &[], false)
        .unwrap();
    assert_eq!(rendered.text, "é<ü\n><{% generation %}\n>");
    assert_eq!(rendered.generated, [3..6, 8..25]);
}

#[test]
fn a_block_without_a_known_place_is_no_range() {
    for source in [
        "{% macro f() %}{% generation %}a{% endgeneration %}{% endmacro %}b{{ f() }}",
        "{% set x %}{% generation %}a{% endgeneration %}{% endset %}b{{ x }}",
    ] {
        let conversation = [Message::user("a")].into();
        let rendered = template(source)
            .unwrap()
            .render(&conversation, &[], false)
            .unwrap();
        assert_eq!(
            (rendered.text.as_str(), &rendered.generated[..]),
            ("ba", &[][..])
        );
    }
}

#[test]
fn errors_name_the_line_and_the_construct() {
    for (source, expected) in [
        (
            "\n\n{{ raise_exception('no system turn') }}",
            "T, line 3: does not accept these messages: no system turn",
        ),
        (
            "\n{{ messages[0].content.nope() }}",
            "T, line 2: does not accept these messages: unknown method: string has no method named nope \
             (in `.nope()`)",
        ),
        (
            "{% if a %}\n{% else",
            "T, line 2: is not valid Jinja: syntax error: ",
        ),
        (
            "{{ 1\n | nope }}",
            "T, line 1: does not accept these messages: unknown filter: filter nope is unknown",
        ),
        (
            "{{ ('<' | safe) + 1 }}",
            "T, line 1: does not accept these messages: + takes two texts, not plain object and number",
        ),
    ] {
        let error = refused(source);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn endless_templates_are_stopped() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ messages }}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
        "{{ 'a' * 99999999 }}",
        "{{ ('a' * 999999).replace('a', 'b' * 999999) }}",
        "{{ range(99999) | list | tojson(indent=64) * 999 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = {1: (n.x,)} %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] | map('list') %}{% endfor %}",
        "{% set n = namespace() %}{% set n.x = n %}",
        "{% set n = namespace() %}{% set l = [n] %}{% set n.x = l %}",
        "{% macro f(x) %}{{ f([[[[x]]]]) }}{% endmacro %}{{ f(1) }}",
        "{% set x %}{% for a in range(99999) %}{% for b in range(99999) %}aaaaaaaaaaaaaaaa{% endfor %}{% endfor %}{% endset %}",
        "{{ '%99999999999d' | format(1) }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ '%(\u{e9}' | format(1) }}",
        "{{ '{a[\u{e9}'.format(1) }}",
        "{{ 'a'.ljust(99999999999) }}",
        "{{ 'a' | indent(99999999999) }}",
    ] {
        let error = refused(source);
        assert!(
            error.starts_with('T') && error.contains("does not accept"),
            "{error}"
        );
    }
}
