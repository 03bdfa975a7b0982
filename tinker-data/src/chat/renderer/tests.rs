use super::*;

#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod folder;
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod masks;
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod merging;
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod property;
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod rules;
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod unwritten;

fn shown(tokens: &[u32]) -> String {
    let show = |&token: &u32| char::from_u32(token).filter(|_| token < 128).unwrap_or('#');
    tokens.iter().map(show).collect()
}

#[test]
fn a_prompt_ends_where_the_answer_begins() {
    let messages = [Message::system("Be brief."), Message::user("Hi")];
    let prompt = Renderer::plain().prompt(&messages.into()).unwrap();
    let tokens = prompt.to_tokens().unwrap();
    assert_eq!(shown(&tokens), "System: Be brief.\nUser: Hi\nAssistant: ");
    assert!(Renderer::plain().prompt(&Conversation::default()).is_err());
}

#[test]
fn every_answer_is_learned_and_nothing_else() {
    let messages = [
        Message::user("Hi"),
        Message::assistant("Yo"),
        Message::user("Bye"),
        Message::assistant("Ok"),
        Message::user("late"),
    ];
    let examples = Renderer::plain().supervised(&messages.into()).unwrap();
    let datum = &examples[0].datum;
    let input = datum.model_input.to_tokens().unwrap();
    assert_eq!(
        shown(&input),
        "User: Hi\nAssistant: Yo#\nUser: Bye\nAssistant: Ok"
    );
    let targets = datum.loss_fn_inputs["target_tokens"].as_i64().unwrap();
    let weights = datum.loss_fn_inputs["weights"].as_f32().unwrap();
    let learned = targets
        .iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0);
    let learned: Vec<u32> = learned.map(|(token, _)| *token as u32).collect();
    assert_eq!(shown(&learned), "Yo#Ok#");
}

#[test]
fn a_completion_is_what_datum_supervised_makes() {
    let example = Renderer::plain().completion("ab", "c").unwrap();
    assert_eq!(
        example.datum,
        tinker_types::Datum::supervised(&[97, 98], &[99, 256])
    );
}

#[test]
fn nothing_to_learn_is_refused() {
    assert!(
        Renderer::plain()
            .supervised(&[Message::user("Hi")].into())
            .is_err()
    );
    let tool = [
        Message::new(Role::Other("tool".into()), "x"),
        Message::assistant("y"),
    ];
    let error = Renderer::plain()
        .supervised(&tool.into())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("messages[0].role"), "{error}");
}

#[test]
fn an_answer_drops_its_end() {
    assert_eq!(Renderer::plain().answer(&[72, 105, 256]).unwrap(), "Hi");
}
