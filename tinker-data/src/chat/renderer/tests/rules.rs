//! Which tokens of a conversation are learned.

use super::merging::{CHATML, REWRITES, exchanges, learned, renderer, shown, tokens};
use super::*;

const OPENS: &str = "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A>{{ m.content.split('</think>')[-1] }}<|im_end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<A><think>\n{% endif %}";

fn text_of(conversation: &Conversation, template: &str, learn: Learn) -> Vec<(String, String)> {
    learned(&renderer(template), conversation, learn)
}

fn pair(context: &str, learned: &str) -> (String, String) {
    (format!("{context}{learned}"), learned.to_owned())
}

#[test]
fn answers_that_continue_one_another_share_an_example() {
    let texts = text_of(
        &exchanges(&[("A?", "one"), ("B?", "two")]),
        CHATML,
        Learn::Turns,
    );
    assert_eq!(texts, [(
        "<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\none<|im_end|>\n<|im_start|>user\nB?<|im_end|>\n<|im_start|>assistant\ntwo<|im_end|>".to_owned(),
        "one<|im_end|>two<|im_end|>".to_owned(),
    )]);
    assert_eq!(
        texts,
        text_of(
            &exchanges(&[("A?", "one"), ("B?", "two")]),
            CHATML,
            Learn::All
        )
    );
    let last = text_of(
        &exchanges(&[("A?", "one"), ("B?", "two")]),
        CHATML,
        Learn::Last,
    );
    assert_eq!(last[0], (texts[0].0.clone(), "two<|im_end|>".to_owned()));
}

#[test]
fn each_answer_is_learned_as_it_was_when_it_was_last() {
    let conversation = exchanges(&[("A?", "one"), ("B?", "two")]);
    let texts = text_of(&conversation, REWRITES, Learn::Turns);
    let first = "<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n";
    let second =
        format!("{first}one<|im_end|>\n<|im_start|>user\nB?<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!(
        texts,
        [
            pair(first, "<think>\n\n</think>\n\none<|im_end|>"),
            pair(&second, "<think>\n\n</think>\n\ntwo<|im_end|>"),
        ]
    );
    assert_eq!(text_of(&conversation, REWRITES, Learn::Last), texts[1..]);
    let error = renderer(REWRITES)
        .clone()
        .with_learn(Learn::All)
        .supervised(&conversation)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("messages[1]: ") && error.contains("--learn turns"),
        "{error}"
    );
    // A question at the end changes nothing.
    let mut more = conversation.clone();
    more.messages.push(Message::user("C?"));
    assert_eq!(text_of(&more, REWRITES, Learn::Turns), texts);
}

#[test]
fn an_answer_follows_the_thought_that_its_prompt_opens() {
    let mut conversation = exchanges(&[("A?", "one")]);
    let texts = |conversation: &Conversation| text_of(conversation, OPENS, Learn::Turns);
    let prompt = "<U>A?<A><think>\n";
    assert_eq!(
        texts(&conversation),
        [pair(prompt, "\n</think>\n\none<|im_end|>")]
    );
    let renderer = renderer(OPENS);
    let examples = renderer.supervised(&conversation).unwrap();
    assert_eq!(examples[0].rule, Rule::AfterOpening);
    let sent = renderer
        .prompt(&conversation.first(1))
        .unwrap()
        .to_tokens()
        .unwrap();
    assert_eq!(tokens(&examples[0]).0[..sent.len()], sent);

    conversation.messages[1].reasoning = Some("because".into());
    let thought = pair(prompt, "because\n</think>\n\none<|im_end|>");
    assert_eq!(texts(&conversation)[0], thought);
    let inline = exchanges(&[("A?", "<think>\nbecause\n</think>one")]);
    assert_eq!(texts(&inline)[0], thought);

    let two = texts(&exchanges(&[("A?", "one"), ("B?", "<think")]));
    assert_eq!(
        two[1],
        pair(
            "<U>A?<A>one<|im_end|><U>B?<A><think>\n",
            "\n</think>\n\n<think<|im_end|>"
        )
    );
    let all = text_of(
        &exchanges(&[("A?", "one"), ("B?", "two")]),
        OPENS,
        Learn::All,
    );
    assert_eq!(all[0].0, "<U>A?<A>one<|im_end|><U>B?<A>two<|im_end|>");
    assert_eq!(all[0].1, "one<|im_end|>two<|im_end|>");
}

#[test]
fn a_template_that_writes_the_thought_continues_its_opening() {
    let written = "<A>{{ m.content.split('</think>')[-1] }}";
    let template = OPENS.replace(written, "<A><think>\n{{ m.content }}");
    // Without the line break, so that the texts part within the opening.
    let tight = OPENS.replace(written, "<A><think>{{ m.content }}");
    let conversation = exchanges(&[("A?", "because\n</think>\n\none")]);
    for (template, rule) in [(&template, Rule::AfterPrompt), (&tight, Rule::AfterOpening)] {
        let renderer = renderer(template);
        let examples = renderer.supervised(&conversation).unwrap();
        let learned = shown(&renderer, &tokens(&examples[0]).1);
        assert_eq!(
            (learned.as_str(), examples[0].rule),
            ("because\n</think>\n\none<|im_end|>", rule)
        );
    }
}

#[test]
fn an_empty_thought_of_the_prompt_is_not_learned() {
    let template = REWRITES.replace(
        "<|im_start|>assistant\n{% endif %}",
        "<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    );
    let conversation = exchanges(&[("A?", "one"), ("B?", "two")]);
    let texts = text_of(&conversation, &template, Learn::Turns);
    assert_eq!(texts[0].1, "one<|im_end|>");
    assert_eq!(texts[1].1, "two<|im_end|>");
    assert!(
        texts[1]
            .0
            .ends_with("assistant\n<think>\n\n</think>\n\ntwo<|im_end|>")
    );
    // The same where the template writes the block into prompts only.
    let only = CHATML.replace(
        "<|im_start|>assistant\n{% endif %}",
        "<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    );
    let texts = text_of(&conversation, &only, Learn::Turns);
    assert_eq!(texts[0].1, "one<|im_end|>");
    assert!(
        texts[0].0.ends_with("</think>\n\none<|im_end|>"),
        "{texts:?}"
    );
}

#[test]
fn instructions_that_move_stay_in_the_prompt() {
    // The instructions stand in the last message, and only while that is the question.
    let moves = "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }}\n\n{% endif %}{{ m.content }}[/INST]{% elif m.role == 'assistant' %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}";
    let messages = [
        Message::system("Be brief."),
        Message::user("A?"),
        Message::assistant("one"),
    ];
    let renderer = renderer(moves);
    let examples = renderer.supervised(&messages.into()).unwrap();
    let (all, learned) = tokens(&examples[0]);
    assert_eq!(
        shown(&renderer, &all),
        "[INST] Be brief.\n\nA?[/INST] one<|im_end|>"
    );
    assert_eq!(shown(&renderer, &learned), " one<|im_end|>");
    assert_eq!(examples[0].rule, Rule::AfterChangedPrompt);
}

#[test]
fn messages_without_weight_are_context() {
    let mut conversation = exchanges(&[("A?", "one"), ("B?", "two"), ("C?", "three")]);
    conversation.messages[1].weight = 0.0;
    conversation.messages[5].weight = 0.5;
    for learn in [Learn::Turns, Learn::All] {
        let renderer = renderer(CHATML);
        let examples = renderer
            .clone()
            .with_learn(learn)
            .supervised(&conversation)
            .unwrap();
        assert_eq!(examples.len(), 1);
        assert_eq!(
            shown(&renderer, &tokens(&examples[0]).1),
            "two<|im_end|>three<|im_end|>"
        );
        let weights = examples[0].datum.loss_fn_inputs["weights"]
            .as_f32()
            .unwrap();
        let sum: f32 = weights.iter().sum();
        assert!((sum - (4.0 + 6.0 * 0.5)).abs() < 1e-6, "{sum}");
    }
    conversation.messages[5].weight = 0.0;
    let error = renderer(CHATML)
        .clone()
        .with_learn(Learn::Last)
        .supervised(&conversation)
        .unwrap_err();
    assert!(error.to_string().contains("weight 0"), "{error}");
}

#[test]
fn answers_that_teach_nothing_are_refused() {
    let empty = exchanges(&[("A?", "one"), ("B?", " ")]);
    let error = renderer(CHATML).supervised(&empty).unwrap_err().to_string();
    assert!(
        error.starts_with("messages[3] is an empty answer"),
        "{error}"
    );
    let dropped = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}<|im_end|>{% endif %}{% endfor %}";
    let error = renderer(dropped)
        .supervised(&exchanges(&[("a", "b")]))
        .unwrap_err();
    assert!(
        error.to_string().contains("does not write the text"),
        "{error}"
    );
    let error = renderer(CHATML).completion("a", "").unwrap_err();
    assert!(error.to_string().contains("only an end token"), "{error}");
}

#[test]
fn an_answer_that_opens_the_conversation_may_be_context() {
    let needs_one = CHATML.replacen(
        "{% for",
        "{% if messages[0].role == 'system' %}!{% endif %}{% for",
        1,
    );
    let messages = [
        Message::assistant("Hello"),
        Message::user("A?"),
        Message::assistant("one"),
    ];
    let texts = text_of(&messages.clone().into(), &needs_one, Learn::Turns);
    assert_eq!(texts[0].1, "one<|im_end|>");
    let texts = text_of(&messages.into(), CHATML, Learn::Turns);
    assert_eq!(texts[0].1, "Hello<|im_end|>one<|im_end|>");
}

#[test]
fn a_template_without_marks_cannot_tell_what_to_learn() {
    let error = renderer(CHATML)
        .clone()
        .with_learn(Learn::Template)
        .supervised(&exchanges(&[("a", "b")]))
        .unwrap_err();
    assert!(error.to_string().contains("generation"), "{error}");
}
