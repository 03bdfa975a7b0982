//! Training data made with the types alone: no async, no HTTP, no server.
//!
//! ```sh
//! cargo run -p tinker-types --example prepare
//! ```

use std::error::Error;

use tinker_types::{Datum, Loss, ModelInput, SampledSequence, StopReason, group_advantages};

/// The built-in model of the local engine reads bytes, and this token ends a text.
const END: u32 = 256;

fn tokens(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // A prompt with its completion: weights are 0 on the prompt and 1 on the completion.
    let answer = [tokens(" green"), vec![END]].concat();
    let pair = Datum::supervised(&tokens("grass ->"), &answer);
    assert_eq!(pair.learned_tokens(), answer.len());

    // A conversation with a weight for each token.
    let turns = [("user: hi\n", 0.0), ("bot: hello\n", 1.0)];
    let (mut text, mut weights) = (Vec::new(), Vec::new());
    for (turn, weight) in turns {
        text.extend(tokens(turn));
        weights.resize(text.len(), weight);
    }
    let conversation = Datum::weighted(&text, &weights)?;
    assert_eq!(conversation.learned_tokens(), "bot: hello\n".len());

    // Two samples of one prompt, with rewards.
    let prompt = ModelInput::from(tokens("2 + 2 ="));
    let sample = |text: &str| {
        let mut sequence = SampledSequence::new(StopReason::Stop, tokens(text));
        sequence.logprobs = Some(vec![-0.7; text.len()]);
        sequence
    };
    let samples = [sample(" 4"), sample(" 5")];
    let reinforced: Result<Vec<Datum>, _> = group_advantages(&[1.0, 0.0])
        .into_iter()
        .zip(&samples)
        .map(|(advantage, sequence)| Datum::from_sample(&prompt, sequence, advantage))
        .collect();

    // The checks of the client and of the local server. An error names place, cause and fix.
    Loss::cross_entropy().check(&[pair.clone(), conversation])?;
    Loss::ppo().check(&reinforced?)?;
    let misspelt = pair.clone().with_input("wieghts", vec![1.0; 3]);
    let error = Loss::cross_entropy().check(&[pair, misspelt]);
    let error = error.err().ok_or("the name is wrong")?.to_string();
    assert!(
        error.starts_with("data[1].loss_fn_inputs.wieghts: is not known"),
        "{error}"
    );
    Ok(())
}
