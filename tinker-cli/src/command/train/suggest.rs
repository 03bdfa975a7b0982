//! Suggested next commands, ready to be pasted.

use std::path::Path;

use tinker_data::{Prompt, Question};

use super::args::Args;
use super::plan::Plan;
use super::summary::Suggestion;
use crate::format::shell_word;

/// Samples an answer to one of the held-out questions.
pub(crate) fn sample(
    program: &str,
    args: &Args,
    sampler: &str,
    questions: &[Question],
) -> Suggestion {
    let mut words = vec![
        "sample".to_owned(),
        "--model".to_owned(),
        sampler.to_owned(),
    ];
    words.extend(args.destination.to_words());
    words.extend(["--temperature".to_owned(), "0".to_owned()]);
    // The shortest prompt is the easiest to read and to change.
    let question = questions
        .iter()
        .min_by_key(|question| question.prompt.text().len());
    if question.is_some_and(|question| matches!(question.prompt, Prompt::Chat(_))) {
        words.push("--chat".to_owned());
    }
    words.push(
        question
            .map_or("Hello", |question| question.prompt.text())
            .to_owned(),
    );
    Suggestion {
        purpose: "try it",
        command: command(program, &words),
    }
}

/// Continues an interrupted run.
pub(crate) fn resume(
    program: &str,
    args: &Args,
    plan: &Plan,
    checkpoint: &str,
    done: usize,
) -> Suggestion {
    let mut words = vec!["train".to_owned()];
    words.extend(args.data.iter().map(|file| path(file)));
    if args.read.skip_bad {
        words.push("--skip-bad".to_owned());
    }
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("resume", checkpoint.to_owned());
    option("first-step", done.to_string());
    option("steps", plan.steps.to_string());
    option("batch-size", plan.batch_size.to_string());
    option("learning-rate", plan.learning_rate.to_string());
    option("seed", plan.seed.to_string());
    if let Some(eval) = &args.eval {
        option("eval", path(eval));
    }
    if let Some(format) = args.read.format {
        option("format", format.to_string());
    }
    if !args.mix.is_empty() {
        let weights: Vec<String> = args.mix.iter().map(f64::to_string).collect();
        option("mix", weights.join(","));
    }
    if let Some(every) = plan.eval_every {
        option("eval-every", every.to_string());
    }
    if let Some(every) = plan.save_every {
        option("save-every", every.to_string());
    }
    if args.name != "final" {
        option("name", args.name.clone());
    }
    words.extend(args.encode.to_words());
    words.extend(args.destination.to_words());
    Suggestion {
        purpose: "continue",
        command: command(program, &words),
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn command(program: &str, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    format!("{program} {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use tinker_data::Message;

    use super::*;

    fn question(prompt: Prompt) -> Question {
        Question {
            path: std::path::Path::new("x.jsonl").into(),
            line: 1,
            prompt,
            answer: None,
            expected: "e".into(),
        }
    }

    #[test]
    fn the_sample_command_is_quoted_and_keeps_the_destination() {
        let args = Args::parsed(&["--data-dir", "/x y"]);
        let questions = [
            question(Prompt::Text("long: it's ->".into())),
            question(Prompt::Text("a ->".into())),
        ];
        let suggestion = sample(
            "cargo run --",
            &args,
            "tinker://r/sampler_weights/final",
            &questions,
        );
        assert_eq!(
            suggestion.command,
            "cargo run -- sample --model tinker://r/sampler_weights/final --data-dir '/x y' --temperature 0 'a ->'"
        );
        let chat = [question(Prompt::Chat([Message::user("Hi")].into()))];
        assert!(
            sample("tinker", &args, "m", &chat)
                .command
                .ends_with(" --chat Hi")
        );
    }

    #[test]
    fn the_resume_command_is_parsed() {
        let args = Args::parsed(&["--epochs", "2", "--seed", "5", "--batch-size", "8"]);
        let plan = Plan::new(&args, "m".into(), None, 80);
        let suggestion = resume("tinker", &args, &plan, "tinker://r/weights/step-7", 7);
        let words: Vec<&str> = suggestion.command.split(' ').collect();
        assert_eq!(words[..3], ["tinker", "train", "data.jsonl"]);
        let again = Args::parsed(&words[3..]);
        assert_eq!(
            (again.first_step, again.seed, again.batch_size.get()),
            (7, 5, 8)
        );
        assert_eq!(
            again.steps.map(std::num::NonZeroUsize::get),
            Some(plan.steps)
        );
        assert_eq!(again.resume.as_deref(), Some("tinker://r/weights/step-7"));
    }
}
