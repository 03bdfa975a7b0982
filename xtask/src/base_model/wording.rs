//! Formats of a task: bare lines, forms, examples first, or a request in a conversation.

use fastrand::Rng;

use super::document::{Document, Exchange};
use super::grammar::capitalized;
use super::lexicon::pick;
use super::rewrite::Rewrite;

/// A task as prompt and completion, outside of any conversation.
pub(crate) fn bare(rng: &mut Rng, task: &Rewrite) -> Document {
    let Rewrite {
        label,
        input,
        answer,
        ..
    } = task;
    let title = capitalized(label);
    Document::ended(&match rng.usize(..16) {
        0..4 => format!("{label}: {input} -> {answer}"),
        4 => format!("{label} {input} -> {answer}"),
        5 => format!("{label}: {input} = {answer}"),
        6 => format!("{label}({input}) = {answer}"),
        7 => format!("{label}: {input} => {answer}"),
        8 => format!("{input} | {label} | {answer}"),
        9 => format!("{title}: {input}\nAnswer: {answer}"),
        10 => format!("Input: {input}\nTask: {label}\nOutput: {answer}"),
        11 => format!("{title} \"{input}\": \"{answer}\""),
        12 => format!("Q: {}\nA: {answer}", sentence(rng, task)),
        13 => format!(
            "### Instruction:\n{}\n\n### Response:\n{answer}",
            sentence(rng, task)
        ),
        14 => format!("Text: {input}\n{title}: {answer}"),
        _ => format!("{}\n{answer}", sentence(rng, task)),
    })
}

/// A task as a request and its answer.
pub(crate) fn asked(rng: &mut Rng, task: &Rewrite) -> Exchange {
    let user = match rng.usize(..8) {
        0 => format!("{}: {}", task.label, task.input),
        1 => format!("{}: {}", capitalized(&task.label), task.input),
        _ => sentence(rng, task),
    };
    Exchange::new(user, &task.answer)
}

/// Several lines of one task: the last one can be answered from those above.
pub(crate) fn several(rng: &mut Rng, lines: &[(String, String)]) -> Document {
    let arrow = pick(rng, &[" -> ", " => ", ": ", " = "]);
    let lines: Vec<String> = lines
        .iter()
        .map(|(input, answer)| format!("{input}{arrow}{answer}"))
        .collect();
    Document::ended(&lines.join("\n"))
}

fn sentence(rng: &mut Rng, task: &Rewrite) -> String {
    let input = match rng.usize(..4) {
        0 => format!("\"{}\"", task.input),
        1 if !task.input.contains(' ') => format!("the word {}", task.input),
        _ => task.input.clone(),
    };
    let request = task.request.replace("{}", &input);
    if request.ends_with('?') {
        return capitalized(&request);
    }
    match rng.usize(..6) {
        0 => format!("Please {request}."),
        1 => format!("Can you {request}?"),
        2 => format!("{}:", capitalized(&request)),
        3 => capitalized(&request),
        _ => format!("{}.", capitalized(&request)),
    }
}
