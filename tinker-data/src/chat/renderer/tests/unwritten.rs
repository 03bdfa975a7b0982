//! Parts of conversations that a template leaves out, or writes elsewhere.

use super::merging::{CHATML, TURN_END, exchanges, learned, renderer, renderer_with, tokenizer};
use super::*;
use crate::chat::ToolCall;
use crate::json::Json;

/// Ends are written before the next message only.
const ENDS_LATER: &str = "{% for m in messages %}{% if m.role == 'user' %}{% if not loop.first %}<|im_end|>\n{% endif %}<U>{{ m.content }}{% else %}<A>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<A>{% endif %}";

/// Calls of tools end with another token than texts.
const CALLS: &str = "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}<A>{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ c.function.name }}<|im_start|>{% endfor %}{% if m.tool_calls %}<|endoftext|>{% else %}<|im_end|>{% endif %}{% else %}<U>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<A>{% endif %}";

fn refused(template: &str, conversation: &Conversation) -> String {
    let error = renderer(template).supervised(conversation).unwrap_err();
    error.to_string()
}

fn with_call() -> Conversation {
    let mut conversation = exchanges(&[("Weather?", "")]);
    let call = ToolCall::new("get_weather", Json::Object(Vec::new()));
    conversation.messages[1].tool_calls = vec![call.clone(), call];
    conversation
}

#[test]
fn an_end_that_is_written_later_is_learned() {
    let conversation = exchanges(&[("A?", "one"), ("B?", "two")]);
    let whole = "<U>A?<A>one<|im_end|>\n<U>B?<A>two<|im_end|>".to_owned();
    let texts = "one<|im_end|>two<|im_end|>".to_owned();
    for learn in [Learn::Turns, Learn::All] {
        let found = learned(&renderer(ENDS_LATER), &conversation, learn);
        assert_eq!(found, [(whole.clone(), texts.clone())], "{learn}");
    }
    assert!(renderer(ENDS_LATER).notes().is_empty());
    let endless = ENDS_LATER.replace("<|im_end|>", "");
    let notes = renderer(&endless).notes().join("\n");
    assert!(notes.contains("writes no end token"), "{notes}");
}

#[test]
fn calls_have_an_end_of_their_own() {
    let renderer = renderer(CALLS);
    let call = "get_weather<|im_start|>";
    let found = learned(&renderer, &with_call(), Learn::Turns);
    assert_eq!(found[0].1, format!("{call}{call}<|endoftext|>"));
    let text = learned(&renderer, &exchanges(&[("A?", "one")]), Learn::Turns);
    assert_eq!(text[0].1, "one<|im_end|>");
    assert_eq!(
        renderer.end_texts(),
        ["<|im_end|>", "<|endoftext|>"],
        "sampling stops at both"
    );
}

#[test]
fn an_answer_begins_outside_of_marks() {
    // The prompt opens another channel than the answer has; both begin with the same letters.
    let template = "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A><call>{{ m.content }}<|im_end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<A><channel>{% endif %}";
    let found = learned(
        &renderer(template),
        &exchanges(&[("A?", "one")]),
        Learn::Turns,
    );
    assert_eq!(found[0].0, "<U>A?<A><channel><call>one<|im_end|>");
    assert_eq!(found[0].1, "<call>one<|im_end|>");
}

#[test]
fn a_start_that_is_always_written_is_no_answer() {
    let template = "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A><R>{{ m.content }}<|im_end|>{% endif %}{% endfor %}<A><think></think>";
    let conversation = exchanges(&[("A?", "one"), ("B?", "two")]);
    let found = learned(&renderer(template), &conversation, Learn::Turns);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["<R>one<|im_end|>", "<R>two<|im_end|>"]);
    assert_eq!(
        found[1].0,
        "<U>A?<A><R>one<|im_end|><U>B?<A><think></think><R>two<|im_end|>"
    );
    // The end of a question is another one once it was answered, so only a part of the prompt is found again.
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% if m.role == 'assistant' or loop.last or loop.first %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let moved = exchanges(&[("A?", "one"), ("B?", "two")]);
    let found = learned(&renderer(template), &moved, Learn::Turns);
    assert_eq!(found[0].1, "one<|im_end|>two<|im_end|>");
    let whole = &found[0].0;
    assert!(
        whole.contains("B?<|im_end|>\n<|im_start|>assistant\ntwo"),
        "{whole}"
    );
    // The same where questions end like answers, and the start has words.
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}{{ '<|im_start|>assistant\n' }}";
    let same = exchanges(&[("yes", "yes"), ("B?", "two")]);
    for eos in ["<|im_end|>", "<|endoftext|>"] {
        let renderer = renderer_with(&tokenizer(false), template, eos, &[]);
        let found = learned(&renderer, &same, Learn::Turns);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, "yes<|im_end|>two<|im_end|>", "{eos}");
        assert!(renderer.end_tokens().contains(&TURN_END), "{eos}");
    }
}

#[test]
fn what_is_not_written_is_refused() {
    let error = refused(CHATML, &with_call());
    assert!(
        error.starts_with("messages[1]: ") && error.contains("the call of \"get_weather\""),
        "{error}"
    );
    let mut thought = exchanges(&[("A?", "one")]);
    thought.messages[1].reasoning = Some("because".into());
    let error = refused(CHATML, &thought);
    assert!(error.contains("does not write the thought"), "{error}");

    // The prompt has ended the thought, so the answer cannot have one.
    let closed = CHATML.replace(
        "<|im_start|>assistant\n{% endif %}",
        "<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    );
    let inline = exchanges(&[("A?", "<think>\nbecause\n</think>\n\none")]);
    let error = refused(&closed, &inline);
    assert!(error.contains("does not write the thought"), "{error}");
    let empty = exchanges(&[("A?", "<think>\n\n</think>\n\none")]);
    let found = learned(&renderer(&closed), &empty, Learn::Turns);
    assert_eq!(found[0].1, "one<|im_end|>");

    let tool = r#"{"type": "function", "function": {"name": "get_weather", "parameters": {}}}"#;
    let mut tools = exchanges(&[("A?", "one")]);
    tools.tools = vec![serde_json::from_str(tool).unwrap()];
    let error = refused(CHATML, &tools);
    assert!(error.contains("the tool \"get_weather\""), "{error}");
    let error = renderer(CHATML).prompt(&tools.first(1)).unwrap_err();
    assert!(
        error.to_string().contains("the tool \"get_weather\""),
        "{error}"
    );
    assert!(renderer(CALLS).prompt(&tools.first(1)).is_ok());

    let other = CHATML.replace("{{ m.content }}", "{{ m.content | replace('one', 'two') }}");
    let error = refused(&other, &exchanges(&[("A?", "one")]));
    assert!(
        error.contains("does not write the text of this answer"),
        "{error}"
    );
}
